import type { Clock } from '../base/clock.ts'
import type { Instance } from './instance.ts'
import { readStat } from './proc-stat.ts'
import { KILL_TIMEOUT, type ProcessTrees, sendSignal, signalProcess } from './process-tree.ts'
import type { RunObserver } from './run-observer.ts'
import type { RunId, SignalScope, Usage } from './runtime.ts'
import { usageOf } from './usage.ts'

const SIGKILL = 9

export interface RunControlOptions {
  readonly trees: ProcessTrees
  readonly observer: RunObserver
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Acts on the processes of an Instance's newest run, which the caller names. The contracts are those of `ProcessRuntime`. */
export class RunControl {
  readonly #options: RunControlOptions

  constructor(options: RunControlOptions) {
    this.#options = options
  }

  async signal(entry: Instance, id: RunId, number: number, scope: SignalScope): Promise<number> {
    const { trees, observer } = this.#options
    await observer.refresh(entry)
    if (number === SIGKILL) entry.killed = id
    if (scope === 'Main') {
      return entry.run?.state === 'running' && entry.main !== undefined && signalProcess(entry.main, number) ? 1 : 0
    }
    const members = await trees.members(entry.root)
    if (scope === 'Tree') return members.filter((member) => signalProcess(member, number)).length
    const pgrp = entry.main?.pid
    const group = members.filter((member) => member.pgrp === pgrp)
    // One call reaches all of a group at once, those it forks meanwhile included.
    const first = group[0]
    const now = first === undefined ? undefined : readStat(first.pid)
    if (pgrp === undefined || now?.startTime !== first?.startTime || now?.pgrp !== pgrp) return 0
    return sendSignal(-pgrp, number) ? group.length : 0
  }

  async killTree(entry: Instance, id: RunId): Promise<void> {
    const { trees, observer, clock, signal } = this.#options
    await observer.refresh(entry)
    if (entry.settled) return
    entry.killed = id
    await trees.kill(entry.root)
    entry.paused = trees.isPaused(entry.root)
    // The shim writes its record a moment after the program has gone.
    const isOver = await entry.until({ clock, timeout: KILL_TIMEOUT, signal }, async () =>
      (await observer.refresh(entry))?.state === 'running' ? undefined : true,
    )
    if (isOver === undefined && !signal.aborted) throw new Error(`${id} is still there after SIGKILL`)
  }

  async pause(entry: Instance, paused: boolean): Promise<void> {
    const { trees, observer } = this.#options
    if ((await observer.refresh(entry))?.state !== 'running') return
    trees.pause(entry.root, paused)
    entry.paused = paused
    await observer.refresh(entry)
  }

  async treeAlive(entry: Instance): Promise<boolean> {
    const run = await this.#options.observer.refresh(entry)
    return run !== undefined && (run.state === 'running' || run.leftovers)
  }

  async usage(entry: Instance): Promise<Usage | undefined> {
    const { trees, observer } = this.#options
    const run = await observer.refresh(entry)
    if (run?.state !== 'running') return undefined
    const cpu = trees.cpuSeconds(entry.root)
    const usage = { ...usageOf(await trees.members(entry.root)), ...trees.usage(entry.root) }
    const base = entry.file?.cpuBase
    return cpu === undefined || base === undefined ? usage : { ...usage, cpuSeconds: Math.max(0, cpu - base) }
  }
}
