import { canonicalJson, isJsonObject, type JsonObject, jsonEqual, sortKeys } from '../base/json.ts'
import { definitionOf, type JsonSchema } from './scheme.ts'

/** One difference between two specs. */
export interface FieldChange {
  /** Such as `spec.env[DEBUG].value` or `spec.command`. */
  readonly path: string
  /** Whether a running program must be started anew to take it up. */
  readonly restart: boolean
}

type Part = 'launch' | 'live'

/**
 * The fields of a Process spec, or of the template of an Instance, that shape the launch: those marked x-pmk-restart. Keys are
 * sorted. Without defaults, what a default would give back is left out, and so are empty objects and lists: a spec from before
 * a field existed and one in which the field has its default give the same.
 */
export function launchFieldsOf(spec: object, options: { readonly withoutDefaults?: boolean } = {}): JsonObject {
  return partOf(spec as JsonObject, 'launch', options.withoutDefaults === true)
}

/** The others: what takes effect on the running program. Keys are sorted. */
export function liveFieldsOf(spec: object, options: { readonly withoutDefaults?: boolean } = {}): JsonObject {
  return partOf(spec as JsonObject, 'live', options.withoutDefaults === true)
}

/** The launch fields without defaults as one text, for the hash of a revision. Equal launches give equal texts in every version of pmk. */
export function launchTextOf(spec: object): string {
  return canonicalJson(launchFieldsOf(spec, { withoutDefaults: true }))
}

/** The fields in which two specs differ, deepest first level that says it all, in the order of the schema. Absent and default are equal. */
export function changedFields(before: object, after: object): readonly FieldChange[] {
  const changes: FieldChange[] = []
  compare(specSchema(), before, after, 'spec', false, changes)
  return changes
}

function specSchema(): JsonSchema {
  return definitionOf('Process').schema.properties?.spec ?? {}
}

function partOf(spec: JsonObject, part: Part, withoutDefaults: boolean): JsonObject {
  const picked = pick(specSchema(), spec, part)
  return sortKeys(withoutDefaults ? stripFields(specSchema(), picked) : picked) as JsonObject
}

function pick(schema: JsonSchema, object: JsonObject, part: Part): JsonObject {
  const entries: [string, unknown][] = []
  for (const [name, value] of Object.entries(object)) {
    const field = fieldOf(schema, name)
    if (field?.['x-pmk-restart'] === true) {
      if (part === 'launch') entries.push([name, value])
    } else if (field !== undefined && isJsonObject(value) && hasLaunchFields(field)) {
      // An object of which only some fields shape the launch is there in a part only with fields of that part.
      const inner = pick(field, value, part)
      if (part === 'live' || Object.keys(inner).length > 0) entries.push([name, inner])
    } else if (part === 'live') {
      entries.push([name, value])
    }
  }
  return Object.fromEntries(entries)
}

function fieldOf(schema: JsonSchema, name: string): JsonSchema | undefined {
  return schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
}

function hasLaunchFields(schema: JsonSchema): boolean {
  return Object.values(schema.properties ?? {}).some((field) => field['x-pmk-restart'] === true || hasLaunchFields(field))
}

function stripFields(schema: JsonSchema, object: JsonObject): JsonObject {
  const entries: [string, unknown][] = []
  for (const [name, value] of Object.entries(object)) {
    const field = fieldOf(schema, name) ?? (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined)
    const stripped = field === undefined ? value : strip(field, value)
    if (stripped !== undefined) entries.push([name, stripped])
  }
  return Object.fromEntries(entries)
}

/** The value without what defaults give back; undefined when nothing is left of it. */
function strip(schema: JsonSchema, value: unknown): unknown {
  if (value === null || (schema.default !== undefined && jsonEqual(schema.default, value))) return undefined
  if (isJsonObject(value)) {
    const inner = stripFields(schema, value)
    return Object.keys(inner).length === 0 ? undefined : inner
  }
  if (!Array.isArray(value)) return value
  // An empty list is the same as none, unless none means a default.
  if (value.length === 0) return schema.default === undefined ? undefined : value
  const items = schema.items
  return items === undefined ? value : value.map((item) => (isJsonObject(item) ? stripFields(items, item) : item))
}

function compare(schema: JsonSchema, before: unknown, after: unknown, path: string, restart: boolean, changes: FieldChange[]): void {
  const left = before === undefined ? undefined : strip(schema, before)
  const right = after === undefined ? undefined : strip(schema, after)
  if (jsonEqual(left, right)) return
  const keys = schema['x-kubernetes-list-map-keys']
  if (
    schema.properties !== undefined &&
    isObjectOrAbsent(left) &&
    isObjectOrAbsent(right) &&
    ((left !== undefined && right !== undefined) || hasLaunchFields(schema))
  ) {
    compareFields(schema, left ?? {}, right ?? {}, path, restart, changes)
  } else if (schema.items !== undefined && keys?.length === 1 && keys[0] !== undefined && Array.isArray(left) && Array.isArray(right)) {
    compareItems(schema.items, keys[0], left, right, path, restart, changes)
  } else {
    changes.push({ path, restart })
  }
}

function compareFields(
  schema: JsonSchema,
  left: JsonObject,
  right: JsonObject,
  path: string,
  restart: boolean,
  changes: FieldChange[],
): void {
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    compare(field, left[name], right[name], `${path}.${name}`, restart || field['x-pmk-restart'] === true, changes)
  }
}

function compareItems(
  items: JsonSchema,
  key: string,
  left: readonly unknown[],
  right: readonly unknown[],
  path: string,
  restart: boolean,
  changes: FieldChange[],
): void {
  const byKey = (list: readonly unknown[]): Map<string, unknown> =>
    new Map(list.map((item) => [isJsonObject(item) ? String(item[key]) : '', item]))
  const before = byKey(left)
  const after = byKey(right)
  const found = changes.length
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const place = `${path}[${name}]`
    if (before.has(name) && after.has(name)) compare(items, before.get(name), after.get(name), place, restart, changes)
    else changes.push({ path: place, restart })
  }
  // Same items in another order: for variables that refer to earlier ones the order counts.
  if (changes.length === found) changes.push({ path, restart })
}

function isObjectOrAbsent(value: unknown): value is JsonObject | undefined {
  return value === undefined || isJsonObject(value)
}
