import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32, createGunzip, createGzip } from 'node:zlib'
import { nextTurn } from '../base/turn.ts'
import { FORMAT } from './level-load.ts'
import type { KeyValue, Revision, Store } from './store.ts'

/** Of the file; a higher one was written by a newer pmk. */
const VERSION = 1
/** Text handed on at once: others get a turn in between. */
const CHUNK = 64 * 1024

/**
 * A backup is gzipped text. Its first line is a header; then comes a line for each key, in their order, with its own checksum,
 *
 *     1c291ca3 ["/pmk.dev/processes/default/web",17,42,"…"]     CRC-32 of what follows; key, createRevision, modRevision, value
 *
 * and last a line that says how many they are and gives the SHA-256 of all lines before it. History is not part of it.
 */
export interface BackupHeader {
  readonly pmkBackup: number
  /** Layout of the values. */
  readonly storeFormat: number
  /** The state of the store at this revision. */
  readonly revision: Revision
  /** RFC 3339. */
  readonly createdAt: string
  /** Version of pmk. */
  readonly writtenBy: string
}

/** What is wrong with a backup, and where. */
export class BackupError extends Error {
  override readonly name = 'BackupError'
}

/** Everything that the store holds at this moment, as a file; writers go on meanwhile. Works also while the disk refuses writes. */
export async function backupOf(
  store: Store,
  about: Pick<BackupHeader, 'createdAt' | 'writtenBy'>,
): Promise<{ readonly revision: Revision; readonly chunks: AsyncIterable<Uint8Array> }> {
  // One page of all keys: values are shared with the store and stay as they are, whatever is written from now on.
  const { items, revision } = await store.range('')
  const header: BackupHeader = { pmkBackup: VERSION, storeFormat: FORMAT, revision, ...about }
  return { revision, chunks: compressed(textOf(header, items)) }
}

/** Reads a backup to its end and gives its header and records as they come. Throws BackupError, maybe after many records: only the end proves it whole. */
export async function* readBackup(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<BackupHeader | KeyValue, void, undefined> {
  const hash = createHash('sha256')
  let header: BackupHeader | undefined
  let last: KeyValue | undefined
  let records = 0
  let ended = false
  try {
    for await (const line of linesOf(decompressed(chunks))) {
      if (ended) throw new BackupError('there is something behind its last line')
      if (header === undefined) {
        header = headerIn(line)
        yield header
      } else if (line.startsWith('{')) {
        checkEnd(line, { records, sha256: hash.digest('hex') })
        ended = true
        continue
      } else {
        const record = recordIn(line, header, last)
        yield record
        last = record
        records += 1
      }
      hash.update(`${line}\n`)
    }
  } catch (err) {
    if (!(err instanceof BackupError) && !isDataError(err)) throw err
    throw new BackupError(`The backup is damaged ${placeOf(header, records, last)}: ${(err as Error).message}`, { cause: err })
  }
  if (!ended) throw new BackupError(`The backup is cut off ${placeOf(header, records, last)}`)
}

export function isHeader(item: BackupHeader | KeyValue): item is BackupHeader {
  return 'pmkBackup' in item
}

async function* textOf(header: BackupHeader, items: readonly KeyValue[]): AsyncGenerator<string, void, undefined> {
  const hash = createHash('sha256')
  let text = `${JSON.stringify(header)}\n`
  for (const { key, createRevision, modRevision, value } of items) {
    const record = JSON.stringify([key, createRevision, modRevision, value])
    text += `${checksum(record)} ${record}\n`
    if (text.length < CHUNK) continue
    hash.update(text)
    yield text
    text = ''
    await nextTurn()
  }
  hash.update(text)
  yield `${text}${JSON.stringify({ records: items.length, sha256: hash.digest('hex') })}\n`
}

function headerIn(line: string): BackupHeader {
  const header = parse(line) as Partial<BackupHeader> | null
  if (typeof header?.pmkBackup !== 'number') throw new BackupError('it does not begin as a backup of pmk')
  if (header.pmkBackup > VERSION || Number(header.storeFormat) > FORMAT) {
    throw new BackupError(`it was written by pmk ${header.writtenBy} in a newer format; use that version to restore it`)
  }
  if (!isRevision(header.revision)) throw new BackupError('its header names no revision')
  return header as BackupHeader
}

function recordIn(line: string, header: BackupHeader, last: KeyValue | undefined): KeyValue {
  const record = line.slice(9)
  if (line.slice(0, 9) !== `${checksum(record)} `) throw new BackupError('the checksum of the next record is wrong')
  const [key, createRevision, modRevision, value] = parse(record) as readonly unknown[]
  if (typeof key !== 'string' || typeof value !== 'string' || !isRevision(createRevision) || !isRevision(modRevision)) {
    throw new BackupError('the next record is none')
  }
  if (createRevision > modRevision || modRevision > header.revision) throw new BackupError(`the revisions of ${key} can't be`)
  if (last !== undefined && key <= last.key) throw new BackupError(`${key} is not in its place`)
  return { key, value, createRevision, modRevision }
}

function checkEnd(line: string, found: { readonly records: number; readonly sha256: string }): void {
  const end = parse(line) as { readonly records?: unknown; readonly sha256?: unknown }
  if (end.records !== found.records) throw new BackupError(`there should be ${end.records} records`)
  if (end.sha256 !== found.sha256) throw new BackupError('the checksum of the whole is wrong')
}

function isRevision(value: unknown): value is Revision {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (err) {
    throw new BackupError('the next line is not JSON', { cause: err })
  }
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}

function placeOf(header: BackupHeader | undefined, records: number, last: KeyValue | undefined): string {
  if (header === undefined) return 'at its beginning'
  return last === undefined ? 'behind its header' : `behind record ${records} (${last.key})`
}

/** What zlib says of bytes that it did not write. */
function isDataError(err: unknown): boolean {
  return err instanceof Error && 'code' in err && /^Z_(DATA|BUF)_ERROR$/.test(String(err.code))
}

function compressed(text: AsyncIterable<string>): AsyncIterable<Uint8Array> {
  return through(text, createGzip())
}

function decompressed(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return through(chunks, createGunzip())
}

async function* through(
  source: AsyncIterable<string | Uint8Array>,
  codec: ReturnType<typeof createGzip>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let failure: unknown
  const piping = pipeline(Readable.from(source), codec).catch((err: unknown) => {
    failure = err
  })
  try {
    for await (const chunk of codec) yield chunk as Buffer
  } catch (err) {
    await piping
    throw failure ?? err
  }
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') throw new BackupError('its last line has no end')
}
