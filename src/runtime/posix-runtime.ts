import { closeSync, existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { bootId } from '../base/boot-id.ts'
import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { adoptAll } from './adoption.ts'
import { runTool } from './child.ts'
import { runExec } from './exec.ts'
import { Hints } from './hints.ts'
import { asksForMounts, checkPermitted, findTools, type HostTools, hostGapsOf } from './host.ts'
import { resolveIdentity } from './identity.ts'
import { Instance } from './instance.ts'
import { LaunchFiles } from './launch-files.ts'
import { LaunchReserve } from './launch-reserve.ts'
import { Launcher } from './launcher.ts'
import { LogStore } from './log-store.ts'
import { Mounts, type View } from './mounts.ts'
import { writeNote } from './note-file.ts'
import type { ProcessTrees } from './process-tree.ts'
import { readAs } from './read-as.ts'
import { watchReaping } from './reaping.ts'
import { inSlices, Relist } from './relist.ts'
import { checkFiles, resolveCommand } from './resolve-command.ts'
import { RunControl } from './run-control.ts'
import { RunObserver } from './run-observer.ts'
import {
  attemptOf,
  type ExecConfig,
  type ExecResult,
  type HostGap,
  type Identity,
  type InstanceId,
  type InstanceRecord,
  type Limits,
  type LogConfig,
  type LogOptions,
  type LogPiece,
  type Notice,
  type ProcessRuntime,
  type Run,
  type RunConfig,
  type RunId,
  type SignalName,
  type SignalScope,
  type Usage,
} from './runtime.ts'
import { ShimKeeper } from './shim-keeper.ts'
import { signalNumber } from './signals.ts'
import { Spares } from './spares.ts'
import { spawnChild } from './spawn.ts'
import { applyLimits, Starter } from './starter.ts'
import { bootLine, StateDir } from './state-dir.ts'
import { Trash } from './trash.ts'
import { openTrees } from './trees.ts'
import { Turns } from './turns.ts'

export interface PosixRuntimeOptions {
  readonly dataDir: string
  readonly clock: Clock
  readonly log: Logger
  /** False: trees are tracked without cgroups, also where there are some. */
  readonly cgroups?: boolean
  /** How long logs stay after their Instance is removed. */
  readonly logRetention?: Millis
}

/** Runs ordinary processes on Linux. All files lie below `dataDir`, of which one server at a time has the lock. */
export function createPosixRuntime(options: PosixRuntimeOptions): ProcessRuntime {
  return new PosixRuntime(options)
}

const LOG_RETENTION: Millis = 24 * 3_600_000

/** What there is only after `open`. */
interface Parts {
  readonly host: HostTools
  readonly trees: ProcessTrees
  readonly launcher: Launcher
  readonly logs: LogStore
  readonly mounts: Mounts
  readonly shims: ShimKeeper
  readonly observer: RunObserver
  readonly starter: Starter
  readonly control: RunControl
  readonly relist: Relist
  readonly spares: Spares
  readonly trash: Trash
  readonly gaps: readonly HostGap[]
}

class PosixRuntime implements ProcessRuntime {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #options: PosixRuntimeOptions
  readonly #dir: StateDir
  readonly #reserve: LaunchReserve
  readonly #files: LaunchFiles
  readonly #instances = new Map<InstanceId, Instance>()
  readonly #hints = new Hints<InstanceId>((instance) => instance)
  readonly #notices = new Hints<Notice>(({ instance, reason }) => `${instance} ${reason}`)
  readonly #boot = bootId()
  readonly #stopped = new AbortController()
  readonly #turns: Turns
  #open: Parts | undefined
  #reapingGap: HostGap | undefined

  constructor(options: PosixRuntimeOptions) {
    this.#options = { ...options, dataDir: resolve(options.dataDir) }
    this.#clock = options.clock
    this.#log = options.log
    this.#turns = new Turns(options.clock)
    this.#dir = new StateDir(this.#options.dataDir)
    this.#reserve = new LaunchReserve({ directory: this.#dir.reserveDirectory, log: this.#log })
    const { signal } = this.#stopped
    this.#files = new LaunchFiles({ dir: this.#dir, reserve: this.#reserve, clock: this.#clock, log: this.#log, signal })
  }

  async open(): Promise<void> {
    const { dataDir, cgroups, logRetention = LOG_RETENTION } = this.#options
    const [clock, log, dir, signal] = [this.#clock, this.#log, this.#dir, this.#stopped.signal]
    const tools = findTools()
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    dir.prepare()
    this.#reserve.open()
    const mounts = new Mounts({ dir, directory: join(dataDir, 'hidden'), host: tools, spawn: spawnChild })
    const host: HostTools = { ...tools, noMounts: await mounts.open() }
    const ids = dir.instances()
    for (const id of ids) {
      const entry = new Instance(id)
      entry.shim = dir.readShim(id)
      entry.format = dir.format(id, this.#boot) ?? entry.format
      this.#instances.set(id, entry)
    }
    const shimsUp = (): ReadonlyMap<number, number> => this.#shimsUp()
    const launcher = new Launcher({ directory: dir.root, shell: host.shell, spawn: spawnChild, clock, bootId: this.#boot, shims: shimsUp })
    await launcher.takeOver()
    const known = new Set(ids)
    const trees = await openTrees({
      dataDir,
      clock,
      host,
      spawn: spawnChild,
      launcher,
      known,
      cgroups: cgroups ?? true,
    })
    const trash = new Trash({ directory: join(dataDir, '.trash'), host, spawn: spawnChild, log })
    trash.open()
    // Of those that an earlier server made nobody knows which are whole.
    const spareDirectories = { runDirectory: dir.spareDirectory, logDirectory: join(dataDir, 'logs', '.spare') }
    for (const each of Object.values(spareDirectories)) if (existsSync(each)) await trash.discard(each)
    const spares = new Spares({ ...spareDirectories, boot: bootLine(this.#boot), host, spawn: spawnChild, log })
    spares.prepare()
    const notify = (notice: Notice): void => this.#notices.publish(notice)
    const logs = new LogStore({ dataDir, clock, log, host, spawn: spawnChild, spares, trash, retention: logRetention, notify })
    await logs.open(known)
    const ended = (entry: Instance): void => logs.endRun(entry.id)
    const observer = new RunObserver({ dir, trees, clock, log, bootId: this.#boot, hints: this.#hints, signal, ended })
    const shims = new ShimKeeper({
      ...{ dir, host, trees, launcher, spares, clock, bootId: this.#boot, signal },
      logPath: (entry) => logs.paths(entry.id).log,
      watch: (entry) => observer.watch(entry),
    })
    const starter = new Starter({ dir, files: this.#files, host, logs, mounts, shims, trees, observer, clock, bootId: this.#boot, signal })
    const control = new RunControl({ trees, observer, clock, signal })
    const relist = new Relist({ entries: () => [...this.#instances.values()], observer, trees, clock, log })
    const gaps = [...hostGapsOf(host), ...logs.gaps]
    this.#open = { host, trees, launcher, logs, mounts, shims, observer, starter, control, relist, spares, trash, gaps }
    const adoption = { dir, files: this.#files, logs, observer, trees, starter, log, bootId: this.#boot }
    await adoptAll([...this.#instances.values()], adoption)
    relist.start()
    // Nobody waits for it: where orphans are reaped late it takes a while.
    void this.#watchReaping(host)
  }

  async close(): Promise<void> {
    this.#stopped.abort()
    for (const entry of this.#instances.values()) {
      entry.watcher?.close()
      entry.watcher = undefined
      entry.wake()
      await entry.exclusively(async () => {})
    }
    if (this.#open === undefined) return
    const { relist, launcher, logs, spares, trash, trees } = this.#open
    await relist.close()
    await launcher.close()
    await logs.close()
    await spares.close()
    await trash.close()
    trees.close()
  }

  start(config: RunConfig): Promise<Run> {
    const attempt = attemptOf(config.id)
    if (config.id !== `${config.instance}.${attempt}` || !Number.isSafeInteger(attempt) || attempt < 1) {
      throw new Error(`Run ${config.id} is not one of Instance ${config.instance}`)
    }
    const entry = this.#entry(config.instance)
    return entry.exclusively(async () => {
      // Removed while this call waited its turn: it is a first start then.
      if (this.#instances.get(config.instance) !== entry) return this.start(config)
      return this.#parts.starter.start(entry, config, attempt)
    })
  }

  async signal(id: RunId, signal: SignalName, scope: SignalScope): Promise<number> {
    const number = signalNumber(signal)
    if (number === undefined) throw new Error(`There is no signal ${signal}`)
    const entry = this.#entryOf(id)
    return entry === undefined ? 0 : this.#parts.control.signal(entry, id, number, scope)
  }

  async killTree(id: RunId): Promise<void> {
    const entry = this.#entryOf(id)
    if (entry !== undefined) await this.#parts.control.killTree(entry, id)
  }

  async pause(id: RunId, paused: boolean): Promise<void> {
    const entry = this.#entryOf(id)
    if (entry !== undefined) await this.#parts.control.pause(entry, paused)
  }

  async treeAlive(id: RunId): Promise<boolean> {
    const entry = this.#entryOf(id)
    return entry !== undefined && this.#parts.control.treeAlive(entry)
  }

  async remove(instance: InstanceId): Promise<void> {
    const entry = this.#instances.get(instance)
    // A hook ahead of the first start may have made some.
    if (entry === undefined) return this.#parts.trash.discard(this.#dir.temporary(instance))
    await entry.exclusively(async () => {
      if (this.#instances.get(instance) !== entry) return
      const run = await this.#parts.observer.refresh(entry)
      if (run?.state === 'running' || run?.leftovers) throw new Error(`${run.id} is alive and can't be removed`)
      entry.leaving = true
      try {
        await this.#end(entry)
      } finally {
        entry.leaving = false
      }
      this.#instances.delete(instance)
      entry.removed = true
    })
    this.#hints.publish(instance)
  }

  async list(): Promise<readonly InstanceRecord[]> {
    const entries = [...this.#instances.values()]
    await inSlices(entries, (entry) => this.#parts.observer.glance(entry))
    return entries.filter((entry) => !entry.removed && isKnown(entry)).map((entry) => entry.record)
  }

  async get(instance: InstanceId): Promise<InstanceRecord | undefined> {
    const entry = this.#instances.get(instance)
    if (entry === undefined) return undefined
    await this.#parts.observer.glance(entry)
    return isKnown(entry) ? entry.record : undefined
  }

  async saveNote(instance: InstanceId, note: string): Promise<void> {
    const entry = this.#entry(instance)
    if (entry.laidOut && !entry.leaving) {
      this.#writeNote(entry, note)
      return
    }
    await entry.exclusively(async () => {
      if (this.#instances.get(instance) !== entry) return this.saveNote(instance, note)
      await this.#parts.shims.layOut(entry)
      this.#writeNote(entry, note)
    })
  }

  notices(signal: AbortSignal): AsyncIterable<Notice> {
    return this.#notices.iterate(AbortSignal.any([signal, this.#stopped.signal]))
  }

  changes(signal: AbortSignal): AsyncIterable<InstanceId> {
    return this.#hints.iterate(AbortSignal.any([signal, this.#stopped.signal]))
  }

  async setLimits(instance: InstanceId, limits: Limits): Promise<void> {
    const entry = this.#instances.get(instance)
    if (entry !== undefined) await applyLimits(entry, limits, this.#parts.trees)
  }

  configureLogs(instance: InstanceId, logs: LogConfig): void {
    this.#parts.logs.configure(instance, logs)
  }

  logs(instance: InstanceId, options: LogOptions): AsyncIterable<LogPiece> {
    return this.#parts.logs.read(instance, { ...options, signal: AbortSignal.any([options.signal, this.#stopped.signal]) })
  }

  tail(instance: InstanceId, bytes: number): Promise<string> {
    return this.#parts.logs.tail(instance, bytes)
  }

  async usage(id: RunId): Promise<Usage | undefined> {
    const entry = this.#entryOf(id)
    return entry === undefined ? undefined : this.#parts.control.usage(entry)
  }

  async exec(config: ExecConfig, signal: AbortSignal): Promise<ExecResult> {
    const { host, trees } = this.#parts
    checkPermitted(config, host)
    const program = await checkFiles(config)
    const view = asksForMounts(config) ? await this.#viewOf(config) : undefined
    try {
      const turns = config.patient === true ? this.#turns : undefined
      return await runExec(config, { spawn: spawnChild, host, trees, clock: this.#clock, program, view, turns }, signal)
    } finally {
      if (view?.namespace !== undefined) closeSync(view.namespace)
    }
  }

  readFileAs(path: string, identity: Identity | undefined): Promise<string> {
    return readAs(path, identity, { host: this.#parts.host, spawn: spawnChild })
  }

  resolveIdentity(request: {
    readonly user?: string | number
    readonly group?: string | number
    readonly supplementalGroups?: readonly (string | number)[]
  }): Promise<Identity> {
    const { host } = this.#parts
    return resolveIdentity(request, {
      passwdFile: '/etc/passwd',
      groupFile: '/etc/group',
      clock: this.#clock,
      lookUp: async (database, key) => {
        const getent = host.tools.get('getent')
        if (getent === undefined) return undefined
        const { code, stdout } = await runTool(spawnChild, getent, [database, '--', key])
        return code === 0 ? stdout.toString() : undefined
      },
    })
  }

  resolveCommand(command: string, searchPath: readonly string[], workingDir: string | undefined): Promise<string> {
    return resolveCommand(command, searchPath, workingDir)
  }

  hostGaps(): readonly HostGap[] {
    const { gaps, trees } = this.#parts
    return [...gaps, ...trees.gaps(), ...(this.#reapingGap === undefined ? [] : [this.#reapingGap])]
  }

  get #parts(): Parts {
    if (this.#open === undefined) throw new Error('The runtime is not open')
    return this.#open
  }

  /** What the program of that Instance sees; without a program that runs, what the next one will see. */
  async #viewOf(config: ExecConfig): Promise<View | undefined> {
    const { mounts } = this.#parts
    const entry = this.#instances.get(config.instance)
    const main = entry?.run?.state === 'running' ? entry.main : undefined
    const entered = main === undefined ? undefined : mounts.enter(main, config.workingDir)
    if (entered !== undefined) return entered
    const words = await mounts.words(config, config.instance)
    return words === undefined ? undefined : { words }
  }

  async #watchReaping(host: HostTools): Promise<void> {
    const onChange = (gap: HostGap | undefined): void => {
      this.#reapingGap = gap
      this.#log.warn({}, gap?.message ?? 'Orphaned processes are reaped, if late')
    }
    await watchReaping({ spawn: spawnChild, host, clock: this.#clock, signal: this.#stopped.signal, onChange }).catch((err: unknown) => {
      this.#log.warn({ err }, 'Could not find out whether orphaned processes are reaped')
    })
  }

  #entry(id: InstanceId): Instance {
    const known = this.#instances.get(id)
    if (known !== undefined) return known
    // Refuses what is no id.
    this.#dir.directory(id)
    const entry = new Instance(id)
    this.#instances.set(id, entry)
    return entry
  }

  /** The Instance whose newest run this is. */
  #entryOf(id: RunId): Instance | undefined {
    const entry = this.#instances.get(id.slice(0, id.lastIndexOf('.')) as InstanceId)
    return entry?.file?.id === id ? entry : undefined
  }

  /** All of an Instance that has no process any more goes, its logs excepted. */
  async #end(entry: Instance): Promise<void> {
    const { shims, trees, logs, trash } = this.#parts
    await shims.end(entry)
    entry.watcher?.close()
    entry.watcher = undefined
    await trees.dissolve(entry.id)
    await logs.retire(entry.id)
    // The run directory goes last: as long as it is there, the next server knows that something is left to do.
    await trash.discard(this.#dir.temporary(entry.id))
    await trash.discard(this.#dir.directory(entry.id))
  }

  #writeNote(entry: Instance, note: string): void {
    if (entry.note === note) return
    writeNote(this.#dir.file(entry.id, 'note'), entry.noteSequence + 1, note)
    entry.noteSequence += 1
    entry.note = note
  }

  #shimsUp(): ReadonlyMap<number, number> {
    const shims = [...this.#instances.keys()].flatMap((id) => this.#dir.readShim(id) ?? [])
    return new Map(shims.map((shim) => [shim.pid, shim.startTime]))
  }
}

/** An Instance of which nothing was ever stored, such as one whose first start failed, isn't there. */
function isKnown(entry: Instance): boolean {
  return entry.run !== undefined || entry.note !== undefined || entry.file !== undefined
}
