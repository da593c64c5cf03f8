import type { Clock, Millis } from '../base/clock.ts'
import { nextTurn } from '../base/turn.ts'
import { Gate } from './gate.ts'
import { asksForMounts, checkPermitted, type HostTools } from './host.ts'
import type { Instance } from './instance.ts'
import { launchText, quote } from './launch-chain.ts'
import type { LaunchFiles } from './launch-files.ts'
import type { LogStore } from './log-store.ts'
import type { Mounts } from './mounts.ts'
import type { ProcessTrees } from './process-tree.ts'
import { areLocal, checkFiles, checkFilesNow, filesKey } from './resolve-command.ts'
import type { RunMark } from './run-marks.ts'
import type { RunObserver } from './run-observer.ts'
import { attemptOf, type Limits, type Run, type RunConfig, StartError } from './runtime.ts'
import type { ShimKeeper } from './shim-keeper.ts'
import type { RunFile, StateDir } from './state-dir.ts'

const START_TIMEOUT: Millis = 60_000
/** Starts at once when they are many: more of them would only make each other, and all else here, late. */
const CROWD = 16
/** So many restarts go straight on: the file system is as fast as it is, and nothing is faster than not to wait for it elsewhere. */
const FEW = 4

/** By how much what is noted of a run may grow from one attempt to the next, in bytes, so that it still fits on a full disk. */
const RUN_FILE_ROOM = 1_024

export interface StarterOptions {
  readonly dir: StateDir
  readonly files: LaunchFiles
  readonly host: HostTools
  readonly logs: LogStore
  readonly mounts: Mounts
  readonly shims: ShimKeeper
  readonly trees: ProcessTrees
  readonly observer: RunObserver
  readonly clock: Clock
  readonly bootId: string
  readonly signal: AbortSignal
}

/** Starts runs. Its methods are called for one Instance at a time. */
export class Starter {
  readonly #options: StarterOptions
  readonly #crowd = new Gate(CROWD)
  #starting = 0
  /** Of these, those that aren't patient. */
  #urgent = 0

  constructor(options: StarterOptions) {
    this.#options = options
  }

  async start(entry: Instance, config: RunConfig, attempt: number): Promise<Run> {
    const before = await this.#options.observer.refresh(entry)
    if (before?.id === config.id) return before
    checkTurn(config, attempt, before)
    const urgent = config.patient === true ? 0 : 1
    this.#starting += 1
    this.#urgent += urgent
    try {
      const ahead = urgent === 1 ? this.#urgent : this.#starting
      if (entry.shim !== undefined && ahead <= FEW) return await this.#start(entry, config, attempt, { patient: false })
      return await this.#crowd.run(async () => {
        await nextTurn()
        return this.#start(entry, config, attempt, { patient: true })
      })
    } finally {
      this.#starting -= 1
      this.#urgent -= urgent
    }
  }

  /** Sends `run N` and waits for the attempt to show. A shim that has had the command ignores it. */
  async command(entry: Instance, file: RunFile): Promise<Run> {
    const { dir, files, logs, shims, trees, observer, clock, signal } = this.#options
    const command = `run ${file.attempt}\n`
    if (!dir.command(entry.id, command)) {
      await shims.ensure(entry)
      if (!dir.command(entry.id, command)) throw new StartError('HostFailure', `The shim of ${file.name} ended at once`)
    }
    const run = await entry.until({ clock, timeout: START_TIMEOUT, signal }, () => observer.refresh(entry))
    if (run === undefined) throw new StartError('HostFailure', `The shim of ${file.name} takes no command`)
    files.drop(entry, file.attempt)
    await logs.saveMarks(entry.id)
    const cpuBase = file.cpuBase === undefined ? trees.cpuSeconds(entry.root) : undefined
    if (cpuBase !== undefined) {
      // Not before the start: reading it takes the kernel a while.
      const counted = { ...file, cpuBase }
      dir.writeLine(entry.id, 'run.json', JSON.stringify(counted))
      entry.file = counted
    }
    observer.publish(entry)
    return run
  }

  async #start(entry: Instance, config: RunConfig, attempt: number, { patient }: { readonly patient: boolean }): Promise<Run> {
    const { dir, files, host, logs, mounts, shims, trees, clock, bootId } = this.#options
    checkPermitted(config, host)
    const key = filesKey(config)
    const program = !patient && entry.localFiles === key ? checkFilesNow(config) : await checkFiles(config)
    // Asked once, when they have just been reached.
    if (entry.localFiles !== key) entry.localFiles = areLocal(config, program) ? key : undefined
    const env = { ...config.env, PMK_RUN: config.id }
    const prologue = config.logs.mergeStderr ? {} : { prologue: `exec 2>>${quote(logs.paths(entry.id).err)}` }
    const secondInput = `<${quote(files.secondPath(entry, attempt))}`
    const view = asksForMounts(config) ? { mounts: await mounts.words(config, entry.id) } : {}
    const text = launchText({ ...config, env }, { host, program, secondInput, setsid: true, ...view, ...prologue })
    const isFirst = entry.shim === undefined
    let mark: RunMark
    try {
      // A shim that was there is asked when it is commanded. Both end, also when one fails.
      const alone = entry.run?.state !== 'exited' || !entry.run.leftovers
      const beginning = [logs.beginRun(config, attempt, { alone }), isFirst ? shims.ensure(entry) : undefined] as const
      await Promise.allSettled(beginning)
      mark = (await Promise.all(beginning))[0]
      await applyLimits(entry, config.limits, trees)
    } catch (err) {
      throw err instanceof StartError
        ? err
        : new StartError('HostFailure', `${config.name} can't be started: ${messageOf(err)}`, { cause: err })
    }
    trees.forget(entry.root)
    // A group that was made just now has used no time worth counting.
    const isCounted = isFirst && entry.file === undefined
    const oomBase = trees.oomKills(entry.root)
    const file: RunFile = {
      id: config.id,
      attempt,
      startedAt: clock.now(),
      startedAtMonotonic: clock.monotonic(),
      bootId,
      namespace: config.namespace,
      name: config.name,
      logs: config.logs,
      mark,
      ...(config.memo === undefined ? {} : { memo: config.memo }),
      ...(config.forking === undefined ? {} : { pidFile: config.forking.pidFile }),
      ...(isCounted ? { cpuBase: 0 } : {}),
      ...(oomBase === undefined ? {} : { oomBase }),
    }
    files.write(entry, attempt, text)
    // From here on the run exists: a server that takes over sends the command again.
    dir.writeLine(entry.id, 'run.json', JSON.stringify(file), { room: RUN_FILE_ROOM })
    entry.file = file
    entry.run = undefined
    entry.main = undefined
    entry.settled = false
    return this.command(entry, file)
  }
}

/** Has the Instance bounded so, if it isn't yet. */
export async function applyLimits(entry: Instance, limits: Limits = {}, trees: Pick<ProcessTrees, 'limit'>): Promise<void> {
  const wanted = JSON.stringify(limits)
  if (entry.limits === wanted) return
  entry.limits = undefined
  await trees.limit(entry.root, limits)
  entry.limits = wanted
}

function checkTurn(config: RunConfig, attempt: number, before: Run | undefined): void {
  if (before === undefined) return
  if (attempt <= attemptOf(before.id)) throw new Error(`Run ${config.id} is older than ${before.id}`)
  if (before.state === 'running') throw new Error(`${before.id} still lives: ${config.id} would be a second run of ${config.name}`)
  if (before.leftovers && config.forking === undefined) throw new Error(`${before.id} left processes behind: end them before ${config.id}`)
}

function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : String(err)
}
