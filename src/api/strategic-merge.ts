import { canonicalJson, isJsonObject, type JsonObject } from '../base/json.ts'
import type { JsonSchema } from './scheme.ts'
import { apiError } from './status.ts'
import { schemaOfField } from './structure.ts'

const DELETE_ITEMS = '$deleteFromPrimitiveList/'
const ORDER = '$setElementOrder/'

/**
 * Applies a strategic merge patch: a merge patch in which sets are united, lists with keys are merged item by item, and
 * directives ($patch, $retainKeys, $deleteFromPrimitiveList/x) say what else to do. $setElementOrder/x is a hint and not
 * followed. Which list is what comes from the schema. Neither argument is altered. Throws ApiError(BadRequest) for directives
 * that make no sense.
 */
export function applyStrategicMerge(schema: JsonSchema, target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) throw apiError('BadRequest', 'a strategic merge patch must be an object')
  return mergeObject(schema, isJsonObject(target) ? target : {}, patch)
}

function mergeObject(schema: JsonSchema | undefined, target: JsonObject, patch: JsonObject): JsonObject {
  const { $patch: directive, $retainKeys: retain, ...fields } = patch
  if (directive === 'replace') return withoutDirectives(fields)
  if (directive === 'delete') return {}
  if (directive !== undefined && directive !== 'merge') throw badDirective('$patch', directive)
  const result = new Map(Object.entries(target))
  if (retain !== undefined) {
    if (!isStrings(retain)) throw badDirective('$retainKeys', retain)
    for (const key of result.keys()) if (!retain.includes(key)) result.delete(key)
  }
  // Deletions come first, so that one patch can take an item out and put another one in.
  for (const [key, value] of Object.entries(fields)) {
    if (!key.startsWith(DELETE_ITEMS)) continue
    if (!Array.isArray(value)) throw badDirective(key, value)
    const field = key.slice(DELETE_ITEMS.length)
    const list = result.get(field)
    const gone = new Set(value.map(canonicalJson))
    if (Array.isArray(list))
      result.set(
        field,
        list.filter((item) => !gone.has(canonicalJson(item))),
      )
  }
  for (const [key, value] of Object.entries(fields)) {
    if (key.startsWith(DELETE_ITEMS) || key.startsWith(ORDER)) continue
    if (key.startsWith('$')) throw badDirective(key, value)
    const next = value === null ? undefined : mergeValue(schema && schemaOfField(schema, key), result.get(key), value)
    if (next === undefined) result.delete(key)
    else result.set(key, next)
  }
  return Object.fromEntries(result)
}

/** Undefined when the patch says to remove the value. */
function mergeValue(schema: JsonSchema | undefined, target: unknown, patch: unknown): unknown {
  if (isJsonObject(patch)) return patch.$patch === 'delete' ? undefined : mergeObject(schema, isJsonObject(target) ? target : {}, patch)
  if (!Array.isArray(patch)) return patch
  const list = Array.isArray(target) ? target : []
  switch (schema?.['x-kubernetes-list-type']) {
    case 'set':
      return united(list, patch)
    case 'map':
      return mergeItems(schema, list, patch)
    default:
      return patch.map(withoutNulls)
  }
}

function mergeItems(schema: JsonSchema, list: readonly unknown[], patch: readonly unknown[]): unknown {
  const replace = patch.some((item) => isJsonObject(item) && item.$patch === 'replace' && Object.keys(item).length === 1)
  const items = patch.filter((item) => !(isJsonObject(item) && item.$patch === 'replace' && Object.keys(item).length === 1))
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const result = new Map<string, unknown>(replace ? [] : list.map((item) => [identityOf(item, keys), item]))
  for (const item of items) {
    if (!isJsonObject(item) || keys.some((key) => item[key] === undefined)) {
      throw apiError('BadRequest', `an item of a strategic merge patch must be an object with ${keys.join(' and ')}`)
    }
    const identity = identityOf(item, keys)
    const next = mergeValue(schema.items, result.get(identity), item)
    if (next === undefined) result.delete(identity)
    else result.set(identity, next)
  }
  return [...result.values()]
}

function identityOf(item: unknown, keys: readonly string[]): string {
  return canonicalJson(isJsonObject(item) ? keys.map((key) => item[key]) : item)
}

function withoutDirectives(value: JsonObject): JsonObject {
  const fields = Object.entries(value).filter(([key, field]) => !key.startsWith('$') && field !== null)
  return Object.fromEntries(fields.map(([key, field]) => [key, withoutNulls(field)]))
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  return isJsonObject(value) ? withoutDirectives(value) : value
}

/** A list with those items of another one that it doesn't have, each once. */
function united(list: readonly unknown[], more: readonly unknown[]): readonly unknown[] {
  const seen = new Set(list.map(canonicalJson))
  const result = [...list]
  for (const item of more) {
    const identity = canonicalJson(item)
    if (!seen.has(identity)) result.push(item)
    seen.add(identity)
  }
  return result
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function badDirective(name: string, value: unknown): Error {
  return apiError('BadRequest', `the strategic merge patch has the directive ${name}: ${JSON.stringify(value)}, which is not supported`)
}
