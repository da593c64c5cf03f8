import { join } from 'node:path'
import nodeProcess from 'node:process'
import type { Clock, Millis } from '../base/clock.ts'
import type { Cgroup } from './cgroup.ts'
import { quote } from './launch-chain.ts'
import { allPids, environmentOf, isAlive, type ProcessIdentity, type ProcessStat, readStat } from './proc-stat.ts'
import type { InstanceId } from './runtime.ts'
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
  /** Kills until nothing is left but the shim; throws when that can't be had in time. */
  kill(root: TreeRoot): Promise<void>
  /** Takes the shim in before its first program, so that programs are born inside. */
  enlist(root: TreeRoot, pid: number): Promise<void>
  /** Makes room for a tree of its own; a line of shell text that joins it, when one is needed. */
  admit(root: TreeRoot): string | undefined
  /** Whatever is left of an Instance and of its commands, the shim included, is ended and forgotten. */
  dissolve(instance: InstanceId): Promise<void>
  forget(root: TreeRoot): void
}

/** Killing is tried so long. Only processes in uninterruptible sleep take longer. */
const KILL_TIMEOUT: Millis = 10_000
const FREEZE_TIMEOUT: Millis = 500

/** By cgroup: nothing gets away, forks while killing included. */
export class CgroupTrees implements ProcessTrees {
  readonly #base: Cgroup
  readonly #clock: Clock

  constructor(options: { readonly base: Cgroup; readonly clock: Clock }) {
    this.#base = options.base
    this.#clock = options.clock
  }

  groupOf(root: TreeRoot): Cgroup {
    return this.#base.child(root.instance).child(root.group)
  }

  async members(root: TreeRoot): Promise<readonly ProcessStat[]> {
    return this.groupOf(root)
      .pids()
      .flatMap((pid) => (pid === root.shim?.pid ? [] : (readStat(pid) ?? [])))
      .filter(isLive)
  }

