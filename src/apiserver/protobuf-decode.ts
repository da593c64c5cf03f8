import { MAX_VALUES, tooManyValues } from '../api/size.ts'
import { epochOf, timestampOf } from '../base/clock.ts'
import { parseJson } from './json-body.ts'
import type { MessageField, MessageType, Scalar } from './protobuf-messages.ts'
import { LENGTH_DELIMITED, ProtobufError, VARINT, WireReader } from './protobuf-wire.ts'

/**
 * A message as JSON. Fields that nobody knows are skipped; of a field that comes twice the last value counts, and of a message the parts of
 * both, as protobuf has it. Throws ProtobufError, and ApiError(RequestEntityTooLarge) for too many values.
 */
export function decodeMessage(bytes: Uint8Array, message: MessageType): object {
  const values: Values = new Map()
  readMessage(bytes, message, values, { left: MAX_VALUES })
  return objectOf(values)
}

/** Fields, or entries of a map, so far. They become an object at the end only, in which `__proto__` is a key like any other. */
type Values = Map<string, unknown>

/** How many values may still come. */
interface Budget {
  left: number
}

function readMessage(bytes: Uint8Array, message: MessageType, values: Values, budget: Budget): void {
  const reader = new WireReader(bytes)
  while (!reader.isAtEnd) {
    if (--budget.left < 0) throw tooManyValues()
    const tag = reader.tag()
    const field = message[tag.field]
    if (field === undefined) {
      reader.skip(tag)
      continue
    }
    const isVarint = field.shape !== 'map' && (field.type === 'int' || field.type === 'bool')
    if (tag.wireType !== (isVarint ? VARINT : LENGTH_DELIMITED)) throw new ProtobufError(`${field.name} has wire type ${tag.wireType}`)
    const value = isVarint ? integerOf(field.type, reader) : readValue(field, reader.slice(), values.get(field.name), budget)
    if (value === undefined || (!field.keepZero && isZero(value))) values.delete(field.name)
    else values.set(field.name, value)
  }
}

function integerOf(type: MessageField['type'], reader: WireReader): number | boolean {
  const value = reader.integer()
  return type === 'bool' ? value !== 0 : value
}

/** `known` is the value so far. */
function readValue({ type, shape }: MessageField, bytes: Uint8Array, known: unknown, budget: Budget): unknown {
  switch (shape) {
    case 'one':
      return typeof type === 'object' ? partsOf(bytes, type, known, budget) : scalarOf(type, bytes, budget)
    case 'list': {
      const items: unknown[] = Array.isArray(known) ? known : []
      items.push(typeof type === 'object' ? partsOf(bytes, type, undefined, budget) : scalarOf(type, bytes, budget))
      return items
    }
    case 'map': {
      const entries: Values = known instanceof Map ? known : new Map()
      const entry: Values = new Map()
      readMessage(bytes, { 1: KEY, 2: { name: 'value', type, shape: 'one', keepZero: true } }, entry, budget)
      // What is left out of an entry is empty.
      entries.set(String(entry.get('key') ?? ''), entry.get('value') ?? (type === 'strings' ? [] : ''))
      return entries
    }
  }
}

const KEY: MessageField = { name: 'key', type: 'string', shape: 'one', keepZero: true }

function partsOf(bytes: Uint8Array, message: MessageType, known: unknown, budget: Budget): Values {
  const parts: Values = known instanceof Map ? known : new Map()
  readMessage(bytes, message, parts, budget)
  return parts
}

function scalarOf(type: Scalar, bytes: Uint8Array, budget: Budget): unknown {
  switch (type) {
    case 'string':
      return textOf(bytes)
    case 'bytes':
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
    case 'raw':
      return bytes
    case 'time':
    case 'microTime':
      return timeOf(type, bytes, budget)
    case 'strings':
      return partsOf(bytes, STRINGS, undefined, budget).get('items') ?? []
    case 'json':
      return jsonOf(partsOf(bytes, RAW_JSON, undefined, budget).get('raw'))
    case 'int':
    case 'bool':
      throw new ProtobufError(`a ${type} can't be ${bytes.length} bytes`)
  }
}

const STRINGS: MessageType = { 1: { name: 'items', type: 'string', shape: 'list', keepZero: true } }
const RAW_JSON: MessageType = { 1: { name: 'raw', type: 'raw', shape: 'one', keepZero: true } }
const TIME: MessageType = {
  1: { name: 'seconds', type: 'int', shape: 'one', keepZero: true },
  2: { name: 'nanos', type: 'int', shape: 'one', keepZero: true },
}

/** Years 0 to 9999 are what RFC 3339 can say. */
const EARLIEST_SECOND = epochOf('0000-01-01T00:00:00Z') / 1000
const LATEST_SECOND = epochOf('9999-12-31T23:59:59Z') / 1000

/** Undefined for an empty message: that is a time that isn't set. */
function timeOf(type: 'time' | 'microTime', bytes: Uint8Array, budget: Budget): string | undefined {
  if (bytes.length === 0) return undefined
  const parts = partsOf(bytes, TIME, undefined, budget)
  const seconds = Number(parts.get('seconds') ?? 0)
  const nanos = Number(parts.get('nanos') ?? 0)
  if (seconds < EARLIEST_SECOND || seconds > LATEST_SECOND) throw new ProtobufError(`a time is ${seconds} s away from 1970`)
  if (nanos < 0 || nanos >= 1e9) throw new ProtobufError(`a time has ${nanos} ns beyond its seconds`)
  const text = timestampOf(seconds * 1000).slice(0, -'.000Z'.length)
  return type === 'time' ? `${text}Z` : `${text}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`
}

function jsonOf(bytes: unknown): unknown {
  if (!(bytes instanceof Uint8Array) || bytes.length === 0) return undefined
  try {
    return parseJson(textOf(bytes)).value
  } catch (err) {
    if (!(err instanceof SyntaxError)) throw err
    throw new ProtobufError(`a text in it is not JSON: ${err.message}`, { cause: err })
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (err) {
    throw new ProtobufError('a text in it is not UTF-8', { cause: err })
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function isZero(value: unknown): boolean {
  return value === '' || value === 0 || value === false
}

function objectOf(values: Values): object {
  return Object.fromEntries([...values].map(([name, value]) => [name, plain(value)]))
}

function plain(value: unknown): unknown {
  if (value instanceof Map) return objectOf(value)
  return Array.isArray(value) ? value.map(plain) : value
}
