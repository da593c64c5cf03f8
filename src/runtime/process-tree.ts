import nodeProcess from 'node:process'
import type { Clock, Millis } from '../base/clock.ts'
import { type ProcessIdentity, type ProcessStat, readStat } from './proc-stat.ts'
import type { HostGap, InstanceId, Limits } from './runtime.ts'
import { hasCode } from './state-dir.ts'

/** What a tree of processes is known by. */
export interface TreeRoot {
  readonly instance: InstanceId
  /** Value of PMK_RUN in the environment of its members, and the name of its cgroup. */
  readonly marker: string
  /** Name of its group below the Instance's. */
  readonly group: string
  /** Leader of its first session; gone or not. */
  readonly leader: ProcessIdentity | undefined
  /** Spared: it is the parent of the leader and no member. */
  readonly shim: ProcessIdentity | undefined
}

/** Finds and kills the processes that a program started, however they tried to get away. */
export interface ProcessTrees {
  /** Members alive, without the shim. */
  members(root: TreeRoot): Promise<readonly ProcessStat[]>
  /** Looks at many trees at once, so that members are known when they cut what ties them to their tree. */
  remember(roots: readonly TreeRoot[]): Promise<void>
  /** Kills until nothing is left but the shim; throws when that can't be had in time. */
  kill(root: TreeRoot): Promise<void>
  /** A shim is on its way and will be enlisted: what takes its time can be done meanwhile. */
  expect(root: TreeRoot): Promise<void>
  /** Takes the shim in before its first program, so that programs are born inside. */
  enlist(root: TreeRoot, pid: number): Promise<void>
  /** Makes room for a tree of its own; a line of shell text that joins it, when one is needed. */
  admit(root: TreeRoot): string | undefined
  /** Whatever is left of an Instance and of its commands, the shim included, is ended and forgotten. */
  dissolve(instance: InstanceId): Promise<void>
  /** The tree is known to be empty: what is remembered of it goes. */
  forget(root: TreeRoot): void
  /** A tree begun by an earlier server, perhaps one that tracked it otherwise. */
  adopt(root: TreeRoot, shim: number): Promise<void>
  /** Processor time of all that ever ran in the tree's group; undefined when nobody counts it. */
  cpuSeconds(root: TreeRoot): number | undefined
  /** Bytes and threads of the tree, the shim's left out; undefined when nobody counts them. */
  usage(root: TreeRoot): { readonly memory: number; readonly threads: number } | undefined
  /** How many processes in the tree's group the kernel has ever killed for want of memory; undefined when nobody counts. */
  oomKills(root: TreeRoot): number | undefined
  /** Bounds the Instance's trees together. What the host can't enforce is left out. */
  limit(root: TreeRoot, limits: Limits): Promise<void>
  /** Freezes the Instance's trees, shim included, until it is taken back or they are killed. */
  pause(root: TreeRoot, paused: boolean): void
  isPaused(root: TreeRoot): boolean
  /** What this way of tracking can't do. */
  gaps(): readonly HostGap[]
  close(): void
}

/** Killing is tried so long. Only processes in uninterruptible sleep take longer. */
export const KILL_TIMEOUT: Millis = 10_000

/** The group in which shim and programs live; others are those of commands run beside. */
export const RUN_GROUP = 'run'

/** Signals exactly this process. False: it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: number): boolean {
  return readStat(identity.pid)?.startTime === identity.startTime && sendSignal(identity.pid, signal)
}

/** A pid, or a negative group. The caller has made sure of whom it means. False: nobody is there. */
export function sendSignal(target: number, signal: number): boolean {
  try {
    nodeProcess.kill(target, signal)
    return true
  } catch (err) {
    if (hasCode(err, 'ESRCH')) return false
    throw err
  }
}

export function isLive(stat: ProcessStat): boolean {
  return stat.state !== 'Z' && stat.state !== 'X'
}

export function pause(clock: Clock, delay: Millis): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(delay, resolve)
  })
}
