import { watch } from 'node:fs'
import { type Clock, epochOf, type Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Hints } from './hints.ts'
import type { Instance } from './instance.ts'
import { type Observation, observe, runOf } from './observe.ts'
import { isAlive, type ProcessIdentity, readPidFile, readStat } from './proc-stat.ts'
import { isLive, type ProcessTrees, pause, signalProcess } from './process-tree.ts'
import type { InstanceId, Run } from './runtime.ts'
import type { ExtraFile, RunFile, StateDir } from './state-dir.ts'

/** A daemon writes its pid file about when its first process ends, a little later at most. */
const PID_FILE_TIMEOUT: Millis = 10_000
const PID_FILE_INTERVAL: Millis = 50
const ORPHAN_INTERVAL: Millis = 1_000
const SIGCONT = 18
/** Times of files are no finer. */
const COARSE_TICK: Millis = 1_000

export interface RunObserverOptions {
  readonly dir: StateDir
  readonly trees: ProcessTrees
  readonly clock: Clock
  readonly log: Logger
  readonly bootId: string
  readonly hints: Hints<InstanceId>
  readonly signal: AbortSignal
  /** The newest run has just been seen to be over. */
  readonly ended: (entry: Instance) => void
}

/** Keeps what is known of each Instance in step with its records and the process table. */
export class RunObserver {
  readonly #options: RunObserverOptions

  constructor(options: RunObserverOptions) {
    this.#options = options
  }

  /**
   * Looks where it is worth it: a supervised program is as it was seen last while its process and its shim are alive, the same
   * ones. No file of the directory is opened for that.
   */
  async glance(entry: Instance): Promise<Run | undefined> {
    const { run, main, shim, watcher, extra, file } = entry
    const isSettledDown = run?.state === 'running' && run.supervised && watcher !== undefined && extra?.attempt !== file?.attempt
    if (isSettledDown && main?.pid === run.pid && shim !== undefined && isAlive(main) && isAlive(shim)) return run
    return this.refresh(entry)
  }

  /**
   * The same at a fraction of the cost, for those that are looked at again and again: an end not told by an event shows in the time
   * of the record, the death of a shim in its FIFO. A shim that somebody stopped isn't noticed, nor a tree that somebody else froze.
   */
  async check(entry: Instance): Promise<Run | undefined> {
    const { run, watcher, extra, file } = entry
    const isSettledDown = run?.state === 'running' && run.supervised && watcher !== undefined && extra?.attempt !== file?.attempt
    if (!isSettledDown) return this.refresh(entry)
    const { dir, clock, trees } = this.#options
    if (entry.paused) entry.paused = trees.isPaused(entry.root)
    const recorded = dir.recordedAt(entry.id)
    if (recorded === entry.checkedRecord && dir.hasShim(entry.id)) return run
    // One written just now may be written once more in the same tick.
    entry.checkedRecord = epochOf(clock.now()) - (recorded ?? 0) > COARSE_TICK ? recorded : undefined
    const found = await this.refresh(entry)
    if (found?.state === 'exited') this.#watchAnew(entry)
    return found
  }

  publish(entry: Instance): void {
    this.#options.hints.publish(entry.id)
  }

  /** Looks now. Gives the newest run; undefined when none was asked for, or the one asked for has left no trace yet. */
  async refresh(entry: Instance): Promise<Run | undefined> {
    const { trees, bootId, hints, ended } = this.#options
    const file = entry.file
    if (file === undefined || (entry.settled && entry.run !== undefined)) return entry.run
    const seen = this.#noteEnd(entry, file, this.#observe(entry, file))
    if (seen.state === 'running' || seen.state === 'ending') entry.main = seen.main
    if (seen.state === 'forked') entry.main = seen.first
    if (seen.state === 'ending') this.#continueShim(entry)
    if (seen.state !== 'running' && seen.state !== 'forked') this.#release(entry)
    if (needsFollowing(entry, file, seen)) this.#follow(entry, file)
    let leftovers = false
    if (seen.state === 'exited' && file.bootId === bootId) {
      entry.main ??= this.#options.dir.readPid(entry.id, file.attempt)
      leftovers = (await trees.members(entry.root)).length > 0
      // The world went on while the table was read.
      if (entry.file?.id !== file.id) return entry.run
    }
    const before = entry.run
    const isNews = seen.state === 'exited' && before?.state !== 'exited' && file.oomBase !== undefined
    const oomKills = isNews && file.bootId === bootId ? (trees.oomKills(entry.root) ?? 0) - (file.oomBase ?? 0) : 0
    const fresh = runOf(file, bootId, seen, { leftovers, paused: entry.paused, oomKills })
    // The end is told once: worked out anew each time, it would waver by the clock's grain.
    const run = fresh?.state === 'exited' && before?.state === 'exited' ? { ...before, leftovers } : fresh
    entry.run = run
    entry.settled = seen.state === 'exited' && !leftovers
    if (before !== undefined && differs(before, run)) hints.publish(entry.id)
    if (run?.state === 'exited' && before?.state !== 'exited') ended(entry)
    return run
  }

  /** The same for what may have been changed behind our back. */
  async recheck(entry: Instance): Promise<void> {
    if (entry.run?.state === 'running') {
      entry.paused = this.#options.trees.isPaused(entry.root)
      // There may have been no watch to be had.
      this.watch(entry)
    }
    await this.refresh(entry)
  }

