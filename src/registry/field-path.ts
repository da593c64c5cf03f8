import { canonicalJson, isJsonObject } from '../base/json.ts'

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
