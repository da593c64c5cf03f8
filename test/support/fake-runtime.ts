import { type Clock, epochOf } from '../../src/base/clock.ts'
import { Hints } from '../../src/runtime/hints.ts'
import {
  attemptOf,
  type ExecConfig,
  type ExecResult,
  type Exit,
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
  StartError,
  type Usage,
} from '../../src/runtime/runtime.ts'

/** How programs of one Instance behave. What is left out is what an ordinary program does. */
export interface FakeProgram {
  /** Signals it doesn't die of. KILL can't be among them. */
  readonly ignores?: readonly SignalName[]
  /** Signals that make it end with a code instead of dying of the signal. */
  readonly exitsOn?: Readonly<Record<SignalName, number>>
  /** How long it takes to die of a signal other than KILL. */
  readonly diesAfter?: number
  /** It ends by itself with `exitCode` (default 0) so long after its start; 0 is before `start` resolves. */
  readonly exitsAfter?: number
  readonly exitCode?: number
  /** It leaves processes behind when its main process ends. */
  readonly leavesBehind?: boolean
  /** What it writes at its start. */
  readonly output?: string
}

export type FakeExit = { readonly code: number } | { readonly signal: SignalName } | { readonly unknown: 'ShimLost' | 'Reboot' | 'Forked' }

/** What a scripted exec does: a result, `hang` (until its timeout or signal), or an Error to throw. */
export type FakeExec = ExecResult | 'hang' | StartError

export interface SentSignal {
  readonly run: RunId
  readonly signal: SignalName
  readonly scope: SignalScope
}

interface Written {
  readonly attempt: number
  readonly at: number
  readonly bytes: Uint8Array
}

interface Entry {
  readonly id: InstanceId
  config: RunConfig | undefined
  run: Run | undefined
  note: string | undefined
  logs: LogConfig | undefined
  output: Written[]
  cancel: (() => void) | undefined
}

const NOT_DEADLY: ReadonlySet<SignalName> = new Set(['CHLD', 'CONT', 'URG', 'WINCH', 'STOP', 'TSTP', 'TTIN', 'TTOU'])

/**
 * A machine with processes that exist in memory only. It keeps them over `close` and `open`, as a machine does over a
 * restart of the server. Tests name an Instance by its id, its name, or `namespace/name`.
 */
export class FakeRuntime implements ProcessRuntime {
  readonly #clock: Clock
  readonly #notices = new Hints<Notice>(({ instance, reason }) => `${instance} ${reason}`)
  readonly #entries = new Map<InstanceId, Entry>()
  readonly #programs = new Map<string, FakeProgram>()
  readonly #startErrors = new Map<string, StartError>()
  readonly #watchers = new Set<(instance: InstanceId | undefined) => void>()
  readonly #commands = new Map<string, string | undefined>()
  readonly #files = new Map<string, string>()
  readonly #users = new Map<string, Identity>()
  #exec: (config: ExecConfig) => FakeExec | Promise<FakeExec> = () => ({ by: 'code', code: 0, output: '' })
  #gaps: readonly HostGap[] = []
  #nextPid = 1000
  #open = false
  #killTreeFailure: Error | undefined
  #dropChanges = false
  #limitsFailure: Error | undefined

