import {
  chownSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type Clock, epochOf, type Millis, sleep } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { SpawnChild } from './child.ts'
import type { HostTools } from './host.ts'
import { type CutMode, type CutTools, probeCutMode } from './log-cut.ts'
import { LogFile, nextLook } from './log-file.ts'
import { offsetSince } from './log-index.ts'
import { LineStamps, type Piece, readRange, startOfLastLines, startOfLine } from './log-reader.ts'
import type { HostGap, InstanceId, LogConfig, LogOptions, RunConfig } from './runtime.ts'
import { readLineAt, writeLineAt } from './state-dir.ts'

export interface LogStoreOptions {
  readonly dataDir: string
  readonly clock: Clock
  readonly log: Logger
  readonly host: HostTools
  readonly spawn: SpawnChild
  readonly retention: Millis
}

/** Where the output of one attempt begins, in each file. */
interface RunMark {
  readonly attempt: number
  readonly out: number
  readonly err: number
}

interface Log {
  readonly instance: InstanceId
  readonly out: LogFile
  readonly err: LogFile
  marks: readonly RunMark[]
  config: LogConfig | undefined
  /** Owner of the files, as last set. */
  owner: number
  cancel: (() => void) | undefined
  /** The look that is under way. */
  looking: Promise<void> | undefined
  retired: boolean
}

const KEPT_MARKS = 8
const FOLLOW_INTERVAL: Millis = 100
const FIRST_LOOK: Millis = 200
/** Rotations at once: each costs one thread of Node's four while it compresses. */
const MAX_ROTATIONS = 2
const LINK_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

/** The logs of all Instances: where they lie, that they stay small, and how they are read. */
export class LogStore {
  readonly #options: LogStoreOptions
  readonly #logs = new Map<InstanceId, Promise<Log>>()
  readonly #waiting: (() => void)[] = []
  #mode: CutMode = 'truncate'
  #rotating = 0
  #closed = false

