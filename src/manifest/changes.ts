import { isJsonObject, jsonEqual } from '../base/json.ts'
import { type FieldPath, formatField } from './field-path.ts'

/** One field that differs; undefined where it isn't there. */
export interface FieldChange {
  readonly field: string
  readonly path: FieldPath
  readonly from: unknown
  readonly to: unknown
}

/** The smallest fields that differ between two objects. Lists of equal length are compared item by item. */
export function findChanges(from: unknown, to: unknown, path: FieldPath = []): readonly FieldChange[] {
  if (jsonEqual(from, to)) return []
  if (isJsonObject(from) && isJsonObject(to)) {
    const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])]
    return keys.flatMap((key) => findChanges(own(from, key), own(to, key), [...path, key]))
  }
  if (Array.isArray(from) && Array.isArray(to) && from.length === to.length) {
    return from.flatMap((item, index) => findChanges(item, to[index], [...path, index]))
  }
  return [{ field: formatField(path), path, from, to }]
}

function own(object: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}
