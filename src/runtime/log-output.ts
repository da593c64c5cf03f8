import { type Clock, epochOf, type Millis, sleep } from '../base/clock.ts'
import { logCursor, parseLogCursor } from './log-cursor.ts'
import type { LogFile } from './log-file.ts'
import { offsetSince } from './log-index.ts'
import { isLineStart, LineStamps, type Piece, readRange, startOfLastLines, startOfLine } from './log-reader.ts'
import type { RunMark } from './run-marks.ts'
import type { LogOptions, LogPiece } from './runtime.ts'

const FOLLOW_INTERVAL: Millis = 100

/** What an Instance has written. Fields change while it is read. */
export interface Output {
  readonly out: LogFile
  readonly err: LogFile
  /** The newest last. */
  marks: readonly RunMark[]
  /** Nothing more is to come. */
  retired: boolean
}

interface Source {
  readonly file: LogFile
  position: number
  /** Absent: goes on for ever. */
  readonly end: number | undefined
  readonly stamps: LineStamps | undefined
}

/** As `ProcessRuntime.logs` says. */
export async function* readOutput(output: Output, options: LogOptions, clock: Clock): AsyncGenerator<LogPiece> {
  const sources = options.cursor === undefined ? await runSources(output, options, clock) : await resumedSources(output, options, clock)
  // Without a run there is nothing to read, unless one is waited for.
  if (sources === undefined) return
  const [out, err] = sources
  const cursor = (): string => logCursor({ out: out.position, err: err.position })
  yield { bytes: Buffer.alloc(0), cursor: cursor(), skipped: 0 }
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY
  const isEndless = options.follow === true && out.end === undefined
  for (let isFirst = true; left > 0 && !options.signal.aborted; isFirst = false) {
    for (const source of sources) {
      for await (const { bytes, skipped } of piecesOf(source)) {
        const kept = bytes.subarray(0, left)
        left -= kept.length
        yield { bytes: kept, cursor: cursor(), skipped }
        if (left <= 0 || options.signal.aborted) return
      }
    }
    if (!isEndless || (output.retired && !isFirst)) return
    await sleep(clock, FOLLOW_INTERVAL, options.signal).catch(() => {
      // Only the abort ends this sleep early; the loop's condition sees it.
    })
  }
}

/** As `ProcessRuntime.tail` says. */
export async function tailOf({ out, err, marks }: Output, bytes: number): Promise<string> {
  const mark = marks.at(-1)
  if (mark === undefined) return ''
  const errors = await lastBytes(err, mark.err, bytes)
  return errors === '' ? lastBytes(out, mark.out, bytes) : errors
}

/** Both files from behind a cursor. */
async function resumedSources({ out, err }: Output, options: LogOptions, clock: Clock): Promise<readonly [Source, Source]> {
  const place = parseLogCursor(options.cursor ?? '')
  if (place === undefined) throw new RangeError('That is no cursor of a log')
  const source = async (file: LogFile, position: number): Promise<Source> => {
    const end = await file.end()
    const from = Math.min(position, end)
    const stamps = stampsOf(file, await isLineStart(file, from), options, clock)
    return { file, position: from, end: options.follow === true ? undefined : end, stamps }
  }
  return [await source(out, place.out), await source(err, place.err)]
}

/** What a run wrote into both files; undefined when there is no such run. */
async function runSources({ out, err, marks }: Output, options: LogOptions, clock: Clock): Promise<readonly [Source, Source] | undefined> {
  const newest = marks.at(-1)
  const mark = options.previous === true ? marks.at(-2) : newest
  if (mark === undefined && (options.previous === true || options.follow !== true)) return undefined
  const until = options.previous === true ? newest : undefined
  const source = async (file: LogFile, low: number, high: number | undefined): Promise<Source> => {
    const end = high ?? (await file.end())
    let start = low
    if (options.since !== undefined) {
      const since = Math.min(end, offsetSince(file.index.read(), epochOf(options.since)))
      if (since > low) start = await startOfLine(file, low, since)
    }
    if (options.tailLines !== undefined) start = await startOfLastLines(file, start, end, options.tailLines)
    return { file, position: start, end: options.follow === true ? high : end, stamps: stampsOf(file, true, options, clock) }
  }
  return [await source(out, mark?.out ?? 0, until?.out), await source(err, mark?.err ?? 0, until?.err)]
}

function stampsOf(file: LogFile, atLineStart: boolean, options: LogOptions, clock: Clock): LineStamps | undefined {
  if (options.timestamps !== true) return undefined
  const now = (): Millis => epochOf(clock.now())
  return new LineStamps({ entries: () => file.index.read(), now, isLineStart: atLineStart })
}

/** What there is to read of a source now. Its position goes along. */
async function* piecesOf(source: Source): AsyncGenerator<{ readonly bytes: Buffer; readonly skipped: number }> {
  for await (const piece of readRange(source.file, source.position, source.end ?? Number.MAX_SAFE_INTEGER)) {
    const { position, bytes }: Piece = piece
    const skipped = position - source.position
    source.position = position + bytes.length
    yield { bytes: source.stamps === undefined ? bytes : source.stamps.stamp(piece), skipped }
  }
}

async function lastBytes(file: LogFile, low: number, bytes: number): Promise<string> {
  const end = await file.end()
  const start = Math.max(low, end - bytes)
  const pieces: Buffer[] = []
  for await (const piece of readRange(file, start, end)) pieces.push(piece.bytes)
  const all = Buffer.concat(pieces)
  const newline = start > low ? all.indexOf(10) : -1
  return all.subarray(newline < 0 || newline === all.length - 1 ? 0 : newline + 1).toString()
}
