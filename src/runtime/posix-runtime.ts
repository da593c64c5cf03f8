import { spawn as spawnProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { type Child, type ChildEnd, type ChildOptions, runTool } from './child.ts'
import { runExec } from './exec.ts'
import { Hints } from './hints.ts'
import { checkPermitted, findTools, type HostTools, hostGapsOf } from './host.ts'
import { resolveIdentity } from './identity.ts'
import { Instance } from './instance.ts'
import { launchText, quote } from './launch-chain.ts'
import { LaunchFiles } from './launch-files.ts'
import { Launcher } from './launcher.ts'
import { LogStore } from './log-store.ts'
import { bootId, inheritedDescriptors, isAlive, readStat } from './proc-stat.ts'
import { KILL_TIMEOUT, type ProcessTrees, sendSignal, signalProcess } from './process-tree.ts'
import { readAs } from './read-as.ts'
import { checkFiles, resolveCommand } from './resolve-command.ts'
import { RunObserver } from './run-observer.ts'
import {
  attemptOf,
  type ExecConfig,
  type ExecResult,
  type HostGap,
  type Identity,
  type InstanceId,
  type InstanceRecord,
  type LogConfig,
  type LogOptions,
  type ProcessRuntime,
  type Run,
  type RunConfig,
  type RunId,
  type SignalName,
  type SignalScope,
  StartError,
  type Usage,
} from './runtime.ts'
import { ShimKeeper } from './shim-keeper.ts'
import { signalNumber } from './signals.ts'
import { type ExtraFile, type RunFile, StateDir } from './state-dir.ts'
import { openTrees } from './trees.ts'
import { usageOf } from './usage.ts'

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
const START_TIMEOUT: Millis = 60_000
const RELIST_INTERVAL: Millis = 30_000
/** The loop's own pulse: when it comes late by this much, file events may have been dropped. */
const PULSE: Millis = 1_000
const STALL: Millis = 100
/** Instances looked at before others get a turn. */
const SLICE = 50

/** What there is only after `open`. */
interface Parts {
  readonly host: HostTools
  readonly trees: ProcessTrees
  readonly launcher: Launcher
  readonly logs: LogStore
  readonly shims: ShimKeeper
  readonly observer: RunObserver
  readonly gaps: readonly HostGap[]
}

class PosixRuntime implements ProcessRuntime {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #options: PosixRuntimeOptions
  readonly #dir: StateDir
  readonly #files: LaunchFiles
  readonly #instances = new Map<InstanceId, Instance>()
  readonly #hints = new Hints()
  readonly #boot = bootId()
  readonly #stopped = new AbortController()
  #open: Parts | undefined
  #cancelPulse: (() => void) | undefined
  #relisting: Promise<void> | undefined
  #lastRelist: Millis = 0

  constructor(options: PosixRuntimeOptions) {
    this.#options = { ...options, dataDir: resolve(options.dataDir) }
    this.#clock = options.clock
    this.#log = options.log
    this.#dir = new StateDir(this.#options.dataDir)
    this.#files = new LaunchFiles({ dir: this.#dir, clock: this.#clock, signal: this.#stopped.signal })
  }

  async open(): Promise<void> {
    const { dataDir, cgroups, logRetention = LOG_RETENTION } = this.#options
    const [clock, log, dir, signal] = [this.#clock, this.#log, this.#dir, this.#stopped.signal]
    const host = findTools()
    const inherited = inheritedDescriptors()
    if (inherited.length > 0) log.warn({ inherited }, 'The server was started with open descriptors, which every program inherits')
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    dir.prepare()
    const ids = dir.instances()
    for (const id of ids) {
      const entry = new Instance(id)
      entry.shim = dir.readShim(id)
      this.#instances.set(id, entry)
    }
    const shimsUp = (): ReadonlyMap<number, number> => this.#shimsUp()
    const launcher = new Launcher({ directory: dir.root, shell: host.shell, spawn: spawnChild, clock, bootId: this.#boot, shims: shimsUp })
    await launcher.takeOver()
    const known = new Set(ids)
    const { trees, gaps } = await openTrees({ dataDir, clock, host, spawn: spawnChild, launcher, known, cgroups: cgroups ?? true })
    const logs = new LogStore({ dataDir, clock, log, host, spawn: spawnChild, retention: logRetention })
    await logs.open(known)
    const ended = (entry: Instance): Promise<void> => logs.endRun(entry.id)
    const observer = new RunObserver({ dir, trees, clock, log, bootId: this.#boot, hints: this.#hints, signal, ended })
    const shims = new ShimKeeper({
      ...{ dir, host, trees, launcher, spawn: spawnChild, clock, bootId: this.#boot, signal },
      logPath: (entry) => logs.paths(entry.id).log,
      watch: (entry) => observer.watch(entry),
    })
    this.#open = { host, trees, launcher, logs, shims, observer, gaps: [...hostGapsOf(host), ...gaps, ...logs.gaps] }
    for (const entry of this.#instances.values()) await this.#adopt(entry)
    this.#lastRelist = clock.monotonic()
    this.#pulse()
  }

  async close(): Promise<void> {
    this.#stopped.abort()
    this.#cancelPulse?.()
    for (const entry of this.#instances.values()) {
      entry.watcher?.close()
      entry.watcher = undefined
      entry.wake()
      await entry.exclusively(async () => {})
    }
    await this.#relisting
    if (this.#open === undefined) return
    await this.#open.launcher.close()
    await this.#open.logs.close()
    this.#open.trees.close()
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
      return this.#start(entry, config, attempt)
    })
  }

  async signal(id: RunId, signal: SignalName, scope: SignalScope): Promise<number> {
    const number = signalNumber(signal)
    if (number === undefined) throw new Error(`There is no signal ${signal}`)
    const entry = this.#entryOf(id)
    if (entry === undefined) return 0
    await this.#refresh(entry)
    if (number === 9) entry.killed = id
    if (scope === 'Main') {
      return entry.run?.state === 'running' && entry.main !== undefined && signalProcess(entry.main, number) ? 1 : 0
    }
    const members = await this.#parts.trees.members(entry.root)
    if (scope === 'Tree') return members.filter((member) => signalProcess(member, number)).length
    const pgrp = entry.main?.pid
    const group = members.filter((member) => member.pgrp === pgrp)
    // One call reaches all of a group at once, those it forks meanwhile included.
    const first = group[0]
    if (first === undefined || pgrp === undefined || readStat(first.pid)?.pgrp !== pgrp) return 0
    return sendSignal(-pgrp, number) ? group.length : 0
  }

  async killTree(id: RunId): Promise<void> {
    const entry = this.#entryOf(id)
    if (entry === undefined) return
    await this.#refresh(entry)
    if (entry.settled) return
    entry.killed = id
    await this.#parts.trees.kill(entry.root)
    // The shim writes its record a moment after the program has gone.
    const isOver = await this.#until(entry, KILL_TIMEOUT, async () =>
      (await this.#refresh(entry))?.state === 'running' ? undefined : true,
    )
    if (isOver === undefined && !this.#stopped.signal.aborted) throw new Error(`${id} is still there after SIGKILL`)
  }

  async treeAlive(id: RunId): Promise<boolean> {
    const entry = this.#entryOf(id)
    if (entry === undefined) return false
    const run = await this.#refresh(entry)
    return run !== undefined && (run.state === 'running' || run.leftovers)
  }

  async remove(instance: InstanceId): Promise<void> {
    const entry = this.#instances.get(instance)
    if (entry === undefined) return
    const { shims, trees, logs } = this.#parts
    await entry.exclusively(async () => {
      if (!this.#instances.has(instance)) return
      const run = await this.#refresh(entry)
      if (run?.state === 'running' || run?.leftovers) throw new Error(`${run.id} is alive and can't be removed`)
      await shims.end(entry)
      entry.watcher?.close()
      entry.watcher = undefined
      await trees.dissolve(instance)
      await logs.retire(instance)
      this.#dir.remove(instance)
      this.#instances.delete(instance)
      entry.removed = true
    })
    this.#hints.publish(instance)
  }

  async list(): Promise<readonly InstanceRecord[]> {
    const entries = [...this.#instances.values()]
    const records: InstanceRecord[] = []
    for (let start = 0; start < entries.length; start += SLICE) {
      const slice = entries.slice(start, start + SLICE)
      // Together, so that they share one look at the process table.
      await Promise.all(slice.map((entry) => this.#refresh(entry)))
      for (const entry of slice) if (!entry.removed && isKnown(entry)) records.push(entry.record)
      await turn()
    }
    return records
  }

  async get(instance: InstanceId): Promise<InstanceRecord | undefined> {
    const entry = this.#instances.get(instance)
    if (entry === undefined) return undefined
    await this.#refresh(entry)
    return isKnown(entry) ? entry.record : undefined
  }

  async saveNote(instance: InstanceId, note: string): Promise<void> {
    const entry = this.#entry(instance)
    this.#dir.createDirectory(instance)
    this.#dir.writeFile(instance, 'note', note)
    entry.note = note
  }

  changes(signal: AbortSignal): AsyncIterable<InstanceId> {
    return this.#hints.iterate(AbortSignal.any([signal, this.#stopped.signal]))
  }

  configureLogs(instance: InstanceId, logs: LogConfig): void {
    this.#parts.logs.configure(instance, logs)
  }

  logs(instance: InstanceId, options: LogOptions): AsyncIterable<Uint8Array> {
    return this.#parts.logs.read(instance, { ...options, signal: AbortSignal.any([options.signal, this.#stopped.signal]) })
  }

  tail(instance: InstanceId, bytes: number): Promise<string> {
    return this.#parts.logs.tail(instance, bytes)
  }

  async usage(id: RunId): Promise<Usage | undefined> {
    const entry = this.#entryOf(id)
    if (entry === undefined) return undefined
    const run = await this.#refresh(entry)
    if (run?.state !== 'running') return undefined
    const { trees } = this.#parts
    const cpu = trees.cpuSeconds(entry.root)
    const usage = usageOf(await trees.members(entry.root))
    const base = entry.file?.cpuBase
    return cpu === undefined || base === undefined ? usage : { ...usage, cpuSeconds: Math.max(0, cpu - base) }
  }

  async exec(config: ExecConfig, signal: AbortSignal): Promise<ExecResult> {
    const { host, trees } = this.#parts
    checkPermitted(config, host)
    const program = await checkFiles(config)
    return runExec(config, { spawn: spawnChild, host, trees, clock: this.#clock, program }, signal)
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
    return this.#parts.gaps
  }

  get #parts(): Parts {
    if (this.#open === undefined) throw new Error('The runtime is not open')
    return this.#open
  }

  #refresh(entry: Instance): Promise<Run | undefined> {
    return this.#parts.observer.refresh(entry)
  }

  #until<T>(entry: Instance, timeout: Millis, probe: () => Promise<T | undefined>): Promise<T | undefined> {
    return entry.until({ clock: this.#clock, timeout, signal: this.#stopped.signal }, probe)
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

  #shimsUp(): ReadonlyMap<number, number> {
    const shims = [...this.#instances.keys()].flatMap((id) => this.#dir.readShim(id) ?? [])
    return new Map(shims.map((shim) => [shim.pid, shim.startTime]))
  }

  async #start(entry: Instance, config: RunConfig, attempt: number): Promise<Run> {
    const { host, logs, shims, trees } = this.#parts
    const before = await this.#refresh(entry)
    if (before?.id === config.id) return before
    checkTurn(config, attempt, before)
    checkPermitted(config, host)
    const program = await checkFiles(config)
    const env = { ...config.env, PMK_RUN: config.id }
    const prologue = config.logs.mergeStderr ? {} : { prologue: `exec 2>>${quote(logs.paths(entry.id).err)}` }
    const secondInput = `<${quote(this.#files.secondPath(entry, attempt))}`
    const text = launchText({ ...config, env }, { host, program, secondInput, setsid: true, ...prologue })
    try {
      await logs.beginRun(config, attempt)
      await shims.ensure(entry)
    } catch (err) {
      throw err instanceof StartError
        ? err
        : new StartError('HostFailure', `${config.name} can't be started: ${messageOf(err)}`, { cause: err })
    }
    trees.forget(entry.root)
    const file: RunFile = {
      id: config.id,
      attempt,
      startedAt: this.#clock.now(),
      startedAtMonotonic: this.#clock.monotonic(),
      bootId: this.#boot,
      name: config.name,
      logs: config.logs,
      ...(config.forking === undefined ? {} : { pidFile: config.forking.pidFile }),
    }
    this.#files.write(entry, attempt, text)
    // From here on the run exists: a server that takes over sends the command again.
    this.#dir.writeLine(entry.id, 'run.json', JSON.stringify(file))
    entry.file = file
    entry.run = undefined
    entry.main = undefined
    entry.settled = false
    return this.#command(entry, file)
  }

  /** Sends `run N` and waits for the attempt to show. A shim that has had the command ignores it. */
  async #command(entry: Instance, file: RunFile): Promise<Run> {
    const command = `run ${file.attempt}\n`
    if (!this.#dir.command(entry.id, command)) {
      await this.#parts.shims.ensure(entry)
      if (!this.#dir.command(entry.id, command)) throw new StartError('HostFailure', `The shim of ${file.name} ended at once`)
    }
    const run = await this.#until(entry, START_TIMEOUT, () => this.#refresh(entry))
    if (run === undefined) throw new StartError('HostFailure', `The shim of ${file.name} takes no command`)
    this.#files.drop(entry, file.attempt)
    const cpuBase = this.#parts.trees.cpuSeconds(entry.root)
    if (cpuBase !== undefined) {
      // Not before the start: reading it takes the kernel a while.
      const counted = { ...file, cpuBase }
      this.#dir.writeLine(entry.id, 'run.json', JSON.stringify(counted))
      entry.file = counted
    }
    this.#hints.publish(entry.id)
    return run
  }

  /** Takes over what an earlier server left of an Instance, without touching a program. */
  async #adopt(entry: Instance): Promise<void> {
    const { logs, observer, trees } = this.#parts
    entry.note = this.#dir.readText(entry.id, 'note')
    entry.file = this.#dir.readLine<RunFile>(entry.id, 'run.json')
    entry.extra = this.#dir.readLine<ExtraFile>(entry.id, 'extra.json')
    const file = entry.file
    const shim = entry.shim
    entry.shim = undefined
    if (file === undefined) return
    if (file.bootId === this.#boot) {
      // Before anything is read, or a death in between would be missed.
      observer.watch(entry)
      if (shim !== undefined && isAlive(shim) && this.#dir.hasShim(entry.id)) entry.shim = shim
    }
    await logs.adopt(entry.id, file.logs)
    await entry.exclusively(async () => {
      if (file.bootId === this.#boot) entry.main = this.#dir.readPid(entry.id, file.attempt)
      if (entry.shim !== undefined) await trees.adopt(entry.root, entry.shim.pid)
      const run = await this.#refresh(entry)
      if (run !== undefined) {
        this.#files.drop(entry, file.attempt)
        return
      }
      await this.#command(entry, file).catch((err: unknown) => {
        this.#log.error({ instance: entry.id, err }, 'Could not finish a start that an earlier server began')
      })
    })
  }

  #pulse(): void {
    const due = this.#clock.monotonic() + PULSE
    this.#cancelPulse = this.#clock.schedule(PULSE, () => {
      const now = this.#clock.monotonic()
      if ((now - due > STALL || now - this.#lastRelist >= RELIST_INTERVAL) && this.#relisting === undefined) {
        this.#lastRelist = now
        this.#relisting = this.#relist()
          .catch((err: unknown) => this.#log.error({ err }, 'Relist failed'))
          .finally(() => {
            this.#relisting = undefined
          })
      }
      this.#pulse()
    })
  }

  async #relist(): Promise<void> {
    await this.list()
    if (this.#stopped.signal.aborted) return
    const running = [...this.#instances.values()].filter((entry) => entry.run?.state === 'running')
    await this.#parts.trees.remember(running.map((entry) => entry.root))
    this.#parts.logs.sweep()
  }
}

async function spawnChild(options: ChildOptions): Promise<Child> {
  const { command, args, env, cwd, detached, stdio } = options
  const child = spawnProcess(command, [...args], { env: { ...env }, cwd, detached, stdio: [...stdio] })
  const ended = new Promise<ChildEnd>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined }))
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
  const pid = child.pid
  if (pid === undefined) throw new Error(`${command} has no pid`)
  const stream = (fd: number): Readable | Writable => {
    const found = child.stdio[fd]
    if (found === null || found === undefined) throw new Error(`Descriptor ${fd} of ${command} is no pipe`)
    return found
  }
  return {
    pid,
    ended,
    input: (fd) => stream(fd) as Writable,
    output: (fd) => stream(fd) as Readable,
    unref: () => {
      child.unref()
      for (const each of child.stdio) if (each && 'unref' in each && typeof each.unref === 'function') each.unref()
    },
  }
}

/** An Instance of which nothing was ever stored, such as one whose first start failed, isn't there. */
function isKnown(entry: Instance): boolean {
  return entry.run !== undefined || entry.note !== undefined || entry.file !== undefined
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

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
