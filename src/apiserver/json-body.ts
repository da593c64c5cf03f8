/** Deeper nesting than this is no manifest, and would be the end of every recursive function behind us. */
const MAX_DEPTH = 200

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
 * Throws SyntaxError, also for what is nested too deeply.
 */
export function parseJson(text: string): ParsedJson {
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
    if (levels.length > MAX_DEPTH) throw new SyntaxError(`nested more than ${MAX_DEPTH} levels deep`)
  }
  return [...duplicates]
}

/** Index of the quote that ends the string which starts at `start`. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return end
  }
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
