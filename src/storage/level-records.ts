import { crc32 } from 'node:zlib'
import type { Change } from './change-window.ts'
import type { KeyValue, Revision } from './store.ts'

/**
 * A record is the format byte, the CRC-32 of the rest as eight hex digits, a JSON header in one line, and the values as
 * they are: escaping them into the JSON would cost more than everything else here. LevelDB checks its blocks only when it
 * compacts them, hence a checksum of our own.
 */
const RECORD_FORMAT = '1'

/** Says what is wrong with a record; the caller knows its key. */
export class DamagedRecord extends Error {
  override readonly name = 'DamagedRecord'
}

/** A revision's place in the log. `void` stands for a write that failed and whose number is not given again. */
export type LogRecord = Change | { readonly type: 'void'; readonly revision: Revision }

export function encodeNumber(value: number): string {
  return seal({ n: value }, '')
}

export function decodeNumber(record: string): number {
  return revisionIn(open(record).header, 'n')
}

/** When the store was at which revision, as `[time, revision]` in their order, and the clock that says so. */
export interface MarksRecord {
  readonly boot: string
  /** When it was written; no mark is later. */
  readonly now: number
  readonly marks: readonly (readonly [at: number, revision: Revision])[]
}

export function encodeMarksRecord({ boot, now, marks }: MarksRecord): string {
  return seal({ b: boot, n: now, m: marks }, '')
}

export function decodeMarksRecord(record: string): MarksRecord {
  const { header } = open(record)
  const now = revisionIn(header, 'n')
  if (typeof header.b !== 'string' || !Array.isArray(header.m)) throw new DamagedRecord('it has no marks')
  const marks = header.m.map((mark: unknown) => {
    const [at, revision]: readonly unknown[] = Array.isArray(mark) ? mark : []
    const numbers = { at, revision }
    return [revisionIn(numbers, 'at'), revisionIn(numbers, 'revision')] as const
  })
  if (marks.some(([at]) => at > now)) throw new DamagedRecord('a mark is later than the record')
  return { boot: header.b, now, marks }
}

export function encodeValue(kv: KeyValue): string {
  return seal({ c: kv.createRevision, m: kv.modRevision }, kv.value)
}

export function decodeValue(key: string, record: string): KeyValue {
  const { header, body } = open(record)
  const kv = { key, value: body, createRevision: revisionIn(header, 'c'), modRevision: revisionIn(header, 'm') }
  if (kv.createRevision > kv.modRevision) throw new DamagedRecord('it was changed before it was created')
  return kv
}

export function encodeLog(record: LogRecord): string {
  // biome-ignore lint/nursery/useExhaustiveSwitchCases: it doesn't see that Exclude took the other case away; the compiler does
  switch (record.type) {
    case 'void':
      return seal({ t: 'void' }, '')
    case 'delete': {
      const { prev } = record
      return seal({ t: 'delete', k: prev.key, p: [prev.createRevision, prev.modRevision] }, prev.value)
    }
    case 'put': {
      const { kv, prev } = record
      const header = { t: 'put', k: kv.key, c: kv.createRevision, l: kv.value.length }
      if (prev === undefined) return seal(header, kv.value)
      return seal({ ...header, p: [prev.createRevision, prev.modRevision] }, kv.value + prev.value)
    }
  }
}

export function decodeLog(revision: Revision, record: string): LogRecord {
  const { header, body } = open(record)
  switch (header.t) {
    case 'void':
      return { type: 'void', revision }
    case 'delete': {
      const prev = prevIn(header, body)
      if (prev === undefined) throw new DamagedRecord('a delete does not say what it deleted')
      return { type: 'delete', revision, prev }
    }
    case 'put': {
      const length = revisionIn(header, 'l')
      const kv = { key: keyIn(header), value: body.slice(0, length), createRevision: revisionIn(header, 'c'), modRevision: revision }
      return { type: 'put', revision, kv, prev: prevIn(header, body.slice(length)) }
    }
    default:
      throw new DamagedRecord(`its type ${JSON.stringify(header.t)} is unknown`)
  }
}

type Header = Readonly<Record<string, unknown>>

function seal(header: Header, body: string): string {
  const rest = `${JSON.stringify(header)}\n${body}`
  return RECORD_FORMAT + crc32(rest).toString(16).padStart(8, '0') + rest
}

function open(record: string): { readonly header: Header; readonly body: string } {
  const format = record.slice(0, 1)
  if (format !== RECORD_FORMAT) throw new DamagedRecord(`its format byte is ${JSON.stringify(format)}, not "${RECORD_FORMAT}"`)
  const rest = record.slice(9)
  if (crc32(rest).toString(16).padStart(8, '0') !== record.slice(1, 9)) throw new DamagedRecord('its checksum does not match')
  const end = rest.indexOf('\n')
  try {
    const header: unknown = JSON.parse(rest.slice(0, end))
    if (end >= 0 && typeof header === 'object' && header !== null) return { header: header as Header, body: rest.slice(end + 1) }
  } catch (err) {
    throw new DamagedRecord('its header is not JSON', { cause: err })
  }
  throw new DamagedRecord('it has no header')
}

function revisionIn(header: Header, field: string): number {
  const value = header[field]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new DamagedRecord(`"${field}" is not a whole number`)
  return value
}

function keyIn(header: Header): string {
  if (typeof header.k !== 'string') throw new DamagedRecord('it names no key')
  return header.k
}

function prevIn(header: Header, value: string): KeyValue | undefined {
  if (header.p === undefined) return undefined
  const [createRevision, modRevision]: readonly unknown[] = Array.isArray(header.p) ? header.p : []
  const revisions = { c: createRevision, m: modRevision }
  return { key: keyIn(header), value, createRevision: revisionIn(revisions, 'c'), modRevision: revisionIn(revisions, 'm') }
}
