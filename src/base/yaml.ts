import { Composer, type CST, type Document, isMap, isPair, isScalar, isSeq, Lexer, LineCounter, type Node, Parser, stringify } from 'yaml'

export interface YamlPosition {
  /** Both start at 1. */
  readonly line: number
  readonly column: number
}

/** What is wrong with a text, and where. */
export class YamlError extends Error {
  override readonly name = 'YamlError'
  readonly position: YamlPosition

  constructor(message: string, position: YamlPosition, options?: ErrorOptions) {
    super(message, options)
    this.position = position
  }
}

/** A key that occurs a second time in one map; the last value counts. */
export interface YamlDuplicate {
  /** `spec.env[0].name` */
  readonly path: string
  readonly position: YamlPosition
}

export interface YamlDocument {
  /** Plain data; undefined for a document without content, or with nothing but null. A key such as `__proto__` is an ordinary key of it. */
  readonly value: unknown
  readonly position: YamlPosition
  readonly duplicates: readonly YamlDuplicate[]
  /** Where the deepest node on this path that exists is written. */
  positionOf(path: readonly (string | number)[]): YamlPosition
}

/** Deeper nesting than this is no manifest, and would be the end of every recursive function behind us. */
const MAX_DEPTH = 200

/** Changes the texts of documents, keys included, as if they had been written otherwise. */
export interface YamlTexts {
  /** Whether nothing in a map is changed. `get` gives what stands below it, by keys. */
  readonly leaves: (get: (...path: readonly string[]) => unknown) => boolean
  /** What comes in place of a text. `lineOf` gives the line of a part of it; asked for parts in their order. */
  readonly edit: (text: string, lineOf: (part: string) => number) => string
}

/**
 * All documents of a text (JSON is one, too). Throws a YamlError for the first mistake. Aliases that explode are a mistake. With
 * `texts` a plain text that comes out otherwise is read as a plain word is: as a number, true, false or null, if it is one.
 */
export function parseYaml(text: string, texts?: YamlTexts): readonly YamlDocument[] {
  const lines = new LineCounter()
  const documents = parseSafely(text, lines)
  return documents.map((document) => {
    const at = (offset: number): YamlPosition => positionAt(lines, offset)
    const [error] = document.errors
    if (error !== undefined) throw new YamlError(firstLine(error.message), at(error.pos[0]))
    const duplicates: YamlDuplicate[] = []
    if (texts !== undefined) editTexts(document, { texts, source: text, at })
    findDuplicates(document.contents, '', at, duplicates)
    return {
      value: toPlain(document, at) ?? undefined,
      position: at(document.contents?.range?.[0] ?? document.range?.[0] ?? 0),
      duplicates,
      positionOf: (path) => at(offsetOf(document.contents, path)),
    }
  })
}

/** Block style, no line folded. */
export function stringifyYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })
}

/**
 * Token by token, to stop at what is nested too deeply: composing is recursive, and a stack that overflows inside a
 * regular expression ends the whole of Node.
 */
function* tokensOf(text: string, lines: LineCounter): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine)
  lines.addNewLine(0)
  let offset = 0
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme)
    offset += lexeme.length
    // Each level is a map or sequence on the parser's stack, under the document.
    if (parser.stack.length > MAX_DEPTH) throw new YamlError(`nested more than ${MAX_DEPTH} levels deep`, positionAt(lines, offset))
  }
  yield* parser.end()
}

function parseSafely(text: string, lines: LineCounter): readonly Document.Parsed[] {
  const composer = new Composer({ lineCounter: lines, uniqueKeys: false, merge: true, prettyErrors: false, logLevel: 'error' })
  return [...composer.compose(tokensOf(text, lines))]
}

interface Editing {
  readonly texts: YamlTexts
  readonly source: string
  readonly at: (offset: number) => YamlPosition
}

function editTexts(document: Document, { texts, source, at }: Editing): void {
  const walk = (node: unknown, isKey: boolean): void => {
    if (isSeq(node)) for (const item of node.items) walk(item, false)
    else if (isMap(node)) {
      if (texts.leaves((...path) => node.getIn(path))) return
      for (const { key, value } of node.items) {
        walk(key, true)
        walk(value, false)
      }
    } else if (isScalar(node) && typeof node.value === 'string') {
      const [begin = 0, end = 0] = node.range ?? []
      let from = begin
      const lineOf = (part: string): number => {
        const found = source.indexOf(part, from)
        if (found === -1 || found >= end) return at(begin).line
        from = found + part.length
        return at(found).line
      }
      const edited = texts.edit(node.value, lineOf)
      if (edited !== node.value) node.value = node.type === 'PLAIN' && !isKey ? readPlain(document, edited) : edited
    }
  }
  walk(document.contents, false)
}

function readPlain(document: Document, text: string): unknown {
  for (const tag of document.schema.tags) {
    if (tag.default !== true || tag.collection !== undefined || tag.test?.test(text) !== true) continue
    const value = tag.resolve(text, () => {}, document.options as never)
    return isScalar(value) ? value.value : value
  }
  return text
}

function toPlain(document: Document, at: (offset: number) => YamlPosition): unknown {
  const position = at(document.range?.[0] ?? 0)
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (err) {
    // Unresolved and exploding aliases, and merges of what is no map, are found only here, and have no error class in common.
    throw new YamlError(err instanceof Error ? err.message : String(err), position, { cause: err })
  }
  if (holdsItself(value, new Set(), new Set())) throw new YamlError('an alias stands inside of what it stands for', position)
  return value
}

function holdsItself(value: unknown, above: Set<object>, done: Set<object>): boolean {
  if (typeof value !== 'object' || value === null || done.has(value)) return false
  if (above.has(value)) return true
  above.add(value)
  const found = Object.values(value).some((inner) => holdsItself(inner, above, done))
  above.delete(value)
  done.add(value)
  return found
}

function findDuplicates(node: unknown, path: string, at: (offset: number) => YamlPosition, found: YamlDuplicate[]): void {
  if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) findDuplicates(item, `${path}[${index}]`, at, found)
  } else if (isMap(node)) {
    const seen = new Set<string>()
    for (const pair of node.items) {
      const key = String(isScalar(pair.key) ? pair.key.value : pair.key)
      const child = path === '' ? key : `${path}.${key}`
      if (seen.has(key) && key !== '<<') found.push({ path: child, position: at((pair.key as Node | null)?.range?.[0] ?? 0) })
      seen.add(key)
      findDuplicates(pair.value, child, at, found)
    }
  }
}

function offsetOf(root: unknown, path: readonly (string | number)[]): number {
  let offset = (root as Node | null)?.range?.[0] ?? 0
  let node = root
  for (const step of path) {
    if (isSeq(node)) {
      node = node.items[Number(step)]
    } else if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step))
      offset = (pair?.key as Node | undefined)?.range?.[0] ?? offset
      node = pair?.value
      if (pair === undefined) return offset
      continue
    } else {
      return offset
    }
    offset = (node as Node | undefined)?.range?.[0] ?? offset
  }
  return offset
}

function positionAt(lines: LineCounter, offset: number): YamlPosition {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text
}
