import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { type Millis, timestampOf } from '../base/clock.ts'
import type { Archive } from './log-archives.ts'
import type { LogFile } from './log-file.ts'
import { type IndexEntry, timeOf } from './log-index.ts'
import { isMissing } from './state-dir.ts'

/** Bytes and the logical position of the first of them. */
export interface Piece {
  readonly position: number
  readonly bytes: Buffer
}

const CHUNK = 128 * 1024
const NEWLINE = 10

/** What is kept of the logical range, in order, each byte once. Ends at the end of the log when that comes first. */
export async function* readRange(file: LogFile, start: number, end: number): AsyncGenerator<Piece> {
  for (let position = start; position < end; ) {
    const live = await file.read(position, Math.min(CHUNK, end - position))
    if (live !== undefined) {
      if (live.length === 0) return
      yield { position, bytes: live }
      position += live.length
      continue
    }
    const archive = file.archives.list().find((each) => each.end > position)
    // A piece was dropped: go on behind the gap.
    if (archive === undefined) position = Math.max(position, file.head)
    else if (archive.start > position) position = Math.min(archive.start, Math.max(position, file.head))
    else {
      for await (const bytes of readArchive(archive, position, Math.min(archive.end, end))) {
        yield { position, bytes }
        position += bytes.length
      }
    }
  }
}

/** Ends early when the archive was deleted meanwhile: the next look at the directory tells where to go on. */
async function* readArchive(archive: Archive, from: number, to: number): AsyncGenerator<Buffer> {
  const raw = archive.compressed
    ? createReadStream(archive.path)
    : createReadStream(archive.path, { start: from - archive.start, end: to - archive.start - 1 })
  const gunzip = archive.compressed ? createGunzip({ chunkSize: CHUNK }) : undefined
  // An error of the source doesn't travel through pipe().
  if (gunzip !== undefined) raw.on('error', (err) => gunzip.destroy(err))
  const stream: Readable = gunzip === undefined ? raw : raw.pipe(gunzip)
  let position = archive.compressed ? archive.start : from
  try {
    for await (const piece of stream) {
      const bytes = piece as Buffer
      const wanted = bytes.subarray(Math.max(0, from - position), Math.max(0, to - position))
      position += bytes.length
      if (wanted.length > 0) yield wanted
      if (position >= to) return
    }
  } catch (err) {
    if (!isMissing(err)) throw err
  } finally {
    stream.destroy()
    raw.destroy()
  }
}

/** The position at which the last `lines` lines of the range begin. */
export async function startOfLastLines(file: LogFile, low: number, high: number, lines: number): Promise<number> {
  if (lines <= 0) return high
  let missing = lines
  let oldest = high
  for await (const { position, bytes } of readBackwards(file, low, high)) {
    // The newline at the very end closes the last line and opens none.
    let at = position + bytes.length === high ? bytes.length - 1 : bytes.length
    while (at > 0) {
      at = bytes.lastIndexOf(NEWLINE, at - 1)
      if (at < 0) break
      missing -= 1
      if (missing === 0) return position + at + 1
    }
    oldest = position
  }
  return Math.min(oldest, high)
}

/** The start of the line in which `position` lies, not before `low`; gives up beyond what one read holds. */
export async function startOfLine(file: LogFile, low: number, position: number): Promise<number> {
  const from = Math.max(low, position - CHUNK)
  if (from >= position) return position
  const before = await file.read(from, position - from)
  if (before === undefined) return position
  const newline = before.lastIndexOf(NEWLINE)
  return newline < 0 ? (from === low ? low : position) : from + newline + 1
}

async function* readBackwards(file: LogFile, low: number, high: number): AsyncGenerator<Piece> {
  for (let end = high; end > low; ) {
    const head = file.head
    if (end > head) {
      const start = Math.max(low, head, end - CHUNK)
      const bytes = await file.read(start, end - start)
      // A cut came in between: the archive has it now.
      if (bytes === undefined) continue
      yield { position: start, bytes }
      end = start
      continue
    }
    const archive = file.archives.list().findLast((each) => each.start < end)
    if (archive === undefined) return
    const start = Math.max(low, archive.start)
    end = Math.min(end, archive.end)
    const pieces: Buffer[] = []
    for await (const bytes of readArchive(archive, start, end)) pieces.push(bytes)
    yield { position: start, bytes: Buffer.concat(pieces) }
    end = start
  }
}

/** Whether a line begins at this position. */
export async function isLineStart(file: LogFile, position: number): Promise<boolean> {
  if (position === 0) return true
  for await (const { bytes } of readRange(file, position - 1, position)) return bytes[0] === NEWLINE
  return true
}

/** Puts the time in front of each line. Keeps in mind whether the piece before ended a line. */
export class LineStamps {
  readonly #entries: () => readonly IndexEntry[]
  readonly #now: () => Millis
  #isLineStart: boolean

  /** `isLineStart`: whether the first piece begins a line. */
  constructor(options: { readonly entries: () => readonly IndexEntry[]; readonly now: () => Millis; readonly isLineStart: boolean }) {
    this.#entries = options.entries
    this.#now = options.now
    this.#isLineStart = options.isLineStart
  }

  stamp({ position, bytes }: Piece): Buffer {
    const entries = this.#entries()
    const pieces: Buffer[] = []
    for (let start = 0; start < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, start)
      const end = newline < 0 ? bytes.length : newline + 1
      if (this.#isLineStart) pieces.push(Buffer.from(`${timestampOf(Math.round(timeOf(entries, position + start) ?? this.#now()))} `))
      pieces.push(bytes.subarray(start, end))
      this.#isLineStart = newline >= 0
      start = end
    }
    return Buffer.concat(pieces)
  }
}
