import { canonicalJson, isJsonObject, type JsonObject } from '../base/json.ts'

/**
 * One step to a field, as FieldsV1 writes it: `f:<field or key of a map>`, `k:<keys of an item as JSON>`, `v:<item of a set as
 * JSON>` or `i:<index>`. The JSON has sorted keys, so that equal steps are equal strings.
 */
export type PathElement = string

export function fieldElement(name: string): PathElement {
  return `f:${name}`
}

export function keyElement(keys: Readonly<Record<string, unknown>>): PathElement {
  return `k:${canonicalJson(keys)}`
}

export function valueElement(value: unknown): PathElement {
  return `v:${canonicalJson(value)}`
}

export function indexElement(index: number): PathElement {
  return `i:${index}`
}

/** The element that a key of FieldsV1 stands for, in the one form it has here; undefined when it is none. */
export function parseElement(text: string): PathElement | undefined {
  const rest = text.slice(2)
  switch (text.slice(0, 2)) {
    case 'f:':
      return text
    case 'i:':
      return /^(0|[1-9]\d{0,15})$/.test(rest) ? text : undefined
    case 'v:': {
      const value = parseJson(rest)
      return value === undefined ? undefined : valueElement(value)
    }
    case 'k:': {
      const keys = parseJson(rest)
      return isJsonObject(keys) && Object.keys(keys).length > 0 ? keyElement(keys) : undefined
    }
    default:
      return undefined
  }
}

const ORDER = 'fkvi'

/** Kubernetes' order of steps below one node: fields by name, then items by their keys, items of sets by value, indexes. Numbers are compared as such. */
export function compareElements(a: PathElement, b: PathElement): number {
  const sort = a.charAt(0)
  if (sort !== b.charAt(0)) return ORDER.indexOf(sort) - ORDER.indexOf(b.charAt(0))
  if (sort === 'f' || a === b) return compareTexts(a, b)
  if (sort === 'k') return compareKeys(parseJson(a.slice(2)) as JsonObject, parseJson(b.slice(2)) as JsonObject)
  return compareValues(parseJson(a.slice(2)), parseJson(b.slice(2)))
}

function compareKeys(a: JsonObject, b: JsonObject): number {
  const others = Object.entries(b)
  for (const [index, [name, value]] of Object.entries(a).entries()) {
    const other = others[index]
    if (other === undefined) return 1
    const order = compareTexts(name, other[0]) || compareValues(value, other[1])
    if (order !== 0) return order
  }
  return Object.keys(a).length - others.length
}

function compareValues(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return compareTexts(canonicalJson(a), canonicalJson(b))
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Whether a key of FieldsV1 is a sort of step that is not known here: a later version may have it, and it is passed over. */
export function isForeignElement(text: string): boolean {
  return text[1] === ':' && !ORDER.includes(text.charAt(0))
}

/** `.spec.env[name="A"].value`, `.metadata.finalizers[="x"]`: how conflicts name a field. */
export function formatFieldPath(path: readonly PathElement[]): string {
  return path.map(formatElement).join('')
}

function formatElement(element: PathElement): string {
  const rest = element.slice(2)
  switch (element.slice(0, 2)) {
    case 'f:':
      return `.${rest}`
    case 'v:':
      return `[=${rest}]`
    case 'k:': {
      const keys = Object.entries(parseJson(rest) as Record<string, unknown>)
      return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`
    }
    default:
      return `[${rest}]`
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (err) {
    if (err instanceof SyntaxError) return undefined
    throw err
  }
}
