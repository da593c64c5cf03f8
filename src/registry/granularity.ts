import type { JsonSchema } from '../api/scheme.ts'
import { branchFor } from '../api/structure.ts'
import { isJsonObject } from '../base/json.ts'
import { indexElement, keyElement, type PathElement, valueElement } from './field-path.ts'

/** A schema, or undefined below what keeps unknown fields: there maps are granular and lists atomic. */
export type Schema = JsonSchema | undefined

/** How the owner of a value owns it: as one, or field by field, item by item. */
export type Granularity = 'leaf' | 'fields' | 'set' | 'items'

/** The schema by which a value is to be read: of alternatives the one for its type. */
export function shapeOf(schema: Schema, value: unknown): Schema {
  return schema?.oneOf === undefined ? schema : branchFor(schema, value)
}

export function granularityOf(shape: Schema, value: unknown): Granularity {
  if (isJsonObject(value)) return shape?.['x-kubernetes-map-type'] === 'atomic' ? 'leaf' : 'fields'
  if (!Array.isArray(value)) return 'leaf'
  const type = shape?.['x-kubernetes-list-type']
  if (type === 'set') return 'set'
  return type === 'map' ? 'items' : 'leaf'
}

/** Whether the schema names the field, as opposed to a key of a map. */
export function isNamed(shape: Schema, name: string): boolean {
  return shape?.properties !== undefined && Object.hasOwn(shape.properties, name)
}

export function elementOf(shape: Schema, item: unknown, index: number): PathElement {
  const keys = shape?.['x-kubernetes-list-map-keys']
  if (shape?.['x-kubernetes-list-type'] === 'set') return valueElement(item)
  if (keys === undefined || !isJsonObject(item)) return indexElement(index)
  const [only] = keys
  // The usual case, without the detour over an object.
  if (keys.length === 1 && only !== undefined && typeof item[only] === 'string')
    return `k:{${JSON.stringify(only)}:${JSON.stringify(item[only])}}`
  const values = keys.map((key) => [key, item[key] ?? shape?.items?.properties?.[key]?.default] as const)
  return values.every(([, value]) => value !== undefined) ? keyElement(Object.fromEntries(values)) : indexElement(index)
}

/** The items of a set or of a list with keys by their elements, in order. */
export function itemsOf(shape: Schema, list: unknown): ReadonlyMap<PathElement, unknown> {
  return new Map((list as readonly unknown[]).map((item, index) => [elementOf(shape, item, index), item]))
}
