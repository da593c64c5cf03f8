import { chownSync, closeSync, openSync, readdirSync, rmSync, statSync } from 'node:fs'
import { readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Millis } from '../base/clock.ts'
import { isDiskRefusal } from '../base/disk-error.ts'
import type { Logger } from '../base/log.ts'
import { nextTurn } from '../base/turn.ts'
import type { SpawnChild } from './child.ts'
import { Gate } from './gate.ts'
import type { HostTools } from './host.ts'
import { type CutMode, type CutTools, probeCutMode } from './log-cut.ts'
import { LogFile } from './log-file.ts'
import { LogLinks } from './log-links.ts'
import { type Output, readOutput, tailOf } from './log-output.ts'
import { LogRetention } from './log-retention.ts'
import { LogRotator, type RotatedLog } from './log-rotator.ts'
import type { RetiredLog } from './retired-logs.ts'
import { adoptedMarks, isFirstMark, type RunMark, withMark } from './run-marks.ts'
import type { HostGap, InstanceId, LogConfig, LogOptions, LogPiece, Notice, RunConfig } from './runtime.ts'
import type { Spares } from './spares.ts'
import { isMissing, readLineAt, writeLineAt } from './state-dir.ts'
import type { Trash } from './trash.ts'

export interface LogStoreOptions {
  readonly dataDir: string
  readonly clock: Clock
  readonly log: Logger
  readonly host: HostTools
  readonly spawn: SpawnChild
  readonly spares: Spares
  readonly trash: Trash
  readonly retention: Millis
  readonly notify: (notice: Notice) => void
}

interface Log extends Output, RotatedLog {
  retired: boolean
  config: LogConfig | undefined
  /** Owners of the files that are known to be there. */
  readonly owners: Map<LogFile, number>
  /** Marks that are not on disk. */
  unsaved: boolean
  /** Its name under `by-name`, once it is there. */
  link: string | undefined
}

const FIRST_LOOK: Millis = 200
/** Logs opened at once that an earlier server tended. */
const MAX_OPENING = 4

/** The logs of all Instances: where they lie, that they stay small, and how they are read. */
export class LogStore {
  readonly #options: LogStoreOptions
  readonly #logs = new Map<InstanceId, Promise<Log>>()
  readonly #openings = new Gate(MAX_OPENING)
  readonly #rotator: LogRotator
  readonly #links: LogLinks
  readonly #retention: LogRetention
  /** Instances with a directory that an earlier server made. */
  readonly #found = new Set<InstanceId>()
  /** Where the newest run of those begins that an earlier server started. */
  readonly #adopted = new Map<InstanceId, RunMark>()
  readonly #endings = new Set<Promise<void>>()
  #mode: CutMode = 'truncate'
  #closed = false

  constructor(options: LogStoreOptions) {
    this.#options = options
    const { clock, log, retention } = options
    this.#rotator = new LogRotator({ clock, log, notify: (...notice) => this.#notify(...notice) })
    this.#links = new LogLinks(this.#root)
    const discard = (entry: RetiredLog): Promise<void> => this.#discard(entry)
    this.#retention = new LogRetention({ path: join(this.#root, '.retired'), clock, log, retention, discard })
  }

  get #root(): string {
    return join(this.#options.dataDir, 'logs')
  }

  get #tools(): CutTools {
    return { host: this.#options.host, spawn: this.#options.spawn }
  }

