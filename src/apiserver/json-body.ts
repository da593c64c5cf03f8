import { MAX_DEPTH, MAX_VALUES, tooManyValues } from '../api/size.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const COMMA = 0x2c

export interface ParsedJson {
  readonly value: unknown
  /** Paths of keys that occurred again in one object, such as `spec.env[0].name`; the last value counts. Each once. */
  readonly duplicates: readonly string[]
}

/**
 * JSON.parse, which also tells of duplicate keys. A key such as `__proto__` becomes an own property like any other.
 * Throws SyntaxError, also for what is nested too deeply, and ApiError(RequestEntityTooLarge) for too many values.
 */
export function parseJson(text: string): ParsedJson {
  // Each value takes two characters at least.
  if (text.length > 2 * MAX_VALUES) requireFewValues(text)
  const value: unknown = JSON.parse(text)
  return { value, duplicates: findDuplicates(text) }
}

interface Level {
  /** Keys so far; undefined in an array. */
  readonly keys: Set<string> | undefined
  key: string
  index: number
}

/** Walks over a text that is known to be valid JSON, so it needs to look at strings and punctuation only. */
function findDuplicates(text: string): readonly string[] {
  const duplicates = new Set<string>()
  const levels: Level[] = []
  let level: Level | undefined
  let expectKey = false
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at)
        if (expectKey && level?.keys !== undefined) {
          level.key = decode(text, at, end)
          if (level.keys.has(level.key)) duplicates.add(pathOf(levels))
          level.keys.add(level.key)
          expectKey = false
        }
        at = end
        break
      }
      case 0x7b: // {
        level = { keys: new Set(), key: '', index: 0 }
        levels.push(level)
        expectKey = true
        break
      case 0x5b: // [
        level = { keys: undefined, key: '', index: 0 }
        levels.push(level)
        expectKey = false
        break
      case 0x7d: // }
      case 0x5d: // ]
        levels.pop()
        level = levels.at(-1)
        expectKey = false
        break
      case COMMA:
        if (level?.keys === undefined) {
          if (level !== undefined) level.index += 1
        } else {
          expectKey = true
        }
        break
      case COLON:
        expectKey = false
        break
    }
    if (levels.length > MAX_DEPTH) throw tooDeep()
  }
  return [...duplicates]
}

/** Before anything is made of a long text. Takes any text, and counts what would be values if it is JSON. */
function requireFewValues(text: string): void {
  let values = 1
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at)
        // A text that never ends is no JSON, which the parser will say.
        if (at < 0) return
        break
      case 0x7b: // {
      case 0x5b: // [
        if (++depth > MAX_DEPTH) throw tooDeep()
        // An empty list counts as two values, which only makes the count of what is next to nothing too high.
        if (++values > MAX_VALUES) throw tooManyValues()
        break
      case COMMA:
        if (++values > MAX_VALUES) throw tooManyValues()
        break
      case 0x7d: // }
      case 0x5d: // ]
        depth--
        break
    }
  }
}

/** Index of the quote that ends the string which starts at `start`; -1 when there is none. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    if (end < 0) return end
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return end
  }
}

function tooDeep(): SyntaxError {
  return new SyntaxError(`nested more than ${MAX_DEPTH} levels deep`)
}

function decode(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end)
  return raw.includes('\\') ? (JSON.parse(text.slice(start, end + 1)) as string) : raw
}

function pathOf(levels: readonly Level[]): string {
  let path = ''
  for (const { keys, key, index } of levels) path += keys === undefined ? `[${index}]` : path === '' ? key : `.${key}`
  return path
}
