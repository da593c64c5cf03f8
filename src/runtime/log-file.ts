import {
  chownSync,
  closeSync,
  constants,
  createReadStream,
  createWriteStream,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { awaitCuts, BLOCK, type CutMode, type CutTools, cut } from './log-cut.ts'
import { LogIndex } from './log-index.ts'
import { digest, readAt, readJson, syncData, writeSynced } from './log-io.ts'
import type { LogConfig } from './runtime.ts'

const RATE_WINDOW: Millis = 2_000

/** Seconds that an archive must be going to live, at the present rate, to be worth its copy. */
const ARCHIVE_WORTH = 30

/** A piece taken off the live file: the bytes of the logical range [start, end). */
export interface Archive {
  readonly path: string
  readonly start: number
  readonly end: number
  readonly compressed: boolean
}

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

export interface Look {
  readonly live: number
  /** Bytes more than at the last look. */
  readonly grown: number
  /** Bytes a second, of the last few seconds; infinite at the first look, which knows nothing and so archives nothing. */
  readonly rate: number
}

interface Mark {
  readonly at: Millis
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
  readonly #mode: CutMode
  readonly #tools: CutTools
  readonly #log: Logger
  readonly #truncated: () => void
  #place: Place = { base: 0, head: 0 }
  #size = 0
  #looked = 0
  #lookedEnd = 0
  /** Two earlier looks, the older one first, that are RATE_WINDOW apart. */
  #marks: readonly [Mark, Mark] | undefined
  #lock: Promise<unknown> = Promise.resolve()
  #turn: Promise<unknown> = Promise.resolve()
  #generation = 0
  /** A cut is under way: size and place don't agree for a moment. */
  #cutting = false

  constructor(options: LogFileOptions) {
    this.path = options.path
    this.#mode = options.mode
    this.#tools = options.tools
    this.#log = options.log
    this.#truncated = options.truncated
    this.index = new LogIndex(`${options.path}.idx`)
  }

  get head(): number {
    return this.#place.head
  }

  /** Takes over what an earlier server left, a rotation it was in the middle of included. `names`: the files of its directory. */
  async open(names: readonly string[] = readdirSync(dirname(this.path))): Promise<void> {
    const beside = names.filter((name) => name.startsWith(`${basename(this.path)}.`))
    if (beside.includes(basename(this.index.path))) this.index.open()
    if (beside.includes(basename(this.#placePath))) this.#place = readJson<Place>(this.#placePath) ?? this.#place
    for (const name of beside) if (name.endsWith('.tmp')) rmSync(join(dirname(this.path), name), { force: true })
    await this.#recover(beside)
    this.#recoverRenewal()
    this.#size = statSync(this.path, { throwIfNoEntry: false })?.size ?? 0
    this.#lookedEnd = this.#place.base + this.#size
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
  look(at: Millis): Look {
    const { live, end } = this.sample()
    const grown = end - this.#lookedEnd
    this.#looked = this.#size
    this.#lookedEnd = end
    // Many programs write in bursts: what counts is the rate of some seconds.
    const [from, middle] = this.#marks ?? [
      { at, end: end - grown },
      { at, end: end - grown },
    ]
    this.#marks = at - middle.at >= RATE_WINDOW ? [middle, { at, end }] : [from, middle]
    return { live, grown, rate: at > from.at ? ((end - from.end) / (at - from.at)) * 1_000 : Number.POSITIVE_INFINITY }
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

  /** Oldest first. */
  archives(): readonly Archive[] {
    const name = basename(this.path)
    const archives = readdirSync(dirname(this.path)).flatMap((file) => {
      const match = file.startsWith(`${name}.`) ? /^(\d+)-(\d+)(\.gz)?$/.exec(file.slice(name.length + 1)) : null
      if (match === null) return []
      return [{ path: join(dirname(this.path), file), start: Number(match[1]), end: Number(match[2]), compressed: match[3] !== undefined }]
    })
    return archives.sort((a, b) => a.start - b.start)
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
        this.#makeRoom(maxSize, maxLive + maxSize - live)
        return dropped
      }
      if (live > maxLive + maxSize) {
        // What is dropped is older than all that retention would keep, and so are the archives.
        dropped += await this.#takeOff(live - maxLive, undefined)
        for (const archive of this.archives()) rmSync(archive.path, { force: true })
      } else {
        this.#makeRoom(maxSize, maxLive + maxSize - live)
        await this.#takeOff(maxSize, config)
        this.#expire(config.maxFiles)
      }
    }
    this.#expire(config.maxFiles)
    return dropped
  }

  /** Starts over with an empty file, to be called while nobody writes: holes add up where pieces can only be punched out. */
  renew(config: LogConfig): Promise<void> {
    return this.#inTurn(async () => {
      this.sample()
      if (this.#mode !== 'punch' || this.#size < 16 * Math.max(config.maxSize, BLOCK)) return
      const { base, head } = this.#place
      const end = base + this.#size
      if (end > head) await this.#archive(head - base, end - head, this.#archivePath(head, end, config.compress), config.compress)
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
    const last = this.archives().at(-1)
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

  #expire(maxFiles: number): void {
    const archives = this.archives()
    for (const archive of archives.slice(0, Math.max(0, archives.length - maxFiles))) rmSync(archive.path, { force: true })
    this.index.prune(this.archives()[0]?.start ?? this.#place.head)
  }

  /** The oldest archives go when all together would be too much, and on a disk that is nearly full if that gives room for the piece. */
  #makeRoom(piece: number, allowed: number): void {
    const archives = this.archives()
    const free = (): number => {
      const { bavail, bsize } = statfsSync(dirname(this.path))
      return bavail * bsize
    }
    const needed = 2 * piece
    const onDisk = archives.reduce((total, { path }) => total + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0)
    // Where others fill the disk, these would be lost for nothing.
    const helps = free() + onDisk >= needed
    let kept = archives.reduce((total, archive) => total + archive.end - archive.start, 0)
    for (const archive of archives) {
      const isFull = helps && free() < needed
      if (kept <= allowed && !isFull) return
      if (isFull) this.#log.warn({ file: archive.path }, 'The disk is nearly full: an archived log is deleted')
      rmSync(archive.path, { force: true })
      kept -= archive.end - archive.start
    }
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
    const archive = config === undefined ? undefined : this.#archivePath(head, head + length, config.compress)
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
      if (archive !== undefined) await this.#archive(physical, length, archive, config?.compress ?? false)
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

  async #archive(offset: number, length: number, path: string, compress: boolean): Promise<void> {
    const source = createReadStream(this.path, { start: offset, end: offset + length - 1, highWaterMark: 256 * 1024 })
    const target = createWriteStream(`${path}.tmp`, { mode: 0o600 })
    if (compress) await pipeline(source, createGzip({ level: 1 }), target)
    else await pipeline(source, target)
    const fd = openSync(`${path}.tmp`, 'r')
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(`${path}.tmp`, path)
  }

  #archivePath(start: number, end: number, compress: boolean): string {
    return `${this.path}.${start}-${end}${compress ? '.gz' : ''}`
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
    switch (note.mode) {
      case 'punch':
        // Twice does no harm.
        await this.#cut(notePath, offset, note.length)
        this.#finish(note)
        return
      case 'truncate':
        // It can't be told whether what stands there now is old or new: the copy goes rather than a line.
        if (this.#size >= note.size && archive !== undefined) rmSync(archive, { force: true })
        else this.#finish(note)
        return
      case 'collapse': {
        const isUncut =
          this.#size >= note.size &&
          digest(readAt(this.path, offset, BLOCK)) === note.first &&
          digest(readAt(this.path, offset + note.length - BLOCK, BLOCK)) === note.last
        // A log of constant bytes looks the same either way: a piece doubled is better than a piece lost.
        const isAmbiguous = note.first === note.last && note.first === note.behind
        if (isUncut && !isAmbiguous) await this.#cut(notePath, offset, note.length)
        this.#size = statSync(this.path).size
        this.#setPlace({ base: note.place.head + note.length, head: note.place.head + note.length })
        return
      }
    }
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

/** Between looks at a log into which nobody writes. */
export const QUIET_LOOK: Millis = 10_000

/** When the next look is due, from how fast the log grows: often enough to stay near its size. */
export function nextLook(options: {
  readonly grown: number
  readonly during: Millis
  readonly maxSize: number
  readonly previous: Millis
}): Millis {
  const { grown, during, maxSize, previous } = options
  if (grown <= 0) return Math.min(QUIET_LOOK, Math.max(1_000, previous * 5))
  return Math.min(1_000, Math.max(50, (maxSize / 8 / grown) * Math.max(1, during)))
}
