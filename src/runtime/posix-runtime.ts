import { spawn as spawnProcess } from 'node:child_process'
import { mkdirSync, rmSync, watch } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { findCgroupBase } from './cgroup.ts'
import { type Child, type ChildEnd, type ChildOptions, runTool } from './child.ts'
import { runExec } from './exec.ts'
import { checkPermitted, findTools, type HostTools, hostGapsOf } from './host.ts'
import { resolveIdentity } from './identity.ts'
import { Instance } from './instance.ts'
import { launchText, quote } from './launch-chain.ts'
import { Launcher } from './launcher.ts'
import { LogStore } from './log-store.ts'
import { observe, runOf } from './observe.ts'
import { bootId, commandLineOf, isAlive, type ProcessIdentity, protectFromOom, readPidFile, readStat } from './proc-stat.ts'
import { CgroupTrees, isLive, type ProcessTrees, pause, ScannedTrees, sendSignal, signalProcess } from './process-tree.ts'
import { readAs } from './read-as.ts'
import { checkFiles, resolveCommand } from './resolve-command.ts'
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
import { signalNumber } from './signals.ts'
import { type ExtraFile, type RunFile, StateDir } from './state-dir.ts'
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

const SPARE_FIFOS = 64
const SHIM_TIMEOUT: Millis = 10_000
const START_TIMEOUT: Millis = 60_000
const RELIST_INTERVAL: Millis = 30_000
/** The loop's own pulse: when it comes late by this much, file events may have been dropped. */
const PULSE: Millis = 1_000
const STALL: Millis = 100
/** A daemon writes its pid file about when its first process ends, a little later at most. */
const PID_FILE_TIMEOUT: Millis = 10_000
/** Instances looked at before others get a turn. */
const SLICE = 50

class PosixRuntime implements ProcessRuntime {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #options: PosixRuntimeOptions
  readonly #dir: StateDir
  readonly #instances = new Map<InstanceId, Instance>()
  readonly #listeners = new Set<(instance: InstanceId) => void>()
  readonly #boot = bootId()
  readonly #stopped = new AbortController()
  #host: HostTools | undefined
  #trees: ProcessTrees | undefined
  #launcher: Launcher | undefined
  #logs: LogStore | undefined
  #gaps: readonly HostGap[] = []
  #spares: Promise<void> | undefined
  #cancelPulse: (() => void) | undefined
  #relisting: Promise<void> | undefined
  #lastRelist: Millis = 0

  constructor(options: PosixRuntimeOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#log = options.log
    this.#dir = new StateDir(options.dataDir)
  }

