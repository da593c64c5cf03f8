import {
  chownSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { LogArchives } from './log-archives.ts'
import { awaitCuts, BLOCK, type CutMode, type CutTools, cut } from './log-cut.ts'
import { type Growth, LogGrowth } from './log-growth.ts'
import { LogIndex } from './log-index.ts'
import { digest, readAt, readJson, syncData, writeSynced } from './log-io.ts'
import type { LogConfig } from './runtime.ts'

/** Seconds that an archive must be going to live, at the present rate, to be worth its copy. */
const ARCHIVE_WORTH = 30

/** Logical positions: `base` is that of the live file's first byte, `head` that of the first byte in it that is still kept. */
interface Place {
  readonly base: number
  readonly head: number
}

/** Of the file that holds the place: room for two numbers of any size, so that each is written over the one before. */
const PLACE_SIZE = 64

/** What a rotation is about to do, written down before it does it. */
interface Note {
  readonly mode: CutMode
  readonly place: Place
  readonly length: number
  /** Size of the live file at that moment: smaller later means that it was cut. */
  readonly size: number
  /** Digests of the first and last block of the piece, and of the block behind it. */
  readonly first: string
  readonly last: string
  readonly behind: string
  /** Absent: the piece is dropped without a copy. */
  readonly archive?: string
}

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
  #place: Place = { base: 0, head: 0 }
  #size = 0
  #looked = 0
  #lock: Promise<unknown> = Promise.resolve()
  #turn: Promise<unknown> = Promise.resolve()
  #generation = 0
  /** A cut is under way: size and place don't agree for a moment. */
  #cutting = false

  constructor(options: LogFileOptions) {
    this.path = options.path
    this.#mode = options.mode
    this.#tools = options.tools
    this.#truncated = options.truncated
    this.index = new LogIndex(`${options.path}.idx`)
    this.archives = new LogArchives(options.path, options.log)
  }

  get head(): number {
    return this.#place.head
  }

  /** Takes over what an earlier server left, a rotation it was in the middle of included. `names`: the files of its directory. */
  async open(names: readonly string[] = readdirSync(dirname(this.path))): Promise<void> {
    const beside = names.filter((name) => name.startsWith(`${basename(this.path)}.`))
    if (beside.includes(basename(this.index.path))) this.index.open()
    if (beside.includes(basename(this.#placePath))) this.#place = readJson<Place>(this.#placePath) ?? this.#place
    for (const name of beside) if (name.endsWith('.tmp') || name.endsWith('.new')) rmSync(join(dirname(this.path), name), { force: true })
    await this.#recover(beside)
    this.#recoverRenewal()
    this.#size = statSync(this.path, { throwIfNoEntry: false })?.size ?? 0
    this.#growth.begin(this.#place.base + this.#size)
  }

  /** Looks at the file's size and keeps the index. `final`: nothing more is to come for now. */
  sample(options: { readonly final?: boolean } = {}): Sample {
    if (this.#cutting) return { live: 0, end: this.#place.base + this.#size }
    const stat = statSync(this.path, { throwIfNoEntry: false })
    const size = stat?.size ?? 0
    if (size < this.#size) {
      // The program emptied its own log, as `>/dev/stdout` does. Positions go on from where the log was. When it has
      // written as much again between two looks, this isn't seen, and a follower misses that much.
      this.#truncated()
      const base = this.#place.base + this.#size
      this.#size = size
      this.#setPlace({ base, head: base })
    }
    this.#size = size
    const end = this.#place.base + size
    if (stat !== undefined && size > 0) this.index.add({ offset: end, epoch: stat.mtimeMs }, { force: options.final ?? false })
    return { live: end - this.#place.head, end }
  }

  /** As `sample`, for whoever decides by it what to do and when to look again. `at`: on the monotonic clock. */
  look(at: Millis): Growth & { readonly live: number } {
    const { live, end } = this.sample()
    this.#looked = this.#size
    return { live, ...this.#growth.at(at, end) }
  }

  /** True when the file isn't as large as it was at the last `look`, whoever has sampled it since. */
  hasChanged(): boolean {
    return (statSync(this.path, { throwIfNoEntry: false })?.size ?? 0) !== this.#looked
  }

  /** The logical end at this moment. */
  end(): Promise<number> {
    return this.locked(() => this.sample().end)
  }

  /** Runs `task` while nothing is cut. */
  locked<T>(task: () => T | Promise<T>): Promise<T> {
    const result = this.#lock.then(task)
    this.#lock = result.catch(() => {
      // The caller of this task has it; the next one isn't concerned.
    })
    return result
  }

  /**
   * Bytes of the live file from a logical position on; empty at the end. Undefined: the position lies before what the
   * live file keeps, so an archive may have it.
   */
  read(position: number, max: number): Promise<Buffer | undefined> {
    return this.locked(() => {
      if (position < this.#place.head) return undefined
      return readAt(this.path, position - this.#place.base, max)
    })
  }

  /**
   * Rotates until the live file is below its size. Gives the bytes dropped without a copy, because it grew too fast for that. `rate`:
   * bytes a second that it grows by. An archive of a fast log would be deleted as soon as it is made, and the copy costs more
   * than the program's own writing: then the live file itself holds as much as live file and archives may, and only its head goes.
   */
  rotate(config: LogConfig, rate: number): Promise<number> {
    return this.#inTurn(() => this.#rotate(config, rate))
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
        this.index.prune(this.archives.list()[0]?.start ?? this.#place.head)
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
    this.index.prune(this.archives.list()[0]?.start ?? this.#place.head)
    return dropped
  }

  /** Starts over with an empty file, to be called while nobody writes: holes add up where pieces can only be punched out. */
  renew(config: LogConfig): Promise<void> {
    return this.#inTurn(async () => {
      this.sample()
      if (this.#mode !== 'punch' || this.#size < 16 * Math.max(config.maxSize, BLOCK)) return
      const { base, head } = this.#place
      const end = base + this.#size
      if (end > head) await this.archives.write(head - base, end - head, this.archives.pathOf(head, end, config.compress), config.compress)
      await this.locked(() => {
        const { mode, uid, gid } = statSync(this.path)
        const fresh = `${this.path}.new`
        writeFileSync(fresh, '', { mode })
        chownSync(fresh, uid, gid)
        renameSync(fresh, this.path)
        this.#size = 0
        this.#setPlace({ base: end, head: end })
      })
    })
  }

  /** Finishes the renewal in which an earlier server was killed: an archive that reaches beyond the place is all there is to see of it. */
  #recoverRenewal(): void {
    if (this.#mode !== 'punch') return
    const last = this.archives.list().at(-1)
    const { base, head } = this.#place
    if (last === undefined || last.end <= head) return
    const live = (statSync(this.path, { throwIfNoEntry: false })?.size ?? 0) - (head - base)
    // Not yet renewed: the bytes are in the live file, too.
    if (live >= last.end - head) rmSync(last.path)
    else this.#setPlace({ base: last.end, head: last.end })
  }

  /** One rotation or renewal at a time: both decide by the place, and change it only when they are through. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(task)
    this.#turn = result.catch(() => {
      // The caller of this task has it; the next one isn't concerned.
    })
    return result
  }

  /** Copies (unless `config` is absent) and cuts up to `wanted` bytes. Gives how many. */
  async #takeOff(wanted: number, config: LogConfig | undefined): Promise<number> {
    const { base, head } = this.#place
    const physical = head - base
    const size = this.#size
    // Whole blocks, and one byte at least stays: the range must end before the end of the file.
    const blocks = Math.floor(Math.min(wanted, size - physical - 1) / BLOCK)
    const length = this.#mode === 'truncate' ? size - physical : blocks * BLOCK
    if (length <= 0) return 0
    const archive = config === undefined ? undefined : this.archives.pathOf(head, head + length, config.compress)
    const note: Note = {
      mode: this.#mode,
      place: this.#place,
      length,
      size,
      first: digest(readAt(this.path, physical, BLOCK)),
      last: digest(readAt(this.path, physical + length - BLOCK, BLOCK)),
      behind: digest(readAt(this.path, physical + length, BLOCK)),
      ...(archive === undefined ? {} : { archive: basename(archive) }),
    }
    this.#generation += 1
    const notePath = `${this.path}.rotate.${this.#generation}`
    // What the cut is booked with takes its space before: a disk that is full by then must not keep the books from agreeing with it.
    if (statSync(this.#placePath, { throwIfNoEntry: false })?.size !== PLACE_SIZE) this.#setPlace(this.#place)
    try {
      writeSynced(notePath, JSON.stringify(note))
      if (archive !== undefined) await this.archives.write(physical, length, archive, config?.compress ?? false)
      // A collapse writes out all that is dirty, while whoever writes to the file waits. Done before, nobody waits for the most of it.
      if (this.#mode === 'collapse') await syncData(this.path)
      await this.locked(() => this.#cutAndBook(note, notePath, physical))
    } catch (err) {
      // Cut, and only the books could not be written: they are right in memory, and the note lets the next server put them right.
      if (this.#place !== note.place) throw err
      // The bytes are in the live file, where the next look finds them.
      rmSync(notePath, { force: true })
      if (archive !== undefined) for (const path of [archive, `${archive}.tmp`]) rmSync(path, { force: true })
      throw err
    }
    return length
  }

  async #cutAndBook(note: Note, notePath: string, offset: number): Promise<void> {
    this.#cutting = true
    try {
      await this.#cut(notePath, offset, note.length)
      this.#finish(note)
      rmSync(notePath, { force: true })
    } finally {
      this.#cutting = false
    }
  }

  async #cut(note: string, offset: number, length: number): Promise<void> {
    await cut(this.#mode, { file: this.path, lock: `${this.path}.lock`, note, offset, length }, this.#tools)
  }

  /** The books after a cut. */
  #finish(note: Note): void {
    const head = note.place.head + note.length
    if (note.mode === 'collapse') this.#size -= note.length
    if (note.mode === 'truncate') this.#size = statSync(this.path).size
    this.#setPlace({ base: note.mode === 'punch' ? note.place.base : head, head })
  }

  /** Finishes the rotation in which an earlier server was killed, without losing or doubling a byte. */
  async #recover(beside: readonly string[]): Promise<void> {
    const prefix = `${basename(this.path)}.rotate.`
    const notes = beside.filter((name) => name.startsWith(prefix))
    for (const name of notes) {
      const found = join(dirname(this.path), name)
      const note = readJson<Note>(found)
      const renamed = `${this.path}.rotate.${Math.max(0, ...notes.map((each) => Number(each.slice(prefix.length)) || 0)) + 1}`
      renameSync(found, renamed)
      // The dead server's child may be about to cut: from here on it finds no note under the old name.
      await awaitCuts(`${this.path}.lock`, this.#tools)
      const archive = note?.archive === undefined ? undefined : join(dirname(this.path), note.archive)
      if (note !== undefined && (archive === undefined || existsSync(archive))) await this.#redo(note, renamed, archive)
      rmSync(renamed, { force: true })
    }
  }

  async #redo(note: Note, notePath: string, archive: string | undefined): Promise<void> {
    // The books were written already: the note outlived them by a moment.
    if (this.#place.head >= note.place.head + note.length) return
    this.#place = note.place
    this.#size = statSync(this.path).size
    const offset = note.place.head - note.place.base
    if (note.mode === 'punch') {
      // Twice does no harm.
      await this.#cut(notePath, offset, note.length)
      this.#finish(note)
      return
    }
    const isUncut = this.#isUncut(note, offset)
    if (note.mode === 'truncate' && isUncut) {
      // More may have been written behind the copy: that goes rather than a line.
      if (archive !== undefined) rmSync(archive, { force: true })
      return
    }
    if (isUncut) await this.#cut(notePath, offset, note.length)
    this.#size = statSync(this.path).size
    this.#setPlace({ base: note.place.head + note.length, head: note.place.head + note.length })
  }

  /**
   * Whether the piece still stands at `offset`. A log of constant bytes looks the same either way and counts as cut: a piece doubled is
   * better than a piece lost.
   */
  #isUncut(note: Note, offset: number): boolean {
    const isConstant = note.first === note.last && (note.mode === 'truncate' || note.first === note.behind)
    return (
      !isConstant &&
      this.#size >= note.size &&
      digest(readAt(this.path, offset, BLOCK)) === note.first &&
      digest(readAt(this.path, offset + note.length - BLOCK, BLOCK)) === note.last
    )
  }

  /** In memory first, which is right whatever becomes of the disk; then over what stands there, which needs no space. */
  #setPlace(place: Place): void {
    this.#place = place
    const fd = openSync(this.#placePath, constants.O_WRONLY | constants.O_CREAT, 0o600)
    try {
      writeSync(fd, JSON.stringify(place).padEnd(PLACE_SIZE), 0)
    } finally {
      closeSync(fd)
    }
  }

  get #placePath(): string {
    return `${this.path}.place`
  }
}
