import { canonicalJson, isJsonObject } from '../base/json.ts'
import type { JsonSchema } from './scheme.ts'
import { type Path, schemaOfField } from './structure.ts'

/** Items of sets, and of lists with keys, that are there twice. */
export function findDuplicates(schema: JsonSchema, value: unknown, path: Path, onDuplicate: (path: Path, value: unknown) => void): void {
  if (!hasIdentities(schema)) return
  if (Array.isArray(value)) {
    if (isIdentified(schema)) findTwins(schema, value, path, onDuplicate)
    const { items } = schema
    if (items !== undefined && hasIdentities(items)) {
      for (const [index, item] of value.entries()) findDuplicates(items, item, [...path, index], onDuplicate)
    }
  } else if (isJsonObject(value)) {
    for (const name of Object.keys(value)) {
      const field = schemaOfField(schema, name)
      if (field !== undefined && hasIdentities(field)) findDuplicates(field, value[name], [...path, name], onDuplicate)
    }
  }
}

function findTwins(schema: JsonSchema, list: readonly unknown[], path: Path, onDuplicate: (path: Path, value: unknown) => void): void {
  const keys = schema['x-kubernetes-list-type'] === 'map' ? (schema['x-kubernetes-list-map-keys'] ?? []) : []
  const [only] = keys
  const seen = new Set<string>()
  list.forEach((item, index) => {
    const single = keys.length === 1 && only !== undefined && isJsonObject(item)
    // A key that is left out is its default.
    const keyIn = (key: string): unknown => (isJsonObject(item) ? (item[key] ?? schema.items?.properties?.[key]?.default ?? null) : null)
    const identity = single ? keyIn(only) : keys.length > 0 && isJsonObject(item) ? keys.map(keyIn) : item
    const text = canonicalJson(identity)
    if (seen.has(text)) onDuplicate(single ? [...path, index, only] : [...path, index], identity)
    seen.add(text)
  })
}

function isIdentified(schema: JsonSchema): boolean {
  const type = schema['x-kubernetes-list-type']
  return type === 'set' || type === 'map'
}

const identities = new WeakMap<JsonSchema, boolean>()

/** Whether there is a list with identified items at or below a node. Most of a schema needn't be walked. */
function hasIdentities(schema: JsonSchema): boolean {
  let answer = identities.get(schema)
  if (answer === undefined) {
    const { properties = {}, additionalProperties, items } = schema
    const below = [
      ...Object.values(properties),
      ...(typeof additionalProperties === 'object' ? [additionalProperties] : []),
      ...(items === undefined ? [] : [items]),
    ]
    answer = isIdentified(schema) || below.some(hasIdentities)
    identities.set(schema, answer)
  }
  return answer
}

/** Keys that items of lists with keys must have and don't, unless the schema has a default for them. */
export function findKeyless(schema: JsonSchema, value: unknown, path: Path, onMissing: (path: Path) => void): void {
  if (Array.isArray(value)) {
    const keys = schema['x-kubernetes-list-type'] === 'map' ? (schema['x-kubernetes-list-map-keys'] ?? []) : []
    value.forEach((item: unknown, index) => {
      for (const key of keys) {
        const missing = !isJsonObject(item) || (item[key] ?? null) === null
        if (missing && schema.items?.properties?.[key]?.default === undefined) onMissing([...path, index, key])
      }
      if (schema.items !== undefined && hasIdentities(schema.items)) findKeyless(schema.items, item, [...path, index], onMissing)
    })
  } else if (isJsonObject(value)) {
    for (const name of Object.keys(value)) {
      const field = schemaOfField(schema, name)
      if (field !== undefined && hasIdentities(field)) findKeyless(field, value[name], [...path, name], onMissing)
    }
  }
}
