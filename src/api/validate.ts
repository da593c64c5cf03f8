import { isJsonObject } from '../base/json.ts'
import type { ObjectMeta } from '../generated/types.ts'
import { duplicateField } from './field-errors.ts'
import { findDuplicates } from './list-duplicates.ts'
import { causeOf } from './schema-causes.ts'
import { schemaErrors } from './schema-errors.ts'
import { formatPath } from './schema-path.ts'
import type { JsonSchema, ResourceDefinition } from './scheme.ts'
import { apiError, type Cause } from './status.ts'
import { type Path, structure } from './structure.ts'
import { suggestField } from './suggest.ts'

/** What a caller sent, with the structure of its kind. It satisfies the schema if there were no causes, but for what the server sets in metadata. */
export interface DecodedObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Partial<ObjectMeta>
  readonly [field: string]: unknown
}

export interface DecodeOptions {
  /** Duplicate keys that were found on the way, as field paths. */
  readonly duplicates?: readonly string[]
  /** Warn: strictErrors are given to `warn` too. */
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore'
  readonly warn?: (text: string) => void
}

export interface Decoded {
  /** Without unknown fields and nulls, with defaults. */
  readonly object: DecodedObject
  /** `unknown field "spec.bogus"`, `duplicate field "spec.x"`; empty under Ignore. Under Strict the caller refuses, see strictDecodingError. */
  readonly strictErrors: readonly string[]
  /** One for each bad field; for invalidObject. */
  readonly causes: readonly Cause[]
}

/** Unknown fields, and duplicate keys, that are told of. */
const MOST_STRICT_ERRORS = 100
/** Violations of the schema that are looked at. */
const MOST_ERRORS = 1_000

/** Defaults and validates an object. Throws ApiError(BadRequest) only for what isn't an object at all. */
export function decodeObject(definition: ResourceDefinition, value: unknown, options: DecodeOptions): Decoded {
  const { object, strictErrors } = shapeObject(definition, value, options, true)
  return { object, strictErrors, causes: validateObject(definition, object) }
}

/**
 * The configuration of a server-side apply: without unknown fields, but with nulls and without defaults, because only what
 * was said is owned. Validation follows on the merged object.
 */
export function decodeConfiguration(definition: ResourceDefinition, value: unknown, options: DecodeOptions): Omit<Decoded, 'causes'> {
  return shapeObject(definition, value, options, false)
}

/** One cause for each field that breaks the schema; fields that the server sets in metadata may be absent. */
export function validateObject(definition: ResourceDefinition, object: unknown): readonly Cause[] {
  const causes = new Map<string, Cause>()
  const add = (cause: Cause): void => {
    if (!causes.has(cause.field)) causes.set(cause.field, cause)
  }
  for (const error of schemaErrors(clientSchema(definition), object).slice(0, MOST_ERRORS)) add(causeOf(definition, error))
  // A duplicate is told of only in a list whose items are sound.
  if (causes.size === 0)
    findDuplicates(definition.schema, object, [], (path, value) => add(duplicateField(formatPath(definition.schema, path), value)))
  return [...causes.values()]
}

function shapeObject(
  definition: ResourceDefinition,
  value: unknown,
  { duplicates = [], fieldValidation, warn }: DecodeOptions,
  defaults: boolean,
): Omit<Decoded, 'causes'> {
  if (!isJsonObject(value)) throw apiError('BadRequest', `the body must be one JSON object of kind ${definition.kind}`)
  const { schema } = definition
  const strictErrors: string[] = []
  const onUnknown = (parent: Path, name: string, siblings: JsonSchema): void => {
    if (strictErrors.length >= MOST_STRICT_ERRORS) return
    const meant = suggestField(schema, siblings, formatPath(schema, parent), name)
    const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`
    strictErrors.push(`unknown field "${formatPath(schema, [...parent, name])}"${hint}`)
  }
  const whole = isJsonObject(value.metadata) || (value.metadata ?? null) !== null ? value : { ...value, metadata: {} }
  const nulls = defaults ? 'drop' : 'keep'
  const object = structure(schema, whole, fieldValidation === 'Ignore' ? { defaults, nulls } : { defaults, nulls, onUnknown })
  if (fieldValidation !== 'Ignore') strictErrors.push(...duplicates.slice(0, MOST_STRICT_ERRORS).map((path) => `duplicate field "${path}"`))
  if (fieldValidation === 'Warn' && warn !== undefined) for (const error of strictErrors) warn(error)
  return { object: object as DecodedObject, strictErrors }
}

const clientSchemas = new WeakMap<ResourceDefinition, JsonSchema>()

/** The schema of an object of which the server may not have written its part of metadata yet. */
function clientSchema(definition: ResourceDefinition): JsonSchema {
  let schema = clientSchemas.get(definition)
  if (schema === undefined) {
    schema = withoutServerFields(definition.schema)
    clientSchemas.set(definition, schema)
  }
  return schema
}

function withoutServerFields(schema: JsonSchema): JsonSchema {
  const { metadata, ...others } = schema.properties ?? {}
  if (metadata === undefined) return schema
  return { ...schema, properties: { ...others, metadata: { ...metadata, required: [] } } }
}
