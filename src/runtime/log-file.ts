import { readdirSync, rmSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { Gate } from './gate.ts'
import { LogArchives } from './log-archives.ts'
import { BLOCK, type CutMode, type CutTools } from './log-cut.ts'
import { type Growth, LogGrowth } from './log-growth.ts'
import { LogIndex } from './log-index.ts'
import { readAt, replaceByEmpty, sizeOf, syncData, writeSynced } from './log-io.ts'
import { LogPlace } from './log-place.ts'
import { recoverLog } from './log-recovery.ts'
import { cutPiece, describePiece, placeAfter, type RotationNote } from './rotation-note.ts'
import type { LogConfig } from './runtime.ts'

/** Seconds that an archive must be going to live, at the present rate, to be worth its copy. */
const ARCHIVE_WORTH = 30

export interface Sample {
  /** Bytes in the live file that are kept. */
  readonly live: number
  readonly end: number
}

export interface LogFileOptions {
  readonly path: string
  readonly mode: CutMode
  readonly tools: CutTools
  readonly log: Logger
  /** Called when the program is seen to have emptied the file. */
  readonly truncated: () => void
}

/**
 * One log that a program appends to while it is rotated. Bytes keep their logical position for ever. Only this class cuts
 * the file and only under its lock, so whoever reads inside `locked` sees place and content agree.
 */
export class LogFile {
  readonly path: string
  readonly index: LogIndex
  readonly archives: LogArchives
  readonly #growth = new LogGrowth()
  readonly #mode: CutMode
  readonly #tools: CutTools
  readonly #truncated: () => void
  readonly #place: LogPlace
  readonly #lock = new Gate(1)
  /** One rotation or renewal at a time: both decide by the place, and change it only when they are through. */
  readonly #turn = new Gate(1)
  #size = 0
  #looked = 0
  #generation = 0
  /** A cut is under way: size and place don't agree for a moment. */
  #cutting = false

  constructor(options: LogFileOptions) {
    this.path = options.path
    this.#mode = options.mode
    this.#tools = options.tools
    this.#truncated = options.truncated
    this.#place = new LogPlace(options.path)
    this.index = new LogIndex(`${options.path}.idx`)
    this.archives = new LogArchives(options.path, options.log)
  }

  get head(): number {
    return this.#place.now.head
  }

  /** Takes over what an earlier server left, a rotation it was in the middle of included. `names`: the files of its directory. */
  async open(names: readonly string[] = readdirSync(dirname(this.path))): Promise<void> {
    const beside = names.filter((name) => name.startsWith(`${basename(this.path)}.`))
    if (beside.includes(basename(this.index.path))) this.index.open()
    if (beside.includes(basename(this.#place.path))) this.#place.open()
    const [path, mode, tools, place, archives] = [this.path, this.#mode, this.#tools, this.#place, this.archives]
    await recoverLog({ path, mode, tools, place, archives }, beside)
    this.#size = sizeOf(this.path)
    this.#growth.begin(this.#place.now.base + this.#size)
  }

  /** Looks at the file's size and keeps the index. `final`: nothing more is to come for now. */
  sample(options: { readonly final?: boolean } = {}): Sample {
    if (this.#cutting) return { live: 0, end: this.#place.now.base + this.#size }
    const stat = statSync(this.path, { throwIfNoEntry: false })
    const size = stat?.size ?? 0
    if (size < this.#size) {
      // The program emptied its own log, as `>/dev/stdout` does. Positions go on from where the log was. When it has
      // written as much again between two looks, this isn't seen, and a follower misses that much.
      this.#truncated()
      const base = this.#place.now.base + this.#size
      this.#size = size
      this.#place.set({ base, head: base })
    }
    this.#size = size
    const end = this.#place.now.base + size
    if (stat !== undefined && size > 0) this.index.add({ offset: end, epoch: stat.mtimeMs }, { force: options.final ?? false })
    return { live: end - this.#place.now.head, end }
  }

  /** As `sample`, for whoever decides by it what to do and when to look again. `at`: on the monotonic clock. */
  look(at: Millis): Growth & { readonly live: number } {
    const { live, end } = this.sample()
    this.#looked = this.#size
    return { live, ...this.#growth.at(at, end) }
  }

  /** True when the file isn't as large as it was at the last `look`, whoever has sampled it since. */
  hasChanged(): boolean {
    return sizeOf(this.path) !== this.#looked
  }

  /** The logical end at this moment. */
  end(): Promise<number> {
    return this.locked(() => this.sample().end)
  }

  /** Runs `task` while nothing is cut. */
  locked<T>(task: () => T | Promise<T>): Promise<T> {
    return this.#lock.run(async () => task())
  }

  /**
   * Bytes of the live file from a logical position on; empty at the end. Undefined: the position lies before what the
   * live file keeps, so an archive may have it.
   */
  read(position: number, max: number): Promise<Buffer | undefined> {
    return this.locked(() => {
      if (position < this.#place.now.head) return undefined
      return readAt(this.path, position - this.#place.now.base, max)
    })
  }

  /**
   * Rotates until the live file is below its size. Gives the bytes dropped without a copy, because it grew too fast for that. `rate`:
   * bytes a second that it grows by. An archive of a fast log would be deleted as soon as it is made, and the copy costs more
   * than the program's own writing: then the live file itself holds as much as live file and archives may, and only its head goes.
   */
  rotate(config: LogConfig, rate: number): Promise<number> {
    return this.#turn.run(() => this.#rotate(config, rate))
  }

  async #rotate(config: LogConfig, rate: number): Promise<number> {
    const maxSize = Math.max(config.maxSize, 2 * BLOCK)
    const maxLive = maxSize * Math.max(config.maxFiles, 1)
    // A copy-truncate would drop all of it.
    const isFast = this.#mode !== 'truncate' && rate * ARCHIVE_WORTH >= maxLive
    let dropped = 0
    for (;;) {
      const { live } = this.sample()
      if (live < maxSize) break
      if (isFast && live <= maxLive + maxSize) {
        this.archives.makeRoom(maxSize, maxLive + maxSize - live)
        this.index.prune(this.archives.list()[0]?.start ?? this.#place.now.head)
        return dropped
      }
      if (live > maxLive + maxSize) {
        // What is dropped is older than all that retention would keep, and so are the archives.
        dropped += await this.#takeOff(live - maxLive, undefined)
        this.archives.expire(0)
      } else {
        this.archives.makeRoom(maxSize, maxLive + maxSize - live)
        await this.#takeOff(maxSize, config)
        this.archives.expire(config.maxFiles)
      }
    }
    this.archives.expire(config.maxFiles)
    this.index.prune(this.archives.list()[0]?.start ?? this.#place.now.head)
    return dropped
  }

  /** Starts over with an empty file, to be called while nobody writes: holes add up where pieces can only be punched out. */
  renew(config: LogConfig): Promise<void> {
    return this.#turn.run(async () => {
      this.sample()
      if (this.#mode !== 'punch' || this.#size < 16 * Math.max(config.maxSize, BLOCK)) return
      const { base, head } = this.#place.now
      const end = base + this.#size
      if (end > head) await this.archives.write(head - base, end - head, this.archives.pathOf(head, end, config.compress), config.compress)
      await this.locked(() => {
        replaceByEmpty(this.path)
        this.#size = 0
        this.#place.set({ base: end, head: end })
      })
    })
  }

  /** Copies (unless `config` is absent) and cuts up to `wanted` bytes. Gives how many. */
  async #takeOff(wanted: number, config: LogConfig | undefined): Promise<number> {
    const place = this.#place.now
    const { base, head } = place
    const physical = head - base
    const size = this.#size
    // Whole blocks, and one byte at least stays: the range must end before the end of the file.
    const blocks = Math.floor(Math.min(wanted, size - physical - 1) / BLOCK)
    const length = this.#mode === 'truncate' ? size - physical : blocks * BLOCK
    if (length <= 0) return 0
    const archive = config === undefined ? undefined : this.archives.pathOf(head, head + length, config.compress)
    const note = {
      ...describePiece(this.path, { mode: this.#mode, place, length, size }),
      ...(archive === undefined ? {} : { archive: basename(archive) }),
    }
    this.#generation += 1
    const notePath = `${this.path}.rotate.${this.#generation}`
    // What the cut is booked with takes its space before: a disk that is full by then must not keep the books from agreeing with it.
    this.#place.reserve()
    try {
      writeSynced(notePath, JSON.stringify(note))
      if (archive !== undefined) await this.archives.write(physical, length, archive, config?.compress ?? false)
      // A collapse writes out all that is dirty, while whoever writes to the file waits. Done before, nobody waits for the most of it.
      if (this.#mode === 'collapse') await syncData(this.path)
      await this.locked(() => this.#cutAndBook(note, notePath))
    } catch (err) {
      // Cut, and only the books could not be written: they are right in memory, and the note lets the next server put them right.
      if (this.#place.now !== place) throw err
      // The bytes are in the live file, where the next look finds them.
      rmSync(notePath, { force: true })
      if (archive !== undefined) for (const path of [archive, `${archive}.tmp`]) rmSync(path, { force: true })
      throw err
    }
    return length
  }

  async #cutAndBook(note: RotationNote, notePath: string): Promise<void> {
    this.#cutting = true
    try {
      await cutPiece(this.path, note, notePath, this.#tools)
      if (note.mode === 'collapse') this.#size -= note.length
      if (note.mode === 'truncate') this.#size = statSync(this.path).size
      this.#place.set(placeAfter(note))
      rmSync(notePath, { force: true })
    } finally {
      this.#cutting = false
    }
  }
}
