import type { ApiObject } from '../api/object.ts'
import type { Column } from '../api/scheme.ts'
import { age } from '../base/age.ts'
import type { Timestamp } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import { isSubjectWord, subjectNames } from './subject-names.ts'

export type Cell = string | number | boolean | null

/** The cell of an object at a moment (ages are told from it). */
export type CellReader = (object: ApiObject, now: Timestamp) => Cell

/** One `{…}`, or the text between two. */
type Part = { readonly text: string } | { readonly paths: readonly (readonly string[])[]; readonly fallback: string | undefined }

/**
 * Reads a column's template (`Column.value`) once. Throws an Error for one that can't be read: a mistake in a schema, which
 * shows when the server starts.
 */
export function compileColumn(column: Column): CellReader {
  const parts = parseTemplate(column.value)
  const [only] = parts
  const single = parts.length === 1 && only !== undefined && 'paths' in only ? only : undefined
  switch (column.type) {
    case 'date':
      return (object, now) => {
        const value = read(object, single)
        return typeof value === 'string' ? age(value, now) : null
      }
    case 'integer':
    case 'number':
      return (object) => {
        const value = read(object, single)
        return value === undefined || value === '' || !Number.isFinite(Number(value)) ? null : Number(value)
      }
    case 'boolean':
      return (object) => {
        const value = read(object, single)
        return value === undefined ? null : value === true || value === 'true'
      }
    case 'string':
      return (object) => {
        const texts = parts.map((part) => ('text' in part ? part.text : asText(read(object, part))))
        return single !== undefined && texts[0] === '' ? null : texts.join('')
      }
  }
}

function parseTemplate(template: string): readonly Part[] {
  const parts: Part[] = []
  for (const [whole, text, expression] of template.matchAll(/([^{}]+)|\{([^{}]*)\}|[{}]/g)) {
    if (text !== undefined) {
      parts.push({ text })
      continue
    }
    const [, paths, fallback] = /^([A-Za-z](?:[A-Za-z0-9.|]|\[[^\]]*\])*)(?::(.*))?$/.exec(expression ?? '') ?? []
    if (paths === undefined) throw new Error(`column template ${template}: can't read ${whole}`)
    parts.push({ paths: paths.split('|').map(stepsOf), fallback })
  }
  return parts
}

/** `metadata.labels[example.org/a]`: what stands in brackets is one step. */
function stepsOf(path: string): readonly string[] {
  return [...path.matchAll(/\[([^\]]*)\]|[^.[]+/g)].map(([whole, inner]) => inner ?? whole)
}

/** The first of its paths that leads to something. */
function read(object: ApiObject, part: Part | undefined): unknown {
  if (part === undefined || 'text' in part) return undefined
  for (const path of part.paths) {
    const value = path.reduce(step, object)
    if (value !== undefined && value !== null && value !== '') return value
  }
  return part.fallback
}

/** One step of a path. `length` counts the items of an array and the keys of a map, `lower` is for text, `number` for what is true or false. */
function step(value: unknown, name: string): unknown {
  if (isJsonObject(value)) {
    if (Object.hasOwn(value, name)) return value[name]
    return name === 'length' ? Object.keys(value).length : undefined
  }
  if (Array.isArray(value) && isSubjectWord(name)) return subjectNames(value, name)
  if (name === 'length') return Array.isArray(value) ? value.length : 0
  if (Array.isArray(value)) return value[Number(name)]
  if (name === 'number' && typeof value === 'boolean') return Number(value)
  if (name === 'lower' && typeof value === 'string') return value.toLowerCase()
  return undefined
}

function asText(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (Array.isArray(value)) return value.map(asText).join(' ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