  /** File events of the run directory wake whoever waits for the Instance, and deaths are looked at. */
  watch(entry: Instance): void {
    const { dir, log } = this.#options
    if (entry.watcher !== undefined) return
    try {
      entry.watcher = watch(dir.directory(entry.id), { persistent: false }, (_event, name) => {
        if (name !== 'exit' && name !== 'pid' && name !== 'shim') return
        entry.wake()
        // A start in progress looks for itself.
        if (name === 'exit' && entry.run !== undefined) {
          this.refresh(entry).catch((err: unknown) => log.warn({ instance: entry.id, err }, 'Could not look at an Instance'))
        }
      })
      entry.watcher.on('error', (err) => log.warn({ instance: entry.id, err }, 'Lost the watch on an Instance'))
    } catch (err) {
      log.warn({ instance: entry.id, err }, 'No watch on an Instance: its deaths are noticed by relisting')
    }
  }

  /** No event told of a death: the kernel may have dropped it among too many, or the watch is gone. */
  #watchAnew(entry: Instance): void {
    entry.watcher?.close()
    entry.watcher = undefined
    this.watch(entry)
  }

  #observe(entry: Instance, file: RunFile): Observation {
    return observe(entry.id, file, entry.extra, this.#options)
  }

  /** Writes down an end that no record tells, once, so that it stays the same. */
  #noteEnd(entry: Instance, file: RunFile, seen: Observation): Observation {
    const { clock } = this.#options
    const isReboot = seen.state === 'exited' && seen.exit.by === 'unknown' && seen.exit.reason === 'Reboot'
    if (isReboot && entry.extra?.attempt === file.attempt && entry.extra.end !== undefined) return seen
    const reason = isReboot
      ? 'Reboot'
      : seen.state === 'daemon gone'
        ? 'Forked'
        : seen.state !== 'lost'
          ? undefined
          : entry.killed === file.id
            ? 'Killed'
            : 'ShimLost'
    if (reason === undefined) return seen
    this.#saveExtra(entry, { attempt: file.attempt, end: { reason, at: clock.now(), monotonic: isReboot ? 0 : clock.monotonic() } })
    return this.#observe(entry, file)
  }

  #saveExtra(entry: Instance, extra: ExtraFile): void {
    this.#options.dir.writeLine(entry.id, 'extra.json', JSON.stringify(extra))
    entry.extra = extra
  }

  /** A shim that somebody stopped would never write its record. */
  #continueShim(entry: Instance): void {
    if (entry.shim !== undefined && readStat(entry.shim.pid)?.state === 'T') signalProcess(entry.shim, SIGCONT)
  }

  /** The program of a paused Instance is gone: its shim must be able to say how, and the next program to run. */
  #release(entry: Instance): void {
    if (!entry.paused) return
    this.#options.trees.pause(entry.root, false)
    entry.paused = false
  }

  /** Looks after a run whose end no record tells: a daemon, the orphan of a lost shim, or one whose shim is paused. */
  #follow(entry: Instance, file: RunFile): void {
    if (entry.followed) return
    entry.followed = true
    this.#followNow(entry, file)
      .catch((err: unknown) => this.#options.log.warn({ instance: entry.id, err }, 'Could not follow a process'))
      .finally(() => {
        entry.followed = false
      })
  }

  async #followNow(entry: Instance, file: RunFile): Promise<void> {
    const { clock, signal } = this.#options
    while (!signal.aborted && entry.file?.id === file.id && !entry.removed) {
      const seen = this.#observe(entry, file)
      if (seen.state === 'forked') await this.#findDaemon(entry, file, seen.since, seen.first)
      const run = await this.refresh(entry)
      if (run?.state !== 'running' || !needsFollowing(entry, file, seen)) return
      await pause(clock, seen.state === 'forked' ? PID_FILE_INTERVAL : ORPHAN_INTERVAL)
    }
  }

  /** Reads the pid file and takes the process named there, if it is one of this run's tree. */
  async #findDaemon(entry: Instance, file: RunFile, since: Millis, first: ProcessIdentity): Promise<void> {
    const { trees, clock, log } = this.#options
    const members = await trees.members({ ...entry.root, leader: first })
    const named = await readPidFile(file.pidFile ?? '')
    const stat = named === undefined ? undefined : readStat(named)
    if (stat !== undefined && isLive(stat) && stat.startTime >= first.startTime) {
      if (members.some((member) => member.pid === stat.pid && member.startTime === stat.startTime)) {
        this.#saveExtra(entry, { attempt: file.attempt, main: { pid: stat.pid, startTime: stat.startTime } })
        return
      }
    }
    // With nobody left there is nobody to write it.
    if (members.length > 0 && clock.monotonic() - since < PID_FILE_TIMEOUT) return
    log.warn({ instance: entry.id, pidFile: file.pidFile }, 'The pid file names no process of this run')
    this.#saveExtra(entry, { attempt: file.attempt, end: { reason: 'Forked', at: clock.now(), monotonic: clock.monotonic() } })
  }
}

/** Whether no file event will tell of its end. */
function needsFollowing(entry: Instance, file: RunFile, seen: Observation): boolean {
  const isDaemon = entry.extra?.attempt === file.attempt && entry.extra.main !== undefined
  return seen.state === 'forked' || (seen.state === 'running' && (!seen.supervised || isDaemon || entry.paused))
}

function differs(a: Run, b: Run | undefined): boolean {
  if (b === undefined || a.state !== b.state) return true
  if (a.state === 'running' && b.state === 'running') return a.pid !== b.pid || a.supervised !== b.supervised || a.paused !== b.paused
  return a.state === 'exited' && b.state === 'exited' && a.leftovers !== b.leftovers
}
