import { canonicalJson, isJsonObject } from '../base/json.ts'
import type { JsonSchema } from './scheme.ts'
import { type Path, schemaOfField } from './structure.ts'

/** Items of sets, and of lists with keys, that are there twice. */
export function findDuplicates(schema: JsonSchema, value: unknown, path: Path, onDuplicate: (path: Path, value: unknown) => void): void {
  if (Array.isArray(value)) {
    const keys = schema['x-kubernetes-list-map-keys'] ?? []
    const kind = schema['x-kubernetes-list-type'] ?? 'atomic'
    const seen = new Set<string>()
    value.forEach((item: unknown, index) => {
      const identity = kind === 'map' && isJsonObject(item) ? keys.map((key) => item[key] ?? null) : item
      const text = canonicalJson(identity)
      if (kind !== 'atomic' && seen.has(text)) {
        const single = keys.length === 1 && Array.isArray(identity)
        onDuplicate(single ? [...path, index, keys[0] ?? ''] : [...path, index], single ? identity[0] : identity)
      }
      seen.add(text)
      if (schema.items !== undefined && !isScalar(schema.items)) findDuplicates(schema.items, item, [...path, index], onDuplicate)
    })
  } else if (isJsonObject(value)) {
    for (const name of Object.keys(value)) {
      const field = schemaOfField(schema, name)
      if (field !== undefined && !isScalar(field)) findDuplicates(field, value[name], [...path, name], onDuplicate)
    }
  }
}

function isScalar(schema: JsonSchema): boolean {
  return schema.type !== 'object' && schema.type !== 'array'
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
      if (schema.items !== undefined && !isScalar(schema.items)) findKeyless(schema.items, item, [...path, index], onMissing)
    })
  } else if (isJsonObject(value)) {
    for (const name of Object.keys(value)) {
      const field = schemaOfField(schema, name)
      if (field !== undefined && !isScalar(field)) findKeyless(field, value[name], [...path, name], onMissing)
    }
  }
}
