import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import type { Ledger } from './ledger.ts'

/** In milliseconds. */
const LONGEST_ROTATION = 20_000

const LINE = /^(\S+)\.(\d+) (\d+) x+$/

/** Reads numbered lines as they come, of one Instance, and says where they don't go on as they should. */
export class LineReader {
  readonly #ledger: Ledger
  readonly #uid: string
  #rest = ''
  #attempt: number | undefined
  #line = 0
  lines = 0
  bytes = 0

  constructor(ledger: Ledger, uid: string) {
    this.#ledger = ledger
    this.#uid = uid
  }

  /** The run and the number of the last line. */
  get position(): { readonly attempt: number | undefined; readonly line: number } {
    return { attempt: this.#attempt, line: this.#line }
  }

  /** What comes next may begin anywhere. */
  lost(): void {
    this.#attempt = undefined
    this.#rest = ''
  }

  feed(bytes: Uint8Array): readonly string[] {
    this.bytes += bytes.length
    const lines = (this.#rest + Buffer.from(bytes).toString('latin1')).split('\n')
    this.#rest = lines.pop() ?? ''
    return lines.flatMap((line) => this.#take(line) ?? [])
  }

  #take(text: string): string | undefined {
    const line = this.#afterTear(text)
    const match = LINE.exec(line)
    if (match === null || (this.#attempt === undefined && match[1] !== this.#uid)) {
      // The first line after a place that is not known may be half a one, without its beginning.
      return this.#attempt === undefined
        ? undefined
        : `${JSON.stringify(line.slice(0, 200))} after line ${this.#line} of attempt ${this.#attempt}`
    }
    const attempt = Number(match[2])
    const number = Number(match[3])
    if (match[1] !== this.#uid) return `a line of ${match[1]} in the log of ${this.#uid}`
    const { attempt: before, line: last } = this.position
    this.#attempt = attempt
    this.#line = number
    this.lines += 1
    if (before === undefined) return undefined
    if (attempt === before) return number === last + 1 ? undefined : `line ${number} after ${last} of attempt ${attempt}`
    if (attempt < before) return `line ${number} of attempt ${attempt} after line ${last} of attempt ${before}`
    return this.#gap(before, last, attempt, number)
  }

  /** A program that was killed within a write, as on a full disk, leaves the beginning of its next line before the first of the next run. */
  #afterTear(text: string): string {
    const { attempt, line } = this.position
    const start = text.lastIndexOf(`${this.#uid}.`)
    if (attempt === undefined || start <= 0) return text
    const run = this.#ledger.of(this.#uid).find((each) => each.attempt === attempt)
    const torn = text.slice(0, start)
    const begins = `${this.#uid}.${attempt} ${line + 1} `
    const isNext = begins.startsWith(torn) || (torn.startsWith(begins) && /^x+$/.test(torn.slice(begins.length)))
    const rest = text.slice(start)
    const isOfNextRun = Number(LINE.exec(rest)?.[2]) > attempt
    return isNext && isOfNextRun && run !== undefined && run.end === undefined ? rest : text
  }

  /** Between the last line of one run and the first of another. */
  #gap(before: number, last: number, attempt: number, number: number): string | undefined {
    const written = this.#ledger.lines(this.#uid, before)
    if (written > last) return `attempt ${before} wrote ${written} lines and ${last} are there before attempt ${attempt}`
    if (number !== 1) return `attempt ${attempt} begins with line ${number}`
    for (let between = before + 1; between < attempt; between++) {
      const lines = this.#ledger.lines(this.#uid, between)
      if (lines > 0) return `attempt ${between} wrote ${lines} lines, and none is between attempts ${before} and ${attempt}`
    }
    return undefined
  }
}

interface Piece {
  readonly file: string
  readonly start: number
  readonly end: number
}

/** What is on the disk of a log: the archives, oldest first, and the live file, which must join without a gap. */
export function readWholeLog(
  dataDir: string,
  uid: string,
): { readonly text: Buffer; readonly wrong: string | undefined; readonly isWhole: boolean } {
  const directory = join(dataDir, 'logs', uid)
  const names = readdirSync(directory)
  const archives = names
    .flatMap((file): readonly Piece[] => {
      const match = /^log\.(\d+)-(\d+)(\.gz)?$/.exec(file)
      return match === null ? [] : [{ file, start: Number(match[1]), end: Number(match[2]) }]
    })
    .sort((a, b) => a.start - b.start)
  const place = names.includes('log.place')
    ? (JSON.parse(readFileSync(join(directory, 'log.place'), 'utf8')) as { readonly base: number; readonly head: number })
    : { base: 0, head: 0 }
  let wrong: string | undefined
  const pieces = archives.map(({ file, start, end }, index) => {
    const bytes = readFileSync(join(directory, file))
    const text = file.endsWith('.gz') ? gunzipSync(bytes) : bytes
    if (text.length !== end - start) wrong ??= `${file} holds ${text.length} bytes`
    const next = archives[index + 1]?.start ?? place.head
    if (next !== end) wrong ??= `${file} ends at ${end} and what follows begins at ${next}`
    return text
  })
  const live = readFileSync(join(directory, 'log')).subarray(place.head - place.base)
  const first = archives[0]?.start ?? place.head
  return { text: Buffer.concat([...pieces, live]), wrong, isWhole: first === 0 }
}

/** Whether a rotation is under way: then what is there and what is booked don't agree for a moment. */
function isRotating(dataDir: string, uid: string): boolean {
  return readdirSync(join(dataDir, 'logs', uid)).some((file) => /\.rotate\.|\.tmp$/.test(file))
}

/** Reads it all again while a rotation is under way: what is read of several files must be of one moment. */
async function readAtRest(dataDir: string, uid: string): Promise<ReturnType<typeof readWholeLog>> {
  const booked = (): string => {
    const directory = join(dataDir, 'logs', uid)
    const names = readdirSync(directory).sort()
    return JSON.stringify([names, names.includes('log.place') ? readFileSync(join(directory, 'log.place'), 'utf8') : ''])
  }
  for (const end = performance.now() + LONGEST_ROTATION; ; await pause(20)) {
    const before = booked()
    try {
      const read = readWholeLog(dataDir, uid)
      if (booked() === before && !isRotating(dataDir, uid)) return read
    } catch (err) {
      // Retention may take an archive that has been listed.
      if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err
    }
    if (performance.now() > end) throw new Error(`the log of ${uid} is being rotated without end`)
  }
}

/** Checks one log on the disk, at rest, against the ledger. */
export async function checkLog(
  dataDir: string,
  uid: string,
  ledger: Ledger,
): Promise<{ readonly wrong: readonly string[]; readonly bytes: number }> {
  const { text, wrong, isWhole } = await readAtRest(dataDir, uid)
  const reader = new LineReader(ledger, uid)
  const found = [...(wrong === undefined ? [] : [wrong])]
  // What retention has deleted may have been any number of lines.
  if (isWhole && text.length > 0) {
    const first = LINE.exec(text.toString('latin1', 0, 200).split('\n', 1)[0] ?? '')
    const earliest = ledger.of(uid).find(({ attempt }) => ledger.lines(uid, attempt) > 0)
    if (first === null || Number(first[3]) !== 1 || (earliest !== undefined && Number(first[2]) > earliest.attempt))
      found.push(`the log begins with ${JSON.stringify(text.toString('latin1', 0, 80))}`)
  }
  found.push(...reader.feed(text))
  const newest = ledger.of(uid).at(-1)
  const { attempt, line } = reader.position
  if (newest !== undefined) {
    const written = ledger.lines(uid, newest.attempt)
    if (written > 0 && (attempt !== newest.attempt || line < written))
      found.push(`attempt ${newest.attempt} wrote ${written} lines, the log ends with line ${line} of attempt ${attempt}`)
  }
  return { wrong: found.map((each) => `log of ${newest?.instance ?? uid}: ${each}`), bytes: text.length }
}