  get gaps(): readonly HostGap[] {
    if (this.#mode !== 'truncate') return []
    const message =
      'logs: neither the file system nor the tools here can take the head off a file, so a rotation may lose lines written at that moment'
    return [{ field: 'logs', message }]
  }

  /** `known`: Instances that still exist; logs of others are on their way out. */
  async open(known: ReadonlySet<InstanceId>): Promise<void> {
    await this.#links.open()
    for (const name of readdirSync(this.#root)) {
      // Of versions that took a new one each time.
      if (name.startsWith('.probe-')) rmSync(join(this.#root, name), { recursive: true, force: true })
      if (!name.startsWith('.') && name !== 'by-name') this.#found.add(name as InstanceId)
    }
    await this.#retention.open([...this.#found].filter((instance) => !known.has(instance)))
    this.#mode = await probeCutMode(this.#root, this.#tools)
    this.#retention.start(() => this.#links.sweep())
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#rotator.close()
    await this.#retention.close()
    await Promise.all(this.#endings)
    for (const opening of this.#logs.values()) await this.#rotator.leave(await opening)
  }

  directory(instance: InstanceId): string {
    return join(this.#root, instance)
  }

  paths(instance: InstanceId): { readonly log: string; readonly err: string } {
    return { log: join(this.directory(instance), 'log'), err: join(this.directory(instance), 'log.err') }
  }

  /**
   * Makes the files ready into which a run is about to write. `alone`: nothing of an earlier run is left that writes to them. Gives where
   * the run begins, for the caller to keep until `saveMarks`.
   */
  async beginRun(config: RunConfig, attempt: number, { alone }: { readonly alone: boolean }): Promise<RunMark> {
    const log = await this.#open(config.instance)
    await this.#retention.revoke(config.instance)
    log.config = config.logs
    log.retired = false
    const owner = config.identity?.uid ?? this.#options.host.uid
    for (const file of config.logs.mergeStderr ? [log.out] : [log.out, log.err]) {
      if (!log.owners.has(file)) closeSync(openSync(file.path, 'a', 0o600))
      if (owner !== (log.owners.get(file) ?? this.#options.host.uid) && this.#options.host.uid === 0) {
        chownSync(file.path, owner, config.identity?.gid ?? 0)
      }
      log.owners.set(file, owner)
      if (alone) await file.renew(config.logs)
    }
    const mark = { attempt, out: await log.out.end(), err: await log.err.end() }
    log.marks = withMark(log.marks, mark)
    log.unsaved = !isFirstMark(mark)
    const link = this.#links.nameOf(config)
    if (link !== undefined && link !== log.link) await this.#links.set(link, config.instance)
    log.link = link
    this.#rotator.lookIn(log, FIRST_LOOK)
    return mark
  }

  /** Writes down where the runs begin. The caller has the newest mark until then. */
  async saveMarks(instance: InstanceId): Promise<void> {
    const log = await this.#logs.get(instance)
    if (log?.unsaved !== true) return
    try {
      writeLineAt(join(this.directory(instance), 'runs.json'), JSON.stringify(log.marks))
      log.unsaved = false
    } catch (err) {
      if (!isDiskRefusal(err)) throw err
      // They are in memory, and written with the next ones.
      this.#options.log.warn({ instance, err }, 'Where a run begins in its log could not be noted')
    }
  }

  /** A run has ended: what it wrote last gets its time, as soon as a start that may follow is under way. */
  endRun(instance: InstanceId): void {
    const ending: Promise<void> = nextTurn()
      .then(async () => {
        const log = await this.#logs.get(instance)
        if (log !== undefined && !this.#closed) for (const file of [log.out, log.err]) file.sample({ final: true })
      })
      .catch((err: unknown) => this.#options.log.warn({ instance, err }, 'Could not note the end of a run in its log'))
      .finally(() => this.#endings.delete(ending))
    this.#endings.add(ending)
  }

  /** Goes on tending a log that an earlier server tended. It is opened in the background, or when it is asked for. */
  adopt(instance: InstanceId, run: Pick<RunConfig, 'logs' | 'namespace' | 'name'>, mark: RunMark | undefined): void {
    if (mark !== undefined) this.#adopted.set(instance, mark)
    this.#openings
      .run(() => this.#open(instance))
      .then((log) => {
        log.config ??= run.logs
        log.link ??= this.#links.nameOf(run)
        this.#rotator.lookIn(log, 0)
      })
      .catch((err: unknown) => this.#options.log.error({ instance, err }, 'Could not open a log'))
  }

  configure(instance: InstanceId, config: LogConfig): void {
    const opening = this.#logs.get(instance)
    if (opening === undefined) return
    opening
      .then((log) => {
        // Whether stderr has a file of its own was settled when the program was launched.
        log.config = { ...config, mergeStderr: log.config?.mergeStderr ?? config.mergeStderr }
        this.#rotator.lookIn(log, 0)
      })
      .catch((err: unknown) => this.#options.log.warn({ instance, err }, 'Could not configure a log'))
  }

  /** The Instance is gone; its logs go when they have been kept long enough. */
  async retire(instance: InstanceId): Promise<void> {
    const opening = this.#logs.get(instance)
    // Nothing ever ran.
    if (opening === undefined) return
    const log = await opening
    log.retired = true
    await this.#rotator.leave(log)
    this.#logs.delete(instance)
    await this.#retention.retire(instance, log.link)
  }

  async tail(instance: InstanceId, bytes: number): Promise<string> {
    return tailOf(await this.#open(instance), bytes)
  }

  async *read(instance: InstanceId, options: LogOptions): AsyncGenerator<LogPiece> {
    yield* readOutput(await this.#open(instance), options, this.#options.clock)
  }

  #open(instance: InstanceId): Promise<Log> {
    const known = this.#logs.get(instance)
    if (known !== undefined) return known
    const opening = this.#openNow(instance)
    this.#logs.set(instance, opening)
    opening.catch(() => {
      // The caller has the failure; the next one tries again.
      this.#logs.delete(instance)
    })
    return opening
  }

  async #openNow(instance: InstanceId): Promise<Log> {
    const directory = this.directory(instance)
    const { log, err } = this.paths(instance)
    const truncated = (): void =>
      this.#notify(
        instance,
        'LogTruncated',
        'The program emptied its own log. To write to /dev/stdout it should open it for appending (>>)',
      )
    const options = { mode: this.#mode, tools: this.#tools, log: this.#options.log, truncated }
    const files = { out: new LogFile({ ...options, path: log }), err: new LogFile({ ...options, path: err }) }
    const owners = new Map<LogFile, number>()
    // After a first opening that failed half-way, the directory is there too.
    const names = this.#found.has(instance) ? await this.#names(directory) : undefined
    this.#found.add(instance)
    let marks: readonly RunMark[] = []
    if (names === undefined) {
      await rename(await this.#options.spares.takeLog(), directory)
      owners.set(files.out, this.#options.host.uid)
    } else {
      await files.out.open(names)
      await files.err.open(names)
      const stored = names.includes('runs.json') ? readLineAt<readonly RunMark[]>(join(directory, 'runs.json')) : undefined
      marks = adoptedMarks(stored, this.#adopted.get(instance))
      this.#adopted.delete(instance)
      for (const file of [files.out, files.err]) {
        const stat = statSync(file.path, { throwIfNoEntry: false })
        if (stat !== undefined) owners.set(file, stat.uid)
      }
    }
    return {
      instance,
      ...files,
      marks,
      config: undefined,
      owners,
      unsaved: false,
      link: undefined,
      cancel: undefined,
      looking: undefined,
      retired: false,
    }
  }

  /** The files of a directory; undefined when it isn't there. */
  async #names(directory: string): Promise<readonly string[] | undefined> {
    try {
      return await readdir(directory)
    } catch (err) {
      if (isMissing(err)) return undefined
      throw err
    }
  }

  #notify(instance: InstanceId, reason: Notice['reason'], message: string): void {
    this.#options.log.warn({ instance }, message)
    this.#options.notify({ instance, reason, message })
  }

  async #discard({ instance, link }: RetiredLog): Promise<void> {
    // It may have been opened again, to be read.
    this.#logs.delete(instance)
    await this.#options.trash.discard(this.directory(instance))
    this.#found.delete(instance)
    if (link !== undefined) await this.#links.drop(link, instance)
  }
}