  async open(): Promise<void> {
    const { dataDir } = this.#options
    const host = findTools()
    this.#host = host
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    this.#dir.prepare()
    const ids = this.#dir.instances()
    for (const id of ids) this.#instances.set(id, new Instance(id))
    const shims = new Map<number, ProcessIdentity>()
    for (const id of ids) {
      const shim = this.#dir.readShim(id)
      if (shim !== undefined) shims.set(shim.pid, shim)
    }
    this.#launcher = new Launcher({
      directory: this.#dir.root,
      shell: host.shell,
      spawn: spawnChild,
      clock: this.#clock,
      bootId: this.#boot,
      isShim: (identity) => shims.get(identity.pid)?.startTime === identity.startTime || this.#isShim(identity),
    })
    await this.#launcher.takeOver()

    const base = this.#options.cgroups === false ? undefined : findCgroupBase(dataDir)
    const scanned = new ScannedTrees({ clock: this.#clock })
    const grouped = base === undefined ? undefined : new CgroupTrees({ base, clock: this.#clock })
    this.#trees = grouped ?? scanned
    this.#gaps = [
      ...hostGapsOf(host),
      ...(grouped === undefined
        ? [
            {
              field: 'processTree',
              message: 'processTree: no writable cgroup2 hierarchy, so a process that forks very fast may get away when it is stopped',
            },
          ]
        : []),
    ]
    await grouped?.sweep(new Set<string>(ids))
    await scanned.killMarked((marker) => {
      const [instance, kind] = marker.split('.exec-')
      return kind !== undefined && this.#instances.has(instance as InstanceId)
    })
    this.#logs = new LogStore({
      dataDir,
      clock: this.#clock,
      log: this.#log,
      host,
      spawn: spawnChild,
      retention: this.#options.logRetention,
    })
    await this.#logs.open()
    for (const [index, entry] of [...this.#instances.values()].entries()) {
      await this.#adopt(entry)
      if (index % SLICE === SLICE - 1) await turn()
    }
    this.#lastRelist = this.#clock.monotonic()
    this.#pulse()
  }

  async close(): Promise<void> {
    this.#stopped.abort()
    this.#cancelPulse?.()
    for (const entry of this.#instances.values()) {
      entry.watcher?.close()
      entry.wake()
    }
    for (const entry of this.#instances.values()) await entry.exclusively(async () => {})
    await this.#relisting
    await this.#launcher?.close()
    await this.#logs?.close()
  }

  start(config: RunConfig): Promise<Run> {
    const attempt = attemptOf(config.id)
    if (config.id !== `${config.instance}.${attempt}` || !Number.isSafeInteger(attempt) || attempt < 1) {
      throw new Error(`Run ${config.id} is not one of Instance ${config.instance}`)
    }
    const entry = this.#entry(config.instance)
    return entry.exclusively(() => this.#start(entry, config, attempt))
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
    const members = await this.#hosted.trees.members(entry.root)
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
    await this.#hosted.trees.kill(entry.root)
    // The shim writes its record a moment after the program has gone.
    await this.#until(entry, START_TIMEOUT, async () => (await this.#refresh(entry))?.state !== 'running')
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
    await entry.exclusively(async () => {
      if (!this.#instances.has(instance)) return
      const run = await this.#refresh(entry)
      if (run?.state === 'running' || run?.leftovers) throw new Error(`${run.id} is alive and can't be removed`)
      if (this.#dir.command(instance, 'end\n')) await this.#endShim(entry)
      entry.watcher?.close()
      await this.#hosted.trees.dissolve(instance)
      this.#hosted.trees.forget(entry.root)
      this.#hosted.logs.retire(instance)
      this.#dir.remove(instance)
      this.#instances.delete(instance)
    })
    this.#publish(instance)
  }

  async list(): Promise<readonly InstanceRecord[]> {
    const records: InstanceRecord[] = []
    for (const [index, entry] of [...this.#instances.values()].entries()) {
      await this.#refresh(entry)
      if (this.#instances.has(entry.id)) records.push(recordOf(entry))
      if (index % SLICE === SLICE - 1) await turn()
    }
    return records
  }

  async get(instance: InstanceId): Promise<InstanceRecord | undefined> {
    const entry = this.#instances.get(instance)
    if (entry === undefined) return undefined
    await this.#refresh(entry)
    return recordOf(entry)
  }

  async saveNote(instance: InstanceId, note: string): Promise<void> {
    const entry = this.#entry(instance)
    this.#dir.createDirectory(instance)
    this.#dir.writeFile(instance, 'note', note)
    entry.note = note
  }

  changes(signal: AbortSignal): AsyncIterable<InstanceId> {
    return changesOf(this.#listeners, AbortSignal.any([signal, this.#stopped.signal]))
  }

  configureLogs(instance: InstanceId, logs: LogConfig): void {
    this.#hosted.logs.configure(instance, logs)
  }

  logs(instance: InstanceId, options: LogOptions): AsyncIterable<Uint8Array> {
    return this.#hosted.logs.read(instance, { ...options, signal: AbortSignal.any([options.signal, this.#stopped.signal]) })
  }

  tail(instance: InstanceId, bytes: number): Promise<string> {
    return this.#hosted.logs.tail(instance, bytes)
  }

  async usage(id: RunId): Promise<Usage | undefined> {
    const entry = this.#entryOf(id)
    if (entry === undefined) return undefined
    const run = await this.#refresh(entry)
    if (run?.state !== 'running') return undefined
    return usageOf(await this.#hosted.trees.members(entry.root))
  }

  async exec(config: ExecConfig, signal: AbortSignal): Promise<ExecResult> {
    const { host, trees } = this.#hosted
    checkPermitted(config, host)
    const program = await checkFiles(config)
    return runExec(config, { spawn: spawnChild, host, trees, clock: this.#clock, program }, signal)
  }

  readFileAs(path: string, identity: Identity | undefined): Promise<string> {
    return readAs(path, identity, { host: this.#hosted.host, spawn: spawnChild })
  }

  resolveIdentity(request: {
    readonly user?: string | number
    readonly group?: string | number
    readonly supplementalGroups?: readonly (string | number)[]
  }): Promise<Identity> {
    const { host } = this.#hosted
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
    return this.#gaps
  }

  get #hosted(): { host: HostTools; trees: ProcessTrees; launcher: Launcher; logs: LogStore } {
    const [host, trees, launcher, logs] = [this.#host, this.#trees, this.#launcher, this.#logs]
    if (host === undefined || trees === undefined || launcher === undefined || logs === undefined)
      throw new Error('The runtime is not open')
    return { host, trees, launcher, logs }
  }

  #entry(id: InstanceId): Instance {
    this.#dir.directory(id)
    const known = this.#instances.get(id)
    if (known !== undefined) return known
    const entry = new Instance(id)
    this.#instances.set(id, entry)
    return entry
  }

  /** The Instance whose newest run this is. */
  #entryOf(id: RunId): Instance | undefined {
    const entry = this.#instances.get(id.slice(0, id.lastIndexOf('.')) as InstanceId)
    return entry?.file?.id === id ? entry : undefined
  }

  #isShim(identity: ProcessIdentity): boolean {
    for (const entry of this.#instances.values()) {
      if (entry.shim?.pid === identity.pid && entry.shim.startTime === identity.startTime) return true
    }
    return false
  }

  async #start(entry: Instance, config: RunConfig, attempt: number): Promise<Run> {
    const { host, logs } = this.#hosted
    const before = await this.#refresh(entry)
    if (before?.id === config.id) return before
    if (before !== undefined) {
      if (attempt <= attemptOf(before.id)) throw new Error(`Run ${config.id} is older than ${before.id}`)
      if (before.state === 'running') throw new Error(`${before.id} still lives: ${config.id} would be a second run of ${config.name}`)
      if (before.leftovers && config.forking === undefined)
        throw new Error(`${before.id} left processes behind: end them before ${config.id}`)
    }
    checkPermitted(config, host)
    const program = await checkFiles(config)
    const env = { ...config.env, PMK_RUN: config.id }
    const secondFile = this.#dir.file(entry.id, `${attempt}.env`)
    const files = logs.paths(entry.id)
    const text = launchText(
      { ...config, env },
      {
        host,
        program,
        secondInput: `<${quote(secondFile)}`,
        setsid: true,
        ...(config.logs.mergeStderr ? {} : { prologue: `exec 2>>${quote(files.err)}` }),
      },
    )
    try {
      await this.#ensureShim(entry)
      logs.beginRun(config, attempt)
    } catch (err) {
      throw err instanceof StartError
        ? err
        : new StartError('HostFailure', `${config.name} can't be started: ${messageOf(err)}`, { cause: err })
    }
    const file: RunFile = {
      id: config.id,
      attempt,
      startedAt: this.#clock.now(),
      startedAtMonotonic: this.#clock.monotonic(),
      bootId: this.#boot,
      namespace: config.namespace,
      name: config.name,
      logs: config.logs,
      ...(config.forking === undefined ? {} : { pidFile: config.forking.pidFile }),
    }
    this.#dir.writeFile(entry.id, `${attempt}.sh`, text.main)
    if (text.second !== undefined) this.#dir.writeFile(entry.id, `${attempt}.env`, text.second)
    // From here on the run exists: a server that takes over sends the command again.
    this.#dir.writeFile(entry.id, 'run.json', JSON.stringify(file))
    this.#hosted.trees.forget(entry.root)
    entry.file = file
    entry.run = undefined
    entry.main = undefined
    entry.settled = false
    return this.#command(entry, file)
  }

  /** Sends `run N` until the attempt shows; a shim that has had it ignores the second. */
  async #command(entry: Instance, file: RunFile): Promise<Run> {
    if (!this.#dir.command(entry.id, `run ${file.attempt}\n`)) {
      await this.#ensureShim(entry)
      if (!this.#dir.command(entry.id, `run ${file.attempt}\n`))
        throw new StartError('HostFailure', `The shim of ${file.name} ended at once`)
    }
    const run = await this.#until(entry, START_TIMEOUT, async () => this.#refresh(entry))
    if (run === undefined) throw new StartError('HostFailure', `${file.name}: its shim takes no command`)
    this.#dropLaunchFiles(entry, file.attempt)
    this.#publish(entry.id)
    return run
  }

  /** A shim reads the FIFO when this resolves, in its cgroup. */
  async #ensureShim(entry: Instance): Promise<void> {
    const { host, trees, launcher, logs } = this.#hosted
    if (this.#dir.isComplete(entry.id, this.#boot) && this.#dir.hasShim(entry.id)) return
    if (!this.#dir.isComplete(entry.id, this.#boot)) {
      await this.#refillSpares()
      logs.create(entry.id)
      this.#dir.layOut(entry.id, this.#boot, logs.paths(entry.id).log)
    }
    this.#watch(entry)
    for (let tries = 0; tries < 2; tries++) {
      const old = this.#dir.readShim(entry.id)
      await launcher.request(this.#dir.directory(entry.id))
      const shim = await this.#until(entry, SHIM_TIMEOUT, async () => {
        const stat = this.#dir.readShim(entry.id)
        const isNew = stat !== undefined && (stat.pid !== old?.pid || stat.startTime !== old.startTime)
        return isNew && this.#dir.hasShim(entry.id) ? stat : undefined
      })
      if (shim === undefined) {
        // No shim may come late, or there would be two.
        await launcher.reset()
        if (!this.#dir.hasShim(entry.id)) continue
      }
      entry.shim = shim ?? this.#dir.readShim(entry.id)
      if (entry.shim === undefined) continue
      await trees.enlist(entry.root, entry.shim.pid)
      if (host.protectsShims) await protectFromOom(entry.shim.pid)
      return
    }
    throw new StartError('HostFailure', 'No shim comes up: the host may be out of processes or memory')
  }

  async #refillSpares(): Promise<void> {
    if (this.#dir.spareFifos > 0) return
    this.#spares ??= this.#makeSpares().finally(() => {
      this.#spares = undefined
    })
    await this.#spares
    // Others that waited may have taken them all.
    await this.#refillSpares()
  }

  async #makeSpares(): Promise<void> {
    const paths = this.#dir.sparePaths(SPARE_FIFOS)
    const mkfifo = this.#hosted.host.tools.get('mkfifo') ?? 'mkfifo'
    const { code, stderr } = await runTool(spawnChild, mkfifo, ['-m', '600', '--', ...paths])
    if (code !== 0) throw new StartError('HostFailure', `mkfifo: ${stderr}`)
    this.#dir.addSpares(paths)
  }

  #watch(entry: Instance): void {
    if (entry.watcher !== undefined) return
    try {
      entry.watcher = watch(this.#dir.directory(entry.id), { persistent: false }, (_event, name) => {
        if (name !== 'exit' && name !== 'pid' && name !== 'shim') return
        entry.wake()
        // Hints only: a failure to look now is found by the relist.
        if (name === 'exit')
          this.#refresh(entry).catch((err: unknown) => this.#log.warn({ instance: entry.id, err }, 'Could not look at an Instance'))
      })
      entry.watcher.on('error', (err) => this.#log.warn({ instance: entry.id, err }, 'Lost the watch on an Instance'))
    } catch (err) {
      this.#log.warn({ instance: entry.id, err }, 'No watch on an Instance: its deaths are noticed by relisting')
    }
  }

  /** Looks at records and processes and takes over what they say. Gives the newest run. */
  async #refresh(entry: Instance): Promise<Run | undefined> {
    const file = entry.file
    if (file === undefined || (entry.settled && entry.run !== undefined)) return entry.run
    let seen = observe(entry.id, file, entry.extra, { dir: this.#dir, clock: this.#clock, bootId: this.#boot })
    if (seen.state === 'lost' || seen.state === 'daemon gone') {
      const reason = seen.state === 'daemon gone' ? 'Forked' : entry.killed === file.id ? 'Killed' : 'ShimLost'
      this.#saveExtra(entry, { attempt: file.attempt, end: { reason, at: this.#clock.now(), monotonic: this.#clock.monotonic() } })
      seen = observe(entry.id, file, entry.extra, { dir: this.#dir, clock: this.#clock, bootId: this.#boot })
    } else if (seen.state === 'exited' && seen.exit.by === 'unknown' && seen.exit.reason === 'Reboot' && entry.extra?.end === undefined) {
      this.#saveExtra(entry, { attempt: file.attempt, end: { reason: 'Reboot', at: this.#clock.now(), monotonic: 0 } })
    }
    if (seen.state === 'running' || seen.state === 'ending') entry.main = seen.main
    if (seen.state === 'forked') entry.main = seen.first
    if (seen.state === 'forked' || (seen.state === 'running' && (!seen.supervised || file.pidFile !== undefined))) this.#follow(entry, file)
    let leftovers = false
    if (seen.state === 'exited' && file.bootId === this.#boot) {
      entry.main ??= this.#dir.readPid(entry.id, file.attempt)
      leftovers = (await this.#hosted.trees.members(entry.root)).length > 0
      // The world went on while the table was read.
      if (entry.file !== file) return entry.run
    }
    const before = entry.run
    const fresh = runOf(file, this.#boot, seen, leftovers)
    // The end is told once: worked out anew each time, it would waver by the clock's grain.
    const run = fresh?.state === 'exited' && before?.state === 'exited' ? { ...before, leftovers } : fresh
    entry.run = run
    entry.settled = seen.state === 'exited' && !leftovers
    if (run?.state === 'exited' && before?.state !== 'exited') this.#hosted.logs.endRun(entry.id)
    if (before !== undefined && differs(before, run)) this.#publish(entry.id)
    return run
  }

  #saveExtra(entry: Instance, extra: ExtraFile): void {
    this.#dir.writeFile(entry.id, 'extra.json', JSON.stringify(extra))
    entry.extra = extra
  }

  /** Looks after a run whose end no record tells: a daemon, or the orphan of a lost shim. */
  #follow(entry: Instance, file: RunFile): void {
    if (entry.followed) return
    entry.followed = true
    const step = async (): Promise<void> => {
      if (this.#stopped.signal.aborted || entry.file !== file || !this.#instances.has(entry.id)) return
      const seen = observe(entry.id, file, entry.extra, { dir: this.#dir, clock: this.#clock, bootId: this.#boot })
      if (seen.state === 'forked') await this.#findDaemon(entry, file, seen.since, seen.first)
      const run = await this.#refresh(entry)
      if (run?.state !== 'running') return
      await pause(this.#clock, seen.state === 'forked' ? 50 : 1_000)
      await step()
    }
    step()
      .catch((err: unknown) => this.#log.warn({ instance: entry.id, err }, 'Could not follow a process'))
      .finally(() => {
        entry.followed = false
      })
  }

  /** Reads the pid file and takes the process named there, if it is one of this run's tree. */
  async #findDaemon(entry: Instance, file: RunFile, since: Millis, first: ProcessIdentity): Promise<void> {
    const named = await readPidFile(file.pidFile ?? '')
    const stat = named === undefined ? undefined : readStat(named)
    if (stat !== undefined && isLive(stat) && stat.startTime >= first.startTime) {
      const members = await this.#hosted.trees.members({ ...entry.root, leader: first })
      if (members.some((member) => member.pid === stat.pid && member.startTime === stat.startTime)) {
        this.#saveExtra(entry, { attempt: file.attempt, main: { pid: stat.pid, startTime: stat.startTime } })
        return
      }
    }
    if (this.#clock.monotonic() - since < PID_FILE_TIMEOUT) return
    this.#log.warn({ instance: entry.id, pidFile: file.pidFile }, 'The pid file names no process of this run')
    this.#saveExtra(entry, { attempt: file.attempt, end: { reason: 'Forked', at: this.#clock.now(), monotonic: this.#clock.monotonic() } })
  }

  async #adopt(entry: Instance): Promise<void> {
    const { logs, trees } = this.#hosted
    entry.note = this.#dir.readText(entry.id, 'note')
    entry.file = this.#dir.readJson<RunFile>(entry.id, 'run.json')
    entry.extra = this.#dir.readJson<ExtraFile>(entry.id, 'extra.json')
    const file = entry.file
    if (file === undefined) return
    if (file.bootId === this.#boot) this.#watch(entry)
    if (this.#dir.isComplete(entry.id, this.#boot) && this.#dir.hasShim(entry.id)) {
      const shim = this.#dir.readShim(entry.id)
      if (shim !== undefined && isAlive(shim)) {
        entry.shim = shim
        // A shim of a server that knew no cgroups comes into its group now, with all it has.
        for (const member of await trees.members(entry.root)) await trees.enlist(entry.root, member.pid)
        await trees.enlist(entry.root, shim.pid)
      }
    }
    logs.adopt(entry.id, file)
    await entry.exclusively(async () => {
      const run = await this.#refresh(entry)
      if (run === undefined) {
        await this.#command(entry, file).catch((err: unknown) => {
          this.#log.error({ instance: entry.id, err }, 'Could not finish a start that an earlier server began')
        })
      } else {
        this.#dropLaunchFiles(entry, file.attempt)
      }
    })
  }

  /** The launch files hold secrets. They have been read when the process shows another command than the shim's. */
  #dropLaunchFiles(entry: Instance, attempt: number, wait: Millis = 1): void {
    const drop = (): void => {
      for (const kind of ['sh', 'env']) rmSync(this.#dir.file(entry.id, `${attempt}.${kind}`), { force: true })
    }
    const main = entry.main
    if (entry.file?.attempt !== attempt || main === undefined || entry.run?.state !== 'running') {
      drop()
      return
    }
    const own = commandLineOf(main.pid)
    const hasLeftShell = own === undefined || !own.includes('pmk-launcher')
    if (hasLeftShell || !isAlive(main)) drop()
    else if (!this.#stopped.signal.aborted)
      this.#clock.schedule(wait, () => this.#dropLaunchFiles(entry, attempt, Math.min(wait * 2, 1_000)))
  }

  async #endShim(entry: Instance): Promise<void> {
    const gone = await this.#until(entry, 2_000, async () => !this.#dir.hasShim(entry.id))
    if (gone) return
    const shim = this.#dir.readShim(entry.id)
    if (shim !== undefined) signalProcess(shim, 9)
    await this.#until(entry, SHIM_TIMEOUT, async () => !this.#dir.hasShim(entry.id))
  }

  /** Waits for `probe` to give something, asked again at each file event and from time to time. Undefined at the timeout. */
  async #until<T>(entry: Instance, timeout: Millis, probe: () => Promise<T | undefined | false>): Promise<T | undefined> {
    const end = this.#clock.monotonic() + timeout
    for (let wait = 1; ; wait = Math.min(wait * 2, 20)) {
      let woken = false
      let wake = (): void => {
        woken = true
      }
      const off = entry.onWake(() => wake())
      try {
        const found = await probe()
        if (found !== undefined && found !== false) return found
        if (this.#clock.monotonic() > end || this.#stopped.signal.aborted) return undefined
        if (woken) continue
        await new Promise<void>((resolve) => {
          const cancel = this.#clock.schedule(wait, resolve)
          wake = () => {
            cancel()
            resolve()
          }
        })
      } finally {
        off()
      }
    }
  }

  #publish(instance: InstanceId): void {
    for (const listener of [...this.#listeners]) listener(instance)
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
    for (const [index, entry] of [...this.#instances.values()].entries()) {
      if (this.#stopped.signal.aborted) return
      if (entry.file !== undefined) await this.#refresh(entry)
      if (index % SLICE === SLICE - 1) await turn()
    }
    this.#hosted.logs.sweep()
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

async function* changesOf(listeners: Set<(instance: InstanceId) => void>, signal: AbortSignal): AsyncGenerator<InstanceId> {
  const pending = new Set<InstanceId>()
  let resume = (): void => {}
  const listener = (instance: InstanceId): void => {
    pending.add(instance)
    resume()
  }
  const stop = (): void => resume()
  listeners.add(listener)
  signal.addEventListener('abort', stop, { once: true })
  try {
    while (!signal.aborted) {
      const [next] = pending
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          resume = resolve
        })
        continue
      }
      pending.delete(next)
      yield next
    }
  } finally {
    listeners.delete(listener)
    signal.removeEventListener('abort', stop)
  }
}

function recordOf(entry: Instance): InstanceRecord {
  return { instance: entry.id, run: entry.run, note: entry.note }
}

function differs(a: Run, b: Run | undefined): boolean {
  if (b === undefined || a.state !== b.state) return true
  if (a.state === 'running' && b.state === 'running') return a.pid !== b.pid || a.supervised !== b.supervised
  return a.state === 'exited' && b.state === 'exited' && a.leftovers !== b.leftovers
}

function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : String(err)
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