  async kill(root: TreeRoot): Promise<void> {
    const group = this.groupOf(root)
    const end = this.#clock.monotonic() + KILL_TIMEOUT
    const left = (): number[] => group.pids().filter((pid) => pid !== root.shim?.pid)
    while (left().length > 0) {
      if (this.#clock.monotonic() > end) throw new Error(`${left().length} processes of ${root.marker} survive SIGKILL`)
      group.freeze(true)
      try {
        const frozenBy = this.#clock.monotonic() + FREEZE_TIMEOUT
        while (!group.isFrozen && this.#clock.monotonic() < frozenBy) await pause(this.#clock, 1)
        // Frozen processes neither fork nor end, so these pids are those of the group still.
        for (const pid of left()) sendSignal(pid, 9)
      } finally {
        group.freeze(false)
      }
      for (let wait = 1; left().length > 0 && wait <= 64; wait *= 2) await pause(this.#clock, wait)
    }
  }

  async enlist(root: TreeRoot, pid: number): Promise<void> {
    const group = this.groupOf(root)
    group.create()
    await group.add(pid)
  }

  admit(root: TreeRoot): string {
    const group = this.groupOf(root)
    group.create()
    return `echo 0 >${quote(join(group.path, 'cgroup.procs'))} || exit 126`
  }

  async dissolve(instance: InstanceId): Promise<void> {
    await this.#end(this.#base.child(instance))
  }

  forget(root: TreeRoot): void {
    if (root.group !== RUN_GROUP) this.groupOf(root).remove()
  }

  /** Ends what groups hold that no known Instance owns, and commands that a dead server left running. */
  async sweep(known: ReadonlySet<string>): Promise<void> {
    for (const group of this.#base.children()) {
      group.freeze(false)
      if (!known.has(group.name)) await this.#end(group)
      for (const child of group.children()) {
        child.freeze(false)
        if (child.name !== RUN_GROUP) await this.#end(child)
      }
    }
  }

  async #end(group: Cgroup): Promise<void> {
    const end = this.#clock.monotonic() + KILL_TIMEOUT
    while (!group.remove()) {
      if (this.#clock.monotonic() > end) throw new Error(`${group.pids().length} processes in ${group.path} survive SIGKILL`)
      if (!group.killAll()) for (const pid of group.pids()) sendSignal(pid, 9)
      await pause(this.#clock, 2)
    }
  }
}

/** The group in which shim and programs live; others are those of commands run beside. */
export const RUN_GROUP = 'run'

/**
 * Without cgroups: the members are the leader's session, the descendants of shim and leader, all that carries the marker, and
 * all that was seen to be a member before. A process that forks faster than the table can be read gets away.
 */
export class ScannedTrees implements ProcessTrees {
  readonly #clock: Clock
  /** Members once seen, by marker: double-forked ones that dropped their environment are known by nothing else. */
  readonly #seen = new Map<string, Map<number, number>>()
  /** Markers by process, read once: `pid` to start time and marker. */
  #markers = new Map<number, { readonly startTime: number; readonly marker: string }>()
  #scan: Promise<readonly ProcessStat[]> | undefined

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock
  }

  async members(root: TreeRoot): Promise<readonly ProcessStat[]> {
    return this.#select(root, await this.#sharedScan())
  }

  async kill(root: TreeRoot): Promise<void> {
    const end = this.#clock.monotonic() + KILL_TIMEOUT
    for (;;) {
      // Stopped processes can't fork: stop until a look finds nobody new. All in one go, without yielding to anything.
      const stopped = new Map<number, ProcessIdentity>()
      for (let found = true, rounds = 0; found && rounds < 50; rounds++) {
        found = false
        for (const member of this.#select(root, scanNow())) {
          if (stopped.has(member.pid)) continue
          found = true
          stopped.set(member.pid, member)
          signalProcess(member, 19)
        }
      }
      if (stopped.size === 0) return
      for (const member of stopped.values()) signalProcess(member, 9)
      if (this.#clock.monotonic() > end) throw new Error(`${stopped.size} processes of ${root.marker} survive SIGKILL`)
      for (let wait = 1; [...stopped.values()].some(isAlive) && wait <= 64; wait *= 2) await pause(this.#clock, wait)
    }
  }

  async enlist(): Promise<void> {}

  admit(): undefined {}

  async dissolve(instance: InstanceId): Promise<void> {
    for (const marker of [...this.#seen.keys()]) {
      if (marker.startsWith(`${instance}.`)) this.#seen.delete(marker)
    }
    await this.killMarked((marker) => marker.startsWith(`${instance}.`))
  }

  forget(root: TreeRoot): void {
    this.#seen.delete(root.marker)
  }

  /** Kills whatever carries a marker of that kind. */
  async killMarked(isMeant: (marker: string) => boolean): Promise<void> {
    const meant = (await this.#sharedScan()).filter((stat) => isLive(stat) && isMeant(this.#markerOf(stat)))
    for (const stat of meant) signalProcess(stat, 9)
    const end = this.#clock.monotonic() + KILL_TIMEOUT
    while (meant.some(isAlive) && this.#clock.monotonic() < end) await pause(this.#clock, 2)
  }

  #select(root: TreeRoot, all: readonly ProcessStat[]): ProcessStat[] {
    const { leader, shim } = root
    const seen = this.#seen.get(root.marker) ?? new Map<number, number>()
    this.#seen.set(root.marker, seen)
    const stats = new Map(all.map((stat) => [stat.pid, stat]))
    for (const [pid, startTime] of seen) if (stats.get(pid)?.startTime !== startTime) seen.delete(pid)
    for (const pid of this.#markers.keys()) if (!stats.has(pid)) this.#markers.delete(pid)

    // A session whose leader has another start time is somebody else's that got the same number.
    const other = leader === undefined ? undefined : stats.get(leader.pid)
    const session = leader !== undefined && (other === undefined || other.startTime === leader.startTime) ? leader.pid : -1
    const isShim = (stat: ProcessStat): boolean => stat.pid === shim?.pid && stat.startTime === shim.startTime
    const members = new Map<number, ProcessStat>()
    for (const stat of all) {
      if (isShim(stat) || stat.pid === nodeProcess.pid) continue
      if (stat.session === session || seen.has(stat.pid) || this.#markerOf(stat) === root.marker) members.set(stat.pid, stat)
    }
    for (let grown = true; grown; ) {
      grown = false
      for (const stat of all) {
        const parent = stats.get(stat.ppid)
        if (members.has(stat.pid) || parent === undefined || isShim(stat)) continue
        if (members.has(stat.ppid) || isShim(parent)) {
          members.set(stat.pid, stat)
          grown = true
        }
      }
    }
    for (const stat of members.values()) seen.set(stat.pid, stat.startTime)
    return [...members.values()].filter(isLive)
  }

  #markerOf(stat: ProcessStat): string {
    const known = this.#markers.get(stat.pid)
    if (known?.startTime === stat.startTime) return known.marker
    const marker = environmentOf(stat.pid, 'PMK_RUN') ?? ''
    this.#markers.set(stat.pid, { startTime: stat.startTime, marker })
    return marker
  }

  /** Callers that come while a scan hasn't begun share it. */
  #sharedScan(): Promise<readonly ProcessStat[]> {
    this.#scan ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      this.#scan = undefined
      return scanInSlices()
    })
    return this.#scan
  }
}

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

/** So many processes are read before others get a turn: some 4 ms. */
const SLICE = 250

async function scanInSlices(): Promise<readonly ProcessStat[]> {
  const stats: ProcessStat[] = []
  for (const [index, pid] of allPids().entries()) {
    const stat = readStat(pid)
    if (stat !== undefined) stats.push(stat)
    if (index % SLICE === SLICE - 1) await new Promise<void>((resolve) => setImmediate(resolve))
  }
  return stats
}

function scanNow(): readonly ProcessStat[] {
  return allPids().flatMap((pid) => readStat(pid) ?? [])
}
