import { schemaOfField } from '../api/structure.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { EMPTY_SET, type FieldSet } from './field-set.ts'
import { elementOf, granularityOf, isNamed, type Schema, shapeOf } from './granularity.ts'

/**
 * Takes away from `value` what `last` said and `kept` doesn't hold, at or below it. An object of which nothing is kept goes with
 * the defaults in it; a map or list only when nothing that others put there is left in it.
 */
export function prune(schema: Schema, value: unknown, last: FieldSet, kept: FieldSet): unknown {
  const shape = shapeOf(schema, value)
  switch (granularityOf(shape, value)) {
    case 'leaf':
      return value
    case 'fields':
      return pruneFields(shape, value as JsonObject, last, kept)
    default: {
      const list = value as readonly unknown[]
      const next = list.flatMap((item, index) => {
        const element = elementOf(shape, item, index)
        const pruned = pruneChild(shape?.items, item, last.children.get(element), kept.children.get(element), false)
        return pruned === undefined ? [] : [restoreKeys(shape, item, pruned)]
      })
      return next.length === list.length && next.every((item, index) => item === list[index]) ? value : next
    }
  }
}

function pruneFields(shape: Schema, object: JsonObject, last: FieldSet, kept: FieldSet): JsonObject {
  const gone = new Set<string>()
  const replaced = new Map<string, unknown>()
  for (const [element, lastChild] of last.children) {
    const name = element.slice(2)
    const value = object[name]
    if (value === undefined || !element.startsWith('f:')) continue
    const field = shape && schemaOfField(shape, name)
    const next = pruneChild(field, value, lastChild, kept.children.get(element), isNamed(shape, name))
    if (next === undefined) gone.add(name)
    else if (next !== value) replaced.set(name, next)
  }
  if (gone.size === 0 && replaced.size === 0) return object
  const fields = Object.entries(object).filter(([name]) => !gone.has(name))
  return Object.fromEntries(fields.map(([name, value]) => [name, replaced.get(name) ?? value]))
}

/** What is left of a field or item; undefined for nothing. */
function pruneChild(schema: Schema, value: unknown, last: FieldSet | undefined, kept: FieldSet | undefined, named: boolean): unknown {
  if (last === undefined) return value
  if (kept !== undefined) return prune(schema, value, last, kept)
  if (!last.member && !named) return prune(schema, value, last, EMPTY_SET)
  const shape = shapeOf(schema, value)
  const granularity = granularityOf(shape, value)
  const isContainer = granularity === 'set' || granularity === 'items' || (granularity === 'fields' && shape?.properties === undefined)
  if (!isContainer) return undefined
  const rest = prune(schema, value, last, EMPTY_SET)
  return (Array.isArray(rest) ? rest.length : Object.keys(rest as JsonObject).length) === 0 ? undefined : rest
}

/** An item that stays keeps its keys, whoever said them: without them it would be another one. */
function restoreKeys(shape: Schema, item: unknown, pruned: unknown): unknown {
  const keys = shape?.['x-kubernetes-list-map-keys']
  if (item === pruned || keys === undefined || !isJsonObject(item) || !isJsonObject(pruned)) return pruned
  const lost = keys.filter((key) => item[key] !== undefined && pruned[key] === undefined)
  if (lost.length === 0) return pruned
  return { ...Object.fromEntries(lost.map((key) => [key, item[key]])), ...pruned }
}