  constructor(options: LogStoreOptions) {
    this.#options = options
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
    mkdirSync(join(this.#root, 'by-name'), { recursive: true, mode: 0o700 })
    for (const name of readdirSync(this.#root)) {
      if (name.startsWith('.probe-')) rmSync(join(this.#root, name), { recursive: true, force: true })
      else if (name !== 'by-name' && !known.has(name as InstanceId)) this.#markRetired(name as InstanceId)
    }
    this.#mode = await probeCutMode(this.#root, this.#tools)
    this.sweep()
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const opening of this.#logs.values()) {
      const log = await opening
      log.cancel?.()
      await log.looking
    }
  }

  directory(instance: InstanceId): string {
    return join(this.#root, instance)
  }

  paths(instance: InstanceId): { readonly log: string; readonly err: string } {
    return { log: join(this.directory(instance), 'log'), err: join(this.directory(instance), 'log.err') }
  }

  /** The files into which a run is about to write, its user's, with their present ends noted as its beginning. */
  async beginRun(config: RunConfig, attempt: number): Promise<void> {
    const log = await this.#open(config.instance)
    log.config = config.logs
    log.retired = false
    const files = config.logs.mergeStderr ? [log.out] : [log.out, log.err]
    const owner = config.identity?.uid ?? this.#options.host.uid
    for (const file of files) {
      closeSync(openSync(file.path, 'a', 0o600))
      if (owner !== log.owner && this.#options.host.uid === 0) chownSync(file.path, owner, config.identity?.gid ?? 0)
      await file.renew(config.logs)
    }
    log.owner = owner
    const mark = { attempt, out: await log.out.end(), err: await log.err.end() }
    log.marks = [...log.marks.filter((each) => each.attempt !== attempt), mark].slice(-KEPT_MARKS)
    writeLineAt(join(this.directory(config.instance), 'runs.json'), JSON.stringify(log.marks))
    this.#link(config)
    this.#lookIn(log, FIRST_LOOK)
  }

  /** A run has ended: what it wrote last gets its time. */
  async endRun(instance: InstanceId): Promise<void> {
    const opening = this.#logs.get(instance)
    if (opening === undefined || this.#closed) return
    const log = await opening
    for (const file of [log.out, log.err]) file.sample({ final: true })
  }

  /** Goes on tending a log that an earlier server tended. */
  async adopt(instance: InstanceId, config: LogConfig): Promise<void> {
    const log = await this.#open(instance)
    log.config = config
    this.#lookIn(log, 0)
  }

  configure(instance: InstanceId, config: LogConfig): void {
    const opening = this.#logs.get(instance)
    if (opening === undefined) return
    opening
      .then((log) => {
        // Whether stderr has a file of its own was settled when the program was launched.
        log.config = { ...config, mergeStderr: log.config?.mergeStderr ?? config.mergeStderr }
        this.#lookIn(log, 0)
      })
      .catch((err: unknown) => this.#options.log.warn({ instance, err }, 'Could not configure a log'))
  }

  /** The Instance is gone; its logs go when they have been kept long enough. */
  async retire(instance: InstanceId): Promise<void> {
    const opening = this.#logs.get(instance)
    if (opening !== undefined) {
      const log = await opening
      log.retired = true
      log.cancel?.()
      await log.looking
      this.#logs.delete(instance)
    }
    this.#markRetired(instance)
    this.sweep()
  }

  /** Deletes logs whose time is over. */
  sweep(): void {
    const now = epochOf(this.#options.clock.now())
    for (const name of readdirSync(this.#root)) {
      const directory = join(this.#root, name)
      const retired = statSync(join(directory, 'retired'), { throwIfNoEntry: false })
      if (retired === undefined || now - retired.mtimeMs < this.#options.retention) continue
      rmSync(directory, { recursive: true, force: true })
    }
    this.#dropDeadLinks()
  }

  async tail(instance: InstanceId, bytes: number): Promise<string> {
    const log = await this.#open(instance)
    const mark = log.marks.at(-1)
    if (mark === undefined) return ''
    const err = await this.#lastBytes(log.err, mark.err, bytes)
    return err === '' ? this.#lastBytes(log.out, mark.out, bytes) : err
  }

  async *read(instance: InstanceId, options: LogOptions): AsyncGenerator<Uint8Array> {
    const log = await this.#open(instance)
    const newest = log.marks.at(-1)
    const mark = options.previous === true ? log.marks.at(-2) : newest
    // Without a run there is nothing to read, unless one is waited for.
    if (mark === undefined && (options.previous === true || options.follow !== true)) return
    const until = options.previous === true ? newest : undefined
    const sources = [
      await this.#source(log.out, mark?.out ?? 0, until?.out, options),
      await this.#source(log.err, mark?.err ?? 0, until?.err, options),
    ]
    let left = options.limitBytes ?? Number.POSITIVE_INFINITY
    for (let isFirst = true; left > 0 && !options.signal.aborted; isFirst = false) {
      for (const source of sources) {
        for await (const bytes of piecesOf(source, options)) {
          const kept = bytes.subarray(0, left)
          left -= kept.length
          yield kept
          if (left <= 0 || options.signal.aborted) return
        }
      }
      if (options.follow !== true || until !== undefined || (log.retired && !isFirst)) return
      await sleep(this.#options.clock, FOLLOW_INTERVAL, options.signal).catch(() => {
        // Only the abort ends this sleep early; the loop's condition sees it.
      })
    }
  }

  async #source(file: LogFile, low: number, high: number | undefined, options: LogOptions): Promise<Source> {
    const end = high ?? (await file.end())
    let start = low
    if (options.since !== undefined) {
      const since = Math.min(end, offsetSince(file.index.read(), epochOf(options.since)))
      if (since > low) start = await startOfLine(file, low, since)
    }
    if (options.tailLines !== undefined) start = await startOfLastLines(file, start, end, options.tailLines)
    const now = (): Millis => epochOf(this.#options.clock.now())
    const stamps = options.timestamps === true ? new LineStamps({ entries: () => file.index.read(), now }) : undefined
    return { file, position: start, end: options.follow === true ? high : end, stamps }
  }

  async #lastBytes(file: LogFile, low: number, bytes: number): Promise<string> {
    const end = await file.end()
    const start = Math.max(low, end - bytes)
    const pieces: Buffer[] = []
    for await (const piece of readRange(file, start, end)) pieces.push(piece.bytes)
    const all = Buffer.concat(pieces)
    const newline = start > low ? all.indexOf(10) : -1
    return all.subarray(newline < 0 || newline === all.length - 1 ? 0 : newline + 1).toString()
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
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    rmSync(join(directory, 'retired'), { force: true })
    const { log, err } = this.paths(instance)
    const options = { mode: this.#mode, tools: this.#tools, log: this.#options.log.child({ instance }) }
    const files = { out: new LogFile({ ...options, path: log }), err: new LogFile({ ...options, path: err }) }
    closeSync(openSync(log, 'a', 0o600))
    await files.out.open()
    await files.err.open()
    const marks = readLineAt<readonly RunMark[]>(join(directory, 'runs.json')) ?? []
    return {
      instance,
      ...files,
      marks,
      config: undefined,
      owner: statSync(log).uid,
      cancel: undefined,
      looking: undefined,
      retired: false,
    }
  }

  #lookIn(log: Log, delay: Millis): void {
    if (this.#closed || log.retired || log.looking !== undefined) return
    log.cancel?.()
    log.cancel = this.#options.clock.schedule(delay, () => {
      log.looking = this.#look(log, delay)
        .catch((err: unknown) => {
          this.#options.log.error({ instance: log.instance, err }, 'Could not rotate a log')
          return 10_000
        })
        .then((next) => {
          log.looking = undefined
          this.#lookIn(log, next)
        })
    })
  }

  async #look(log: Log, during: Millis): Promise<Millis> {
    const { config } = log
    if (config === undefined) return 1_000
    let next = 10_000
    for (const file of config.mergeStderr ? [log.out] : [log.out, log.err]) {
      const { live, grown } = file.sample()
      if (live >= config.maxSize) {
        await this.#withRotation(async () => {
          const dropped = await file.rotate(config)
          if (dropped > 0) this.#options.log.warn({ instance: log.instance, dropped }, 'A log grew faster than it could be kept')
        })
      }
      next = Math.min(next, nextLook({ grown, during, maxSize: config.maxSize, previous: during }))
    }
    return next
  }

  async #withRotation(task: () => Promise<void>): Promise<void> {
    while (this.#rotating >= MAX_ROTATIONS) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#rotating += 1
    try {
      await task()
    } finally {
      this.#rotating -= 1
      this.#waiting.shift()?.()
    }
  }

  #markRetired(instance: InstanceId): void {
    const path = join(this.directory(instance), 'retired')
    if (statSync(this.directory(instance), { throwIfNoEntry: false }) === undefined) return
    if (statSync(path, { throwIfNoEntry: false }) === undefined) writeFileSync(path, '', { mode: 0o600 })
  }

  /** `by-name/<namespace>/<name>` leads people to the directory. */
  #link({ instance, namespace, name }: RunConfig): void {
    if (!LINK_NAME.test(namespace) || !LINK_NAME.test(name)) return
    const link = join(this.#root, 'by-name', namespace, name)
    const target = join('..', '..', instance)
    if (readLink(link) === target) return
    mkdirSync(join(this.#root, 'by-name', namespace), { recursive: true, mode: 0o700 })
    rmSync(link, { force: true })
    symlinkSync(target, link)
  }

  #dropDeadLinks(): void {
    const byName = join(this.#root, 'by-name')
    for (const namespace of readdirSync(byName)) {
      for (const name of readdirSync(join(byName, namespace))) {
        const link = join(byName, namespace, name)
        if (statSync(link, { throwIfNoEntry: false }) === undefined) unlinkSync(link)
      }
    }
  }
}

interface Source {
  readonly file: LogFile
  position: number
  readonly end: number | undefined
  readonly stamps: LineStamps | undefined
}

/** What there is to read of a source now. */
async function* piecesOf(source: Source, options: LogOptions): AsyncGenerator<Buffer> {
  for await (const piece of readRange(source.file, source.position, source.end ?? Number.MAX_SAFE_INTEGER)) {
    const { position, bytes }: Piece = piece
    source.position = position + bytes.length
    yield source.stamps === undefined ? bytes : source.stamps.stamp(piece)
    if (options.signal.aborted) return
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    // Missing, or no link: it is made anew.
    return undefined
  }
}