  /** Every start that launched something, in order. */
  readonly started: RunConfig[] = []
  /** Every signal sent to a live run, in order; killTree counts as KILL to the tree. */
  readonly signals: SentSignal[] = []
  readonly execs: ExecConfig[] = []
  readonly removed: InstanceId[] = []
  /** What each Instance is bounded by since it was last said, by name. */
  readonly limits: Map<string, Limits> = new Map()

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock
    this.#users.set('root', { uid: 0, gid: 0, supplementalGroups: [], user: 'root', home: '/root', shell: '/bin/sh' })
  }

  // What tests do to the machine.

  /** The main process ends. */
  exit(instance: string, exit: FakeExit, options: { readonly leftovers?: boolean } = {}): void {
    const entry = this.#find(instance)
    if (entry.run?.state !== 'running') throw new Error(`${instance} does not run`)
    this.#end(entry, exit, options.leftovers ?? this.#programOf(entry).leavesBehind ?? false)
  }

  /** Sets whether processes of an exited run are still there. */
  setLeftovers(instance: string, leftovers: boolean): void {
    const entry = this.#find(instance)
    if (entry.run?.state !== 'exited') throw new Error(`${instance} has not exited`)
    entry.run = { ...entry.run, leftovers }
    this.#publish(entry.id)
  }

  /** The shim is killed: the program runs on, its exit will be unknown. */
  loseShim(instance: string): void {
    const entry = this.#find(instance)
    if (entry.run?.state !== 'running') throw new Error(`${instance} does not run`)
    entry.run = { ...entry.run, supervised: false }
    this.#publish(entry.id)
  }

  /** The machine restarts: whatever ran has an unknown exit. */
  reboot(): void {
    for (const entry of this.#entries.values()) {
      if (entry.run?.state === 'running') this.#end(entry, { unknown: 'Reboot' }, false)
      if (entry.run?.state === 'exited') entry.run = { ...entry.run, startedAtMonotonic: 0, exitedAtMonotonic: 0, leftovers: false }
    }
  }

  /** How programs of this Instance (or of all that have no say of their own, `*`) behave, from now on. */
  program(instance: string, program: FakeProgram): void {
    this.#programs.set(instance, program)
  }

  /** Starts of this Instance fail until called with undefined. */
  failStart(instance: string, error: StartError | undefined): void {
    if (error === undefined) this.#startErrors.delete(instance)
    else this.#startErrors.set(instance, error)
  }

  failKillTree(error: Error | undefined): void {
    this.#killTreeFailure = error
  }

  failLimits(error: Error | undefined): void {
    this.#limitsFailure = error
  }

  onExec(script: (config: ExecConfig) => FakeExec | Promise<FakeExec>): void {
    this.#exec = script
  }

  /** Commands resolve to themselves (absolute) or to /usr/bin/NAME; `undefined` makes one missing. */
  setCommand(command: string, path: string | undefined): void {
    this.#commands.set(command, path)
  }

  setFile(path: string, text: string): void {
    this.#files.set(path, text)
  }

  setUser(identity: Identity): void {
    this.#users.set(identity.user, identity)
  }

  setHostGaps(gaps: readonly HostGap[]): void {
    this.#gaps = gaps
  }

  /** Loses every hint from now on, as an overflowing inotify queue does. */
  dropChanges(drop: boolean): void {
    this.#dropChanges = drop
  }

  /** The program writes to its log. */
  write(instance: string, text: string): void {
    const entry = this.#find(instance)
    this.#append(entry, text)
  }

  /** The newest run of an Instance; undefined when nothing was started. */
  runOf(instance: string): Run | undefined {
    return this.#lookUp(instance)?.run
  }

  configOf(instance: string): RunConfig | undefined {
    return this.#lookUp(instance)?.config
  }

  logConfigOf(instance: string): LogConfig | undefined {
    return this.#lookUp(instance)?.logs
  }

  /** Names (`namespace/name`) of what runs now, sorted. */
  running(): readonly string[] {
    return [...this.#entries.values()]
      .filter((entry) => entry.run?.state === 'running')
      .map((entry) => `${entry.config?.namespace}/${entry.config?.name}`)
      .sort()
  }

  /** Open `changes` and `logs` iterations: a test for leaks. */
  get watchers(): number {
    return this.#watchers.size
  }

  // ProcessRuntime.

  async open(): Promise<void> {
    if (this.#open) throw new Error('The runtime is open already')
    this.#open = true
  }

  async close(): Promise<void> {
    this.#open = false
    for (const wake of [...this.#watchers]) wake(undefined)
  }

  async start(config: RunConfig): Promise<Run> {
    this.#checkOpen()
    if (!config.id.startsWith(`${config.instance}.`)) throw new Error(`Run ${config.id} is not one of Instance ${config.instance}`)
    const entry = this.#entry(config.instance)
    if (entry.run?.id === config.id) return entry.run
    if (entry.run !== undefined && attemptOf(config.id) <= attemptOf(entry.run.id)) {
      throw new Error(`Run ${config.id} is older than ${entry.run.id}`)
    }
    if (entry.run?.state === 'running') throw new Error(`${entry.run.id} still lives: ${config.id} would be a second run of ${config.name}`)
    if (entry.run?.state === 'exited' && entry.run.leftovers && config.forking === undefined)
      throw new Error(`${entry.run.id} left processes behind: end them before ${config.id}`)
    const failure =
      this.#startErrors.get(config.instance) ??
      this.#startErrors.get(config.name) ??
      this.#startErrors.get(`${config.namespace}/${config.name}`)
    if (failure !== undefined) throw failure

    this.started.push(config)
    entry.config = config
    entry.logs = config.logs
    this.limits.set(config.name, config.limits ?? {})
    const run: Run = {
      id: config.id,
      instance: config.instance,
      startedAt: this.#clock.now(),
      startedAtMonotonic: this.#clock.monotonic(),
      ...(config.memo === undefined ? {} : { memo: config.memo }),
      state: 'running',
      pid: this.#nextPid++,
      supervised: true,
      paused: false,
    }
    entry.run = run
    const program = this.#programOf(entry)
    if (program.output !== undefined) this.#append(entry, program.output)
    const end = (): void => {
      if (entry.run?.id === config.id && entry.run.state === 'running') {
        this.#end(entry, { code: program.exitCode ?? 0 }, program.leavesBehind ?? false)
      }
    }
    if (program.exitsAfter === 0) end()
    else if (program.exitsAfter !== undefined) entry.cancel = this.#clock.schedule(program.exitsAfter, end)
    this.#publish(entry.id)
    return entry.run
  }

  async signal(id: RunId, signal: SignalName, scope: SignalScope): Promise<number> {
    this.#checkOpen()
    const entry = this.#entryOfRun(id)
    const run = entry?.run
    if (entry === undefined || run?.id !== id) return 0
    if (run.state === 'exited') {
      if (!run.leftovers || scope === 'Main') return 0
      this.signals.push({ run: id, signal, scope })
      if (signal === 'KILL') this.setLeftovers(entry.id, false)
      return 1
    }
    this.signals.push({ run: id, signal, scope })
    const program = this.#programOf(entry)
    const code = program.exitsOn?.[signal]
    const dies = signal === 'KILL' || code !== undefined || !(NOT_DEADLY.has(signal) || program.ignores?.includes(signal))
    if (!dies) return 1
    const end = (): void => {
      if (entry.run?.id === id && entry.run.state === 'running') {
        this.#end(entry, code === undefined ? { signal } : { code }, (program.leavesBehind ?? false) && scope === 'Main')
      }
    }
    if (signal === 'KILL' || program.diesAfter === undefined) end()
    else this.#clock.schedule(program.diesAfter, end)
    return 1
  }

  async killTree(id: RunId): Promise<void> {
    this.#checkOpen()
    const entry = this.#entryOfRun(id)
    if (entry?.run?.id !== id) return
    if (this.#killTreeFailure !== undefined) throw this.#killTreeFailure
    if (entry.run.state === 'running') {
      this.signals.push({ run: id, signal: 'KILL', scope: 'Tree' })
      this.#end(entry, { signal: 'KILL' }, false)
    } else if (entry.run.leftovers) {
      this.signals.push({ run: id, signal: 'KILL', scope: 'Tree' })
      this.setLeftovers(entry.id, false)
    }
  }

  async treeAlive(id: RunId): Promise<boolean> {
    this.#checkOpen()
    const run = this.#entryOfRun(id)?.run
    return run?.id === id && (run.state === 'running' || run.leftovers)
  }

  async remove(instance: InstanceId): Promise<void> {
    this.#checkOpen()
    const entry = this.#entries.get(instance)
    if (entry === undefined) return
    if (entry.run?.state === 'running' || entry.run?.leftovers) throw new Error(`${entry.run.id} is alive and can't be removed`)
    this.#entries.delete(instance)
    this.removed.push(instance)
    this.#publish(instance)
  }

  async list(): Promise<readonly InstanceRecord[]> {
    this.#checkOpen()
    return [...this.#entries.values()].map(recordOf)
  }

  async get(instance: InstanceId): Promise<InstanceRecord | undefined> {
    this.#checkOpen()
    const entry = this.#entries.get(instance)
    return entry && recordOf(entry)
  }

  async saveNote(instance: InstanceId, note: string): Promise<void> {
    this.#checkOpen()
    this.#entry(instance).note = note
  }

  async *changes(signal: AbortSignal): AsyncIterable<InstanceId> {
    const pending = new Set<InstanceId>()
    for await (const instance of this.#wakes(signal, pending)) {
      if (instance === undefined) return
      yield instance
    }
  }

  async *notices(signal: AbortSignal): AsyncIterable<Notice> {
    yield* this.#notices.iterate(signal)
  }

  /** Tells of something beside life and death. */
  notify(notice: Notice): void {
    this.#notices.publish(notice)
  }

  async pause(id: RunId, paused: boolean): Promise<void> {
    this.#checkOpen()
    const entry = this.#entryOfRun(id)
    if (entry?.run?.id !== id || entry.run.state !== 'running') return
    entry.run = { ...entry.run, paused }
    this.#publish(entry.id)
  }

  async setLimits(instance: InstanceId, limits: Limits): Promise<void> {
    this.#checkOpen()
    if (this.#limitsFailure !== undefined) throw this.#limitsFailure
    const entry = this.#entries.get(instance)
    if (entry !== undefined) this.limits.set(entry.config?.name ?? instance, limits)
  }

  configureLogs(instance: InstanceId, logs: LogConfig): void {
    const entry = this.#entries.get(instance)
    if (entry !== undefined) entry.logs = logs
  }

  /** A cursor here counts the pieces written. */
  async *logs(instance: InstanceId, options: LogOptions): AsyncIterable<LogPiece> {
    const entry = this.#entries.get(instance)
    if (entry?.run === undefined) return
    const attempt = attemptOf(entry.run.id)
    const since = options.since === undefined ? 0 : epochOf(options.since)
    const wanted = (piece: Written): boolean =>
      (options.previous ? piece.attempt === previousAttempt(entry, attempt) : piece.attempt === attempt) && piece.at >= since
    const resumed = options.cursor === undefined ? undefined : Number(options.cursor.split('.')[0])
    const pieces = resumed === undefined ? entry.output.filter(wanted) : entry.output.slice(resumed)
    const all = Buffer.concat(pieces.map((piece) => piece.bytes))
    let left = options.limitBytes ?? Number.POSITIVE_INFINITY
    let read = entry.output.length
    const give = (bytes: Uint8Array): LogPiece => ({ bytes, cursor: `${read}.0`, skipped: 0 })
    const begin = resumed ?? entry.output.findIndex(wanted)
    yield { bytes: Buffer.alloc(0), cursor: `${begin < 0 ? read : begin}.0`, skipped: 0 }
    const first = (resumed === undefined ? lastLines(all, options.tailLines) : all).subarray(0, left)
    left -= first.length
    if (first.length > 0) yield give(first)
    if (!options.follow) return
    for await (const changed of this.#wakes(options.signal, new Set([instance]))) {
      if (changed === undefined) return
      while (read < entry.output.length && left > 0) {
        const bytes = entry.output[read]?.bytes.subarray(0, left)
        read += 1
        if (bytes === undefined) continue
        left -= bytes.length
        yield give(bytes)
      }
      if (left <= 0) return
    }
  }

  async tail(instance: InstanceId, bytes: number): Promise<string> {
    const entry = this.#entries.get(instance)
    if (entry?.run === undefined) return ''
    const attempt = attemptOf(entry.run.id)
    const all = Buffer.concat(entry.output.filter((piece) => piece.attempt === attempt).map((piece) => piece.bytes))
    return all.subarray(Math.max(0, all.length - bytes)).toString()
  }

  async usage(id: RunId): Promise<Usage | undefined> {
    const run = this.#entryOfRun(id)?.run
    if (run?.id !== id || run.state !== 'running') return undefined
    return { processes: 1, threads: 1, cpuSeconds: 0, memory: 1024 * 1024, fds: 3 }
  }

  async exec(config: ExecConfig, signal: AbortSignal): Promise<ExecResult> {
    this.#checkOpen()
    signal.throwIfAborted()
    this.execs.push(config)
    const result = await this.#exec(config)
    if (result instanceof StartError) throw result
    if (result !== 'hang') {
      if (result.output !== '') config.onOutput?.(Buffer.from(result.output))
      return result
    }
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        cancel()
        reject(signal.reason)
      }
      const cancel = this.#clock.schedule(config.timeout, () => {
        signal.removeEventListener('abort', stop)
        resolve({ by: 'timeout', output: '' })
      })
      signal.addEventListener('abort', stop, { once: true })
    })
  }

  async readFileAs(path: string, _identity: Identity | undefined): Promise<string> {
    const text = this.#files.get(path)
    if (text === undefined) throw Object.assign(new Error(`${path}: no such file`), { code: 'ENOENT' })
    return text
  }

  async resolveIdentity(options: {
    readonly user?: string | number
    readonly group?: string | number
    readonly supplementalGroups?: readonly (string | number)[]
  }): Promise<Identity> {
    const { user = 'root', group, supplementalGroups = [] } = options
    const known = [...this.#users.values()].find((each) => each.user === user || each.uid === Number(user))
    const numeric = Number.isInteger(Number(user))
    if (known === undefined && !numeric) throw new StartError('UserNotFound', `There is no user "${user}" on this host`)
    const base = known ?? { uid: Number(user), gid: Number(user), supplementalGroups: [], user: String(user), home: '/', shell: '/bin/sh' }
    return {
      ...base,
      gid: group === undefined ? base.gid : numberOf(group),
      supplementalGroups: supplementalGroups.length === 0 ? base.supplementalGroups : supplementalGroups.map(numberOf),
    }
  }

  async resolveCommand(command: string, searchPath: readonly string[], _workingDir: string | undefined): Promise<string> {
    const known = this.#commands.has(command) ? this.#commands.get(command) : command.includes('/') ? command : `/usr/bin/${command}`
    if (known === undefined) throw new StartError('CommandNotFound', `"${command}" is in none of ${searchPath.join(', ')}`)
    return known
  }

  hostGaps(): readonly HostGap[] {
    return this.#gaps
  }

  #checkOpen(): void {
    if (!this.#open) throw new Error('The runtime is not open')
  }

  #entry(id: InstanceId): Entry {
    const known = this.#entries.get(id)
    if (known !== undefined) return known
    const entry: Entry = { id, config: undefined, run: undefined, note: undefined, logs: undefined, output: [], cancel: undefined }
    this.#entries.set(id, entry)
    return entry
  }

  #entryOfRun(id: RunId): Entry | undefined {
    return this.#entries.get(id.slice(0, id.lastIndexOf('.')) as InstanceId)
  }

  #lookUp(ref: string): Entry | undefined {
    for (const entry of this.#entries.values()) {
      if (entry.id === ref || entry.config?.name === ref || `${entry.config?.namespace}/${entry.config?.name}` === ref) return entry
    }
    return undefined
  }

  #find(ref: string): Entry {
    const entry = this.#lookUp(ref)
    if (entry === undefined) throw new Error(`The runtime knows no Instance ${ref}`)
    return entry
  }

  #programOf(entry: Entry): FakeProgram {
    const { id, config } = entry
    return (
      this.#programs.get(id) ??
      this.#programs.get(config?.name ?? '') ??
      this.#programs.get(`${config?.namespace}/${config?.name}`) ??
      this.#programs.get('*') ??
      {}
    )
  }

  #end(entry: Entry, exit: FakeExit, leftovers: boolean): void {
    const run = entry.run
    if (run?.state !== 'running') return
    entry.cancel?.()
    entry.cancel = undefined
    entry.run = {
      id: run.id,
      instance: run.instance,
      startedAt: run.startedAt,
      startedAtMonotonic: run.startedAtMonotonic,
      ...(run.memo === undefined ? {} : { memo: run.memo }),
      state: 'exited',
      exit: exitOf(exit, this.#clock.now()),
      exitedAtMonotonic: this.#clock.monotonic(),
      leftovers,
    }
    this.#publish(entry.id)
  }

  #append(entry: Entry, text: string): void {
    const attempt = entry.run === undefined ? 0 : attemptOf(entry.run.id)
    entry.output.push({ attempt, at: epochOf(this.#clock.now()), bytes: Buffer.from(text) })
    for (const wake of [...this.#watchers]) wake(entry.id)
  }

  #publish(instance: InstanceId): void {
    if (this.#dropChanges) return
    for (const wake of [...this.#watchers]) wake(instance)
  }

  async *#wakes(signal: AbortSignal, pending: Set<InstanceId>): AsyncGenerator<InstanceId | undefined> {
    let closed = false
    let resume = (): void => {}
    const wake = (instance: InstanceId | undefined): void => {
      if (instance === undefined) closed = true
      else pending.add(instance)
      resume()
    }
    const stop = (): void => wake(undefined)
    this.#watchers.add(wake)
    signal.addEventListener('abort', stop, { once: true })
    try {
      while (!closed && !signal.aborted) {
        const [next] = pending
        if (next !== undefined) {
          pending.delete(next)
          yield next
          continue
        }
        await new Promise<void>((resolve) => {
          resume = resolve
        })
      }
    } finally {
      this.#watchers.delete(wake)
      signal.removeEventListener('abort', stop)
    }
  }
}

function recordOf(entry: Entry): InstanceRecord {
  return { instance: entry.id, run: entry.run, note: entry.note }
}

function exitOf(exit: FakeExit, at: string): Exit {
  if ('code' in exit) return { by: 'code', code: exit.code, at }
  if ('signal' in exit) return { by: 'signal', signal: exit.signal, at }
  return { by: 'unknown', reason: exit.unknown, at }
}

function previousAttempt(entry: Entry, attempt: number): number {
  return Math.max(0, ...entry.output.map((piece) => piece.attempt).filter((each) => each < attempt))
}

function lastLines(bytes: Buffer, lines: number | undefined): Buffer {
  if (lines === undefined) return bytes
  let start = bytes.length
  for (let left = lines; left > 0 && start > 0; left--) start = start < 2 ? 0 : bytes.lastIndexOf(10, start - 2) + 1
  return bytes.subarray(start)
}

function numberOf(name: string | number): number {
  const number = Number(name)
  if (!Number.isInteger(number)) throw new StartError('UserNotFound', `There is no group "${name}" on this host`)
  return number
}
