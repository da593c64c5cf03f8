import { deepFreeze, isJsonObject } from '../base/json.ts'
import type { JsonSchema } from './scheme.ts'

/** Names of fields and keys of maps, and indexes of lists, from the root of an object. */
export type Path = readonly (string | number)[]

export interface StructureOptions {
  /** Fill in defaults wherever the parent exists. */
  readonly defaults: boolean
  /** drop: null means unset. keep: for an applied configuration, where null is something to own. */
  readonly nulls: 'drop' | 'keep'
  /** Told of each field that the schema doesn't know; it is left out of the result. */
  readonly onUnknown?: (parent: Path, name: string, schema: JsonSchema) => void
}

/**
 * Gives a value the structure of its schema: unknown fields go, nulls count as unset, defaults are filled in, and a
 * quantity that was written as a number becomes a text. Says nothing about whether values are valid. Never alters
 * `value`; gives back the very same one when there is nothing to change.
 */
export function structure(schema: JsonSchema, value: unknown, options: StructureOptions, path: (string | number)[] = []): unknown {
  const shape = schema.oneOf === undefined ? schema : branchFor(schema, value)
  if (Array.isArray(value)) return structureList(shape, value, options, path)
  if (isJsonObject(value)) return structureObject(shape, value, options, path)
  if (typeof value === 'number' && shape.format === 'quantity' && shape.type === 'string') return String(value)
  return value
}

/** The alternative of a oneOf that is meant for a value of this type; the schema itself when there isn't just one. */
export function branchFor(schema: JsonSchema, value: unknown): JsonSchema {
  const fitting = (schema.oneOf ?? []).filter((branch) => acceptsType(branch, value))
  return fitting.length === 1 && fitting[0] !== undefined ? fitting[0] : schema
}

export function acceptsType(schema: JsonSchema, value: unknown): boolean {
  const { type } = schema
  if (type === undefined) return true
  return typeof type === 'string' ? isOfType(type, value) : type.some((one) => isOfType(one, value))
}

/** The schema of a field of an object, or of a key of a map; undefined when the schema doesn't know it. */
export function schemaOfField(schema: JsonSchema, name: string): JsonSchema | undefined {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, name)) return schema.properties[name]
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
}

function structureList(schema: JsonSchema, list: readonly unknown[], options: StructureOptions, path: (string | number)[]): unknown {
  const items = schema.items
  if (items === undefined) return list
  let result: unknown[] | undefined
  for (let index = 0; index < list.length; index++) {
    const item = list[index]
    path.push(index)
    const next = structure(items, item, options, path)
    path.pop()
    if (result === undefined && next !== item) result = list.slice(0, index)
    result?.push(next)
  }
  return result ?? list
}

/** `path` is the way to the object; it is the same array all the way down. */
function structureObject(
  schema: JsonSchema,
  object: Readonly<Record<string, unknown>>,
  options: StructureOptions,
  path: (string | number)[],
): unknown {
  if (schema.properties === undefined && typeof schema.additionalProperties !== 'object') return object
  const keepUnknown = schema['x-kubernetes-preserve-unknown-fields'] === true
  const names = Object.keys(object)
  // Most objects are as they should be: entries are gathered from the first one on that isn't.
  let entries: [string, unknown][] | undefined
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as string // below the length
    const value = object[name]
    const field = schemaOfField(schema, name)
    let next = value
    let keep = true
    if (value === undefined || (value === null && options.nulls === 'drop' && (field !== undefined || !keepUnknown))) {
      keep = false
      if (field === undefined && value === null) options.onUnknown?.([...path], name, schema)
    } else if (field !== undefined) {
      path.push(name)
      next = structure(field, value, options, path)
      path.pop()
    } else if (!keepUnknown) {
      keep = false
      options.onUnknown?.([...path], name, schema)
    }
    if (entries === undefined && (!keep || next !== value)) entries = names.slice(0, index).map((known) => [known, object[known]])
    if (keep) entries?.push([name, next])
  }
  if (options.defaults) {
    const present = entries === undefined ? undefined : new Set(entries.map(([name]) => name))
    for (const [name, value] of defaultsOf(schema)) {
      if (present === undefined ? Object.hasOwn(object, name) : present.has(name)) continue
      entries ??= Object.entries(object)
      entries.push([name, value])
    }
  }
  return entries === undefined ? object : Object.fromEntries(entries)
}

const completed = new WeakMap<JsonSchema, readonly (readonly [string, unknown])[]>()

/** The fields of an object that have a default, which is itself completed by the defaults below it. Frozen, hence shared. */
function defaultsOf(schema: JsonSchema): readonly (readonly [string, unknown])[] {
  let defaults = completed.get(schema)
  if (defaults === undefined) {
    defaults = Object.entries(schema.properties ?? {})
      .filter(([, property]) => property.default !== undefined)
      .map(([name, property]) => [name, deepFreeze(structure(property, property.default, { defaults: true, nulls: 'drop' }))] as const)
    completed.set(schema, defaults)
  }
  return defaults
}

function isOfType(type: string, value: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isJsonObject(value)
    case 'integer':
      return Number.isInteger(value)
    case 'number':
      return Number.isFinite(value)
    default:
      return typeof value === type
  }
}
