import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import { structure } from '../api/structure.ts'
import { canonicalJson, isJsonObject, type JsonObject } from '../base/json.ts'
import { difference, EMPTY_SET, type FieldSet } from './field-set.ts'
import { compare, differing, fieldsOf } from './typed-merge.ts'

/** Where `kubectl apply` on the client's side keeps what it applied last. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'
/** All annotations of an object together must not be larger. */
const ANNOTATION_LIMIT = 256 * 1024

/**
 * The fields that the annotation of a client-side apply says with the value they still have. kubectl may take them over on
 * the server's side without force, because nobody has changed them since kubectl itself wrote them.
 */
export function lastAppliedFields(definition: ResourceDefinition, live: JsonObject): FieldSet {
  const applied = parseLastApplied(annotationsOf(live)[LAST_APPLIED])
  if (applied === undefined || applied.apiVersion !== definition.apiVersion || applied.kind !== definition.kind) return EMPTY_SET
  const { schema } = definition
  // With defaults, because atomic nodes of the live object have theirs.
  const complete = structure(schema, applied, { defaults: true, nulls: 'drop' })
  const said = fieldsOf(schema, structure(schema, applied, { defaults: false, nulls: 'drop' }))
  return difference(said, differing(compare(schema, live, complete)))
}

/** The object with that annotation brought up to date, if it has one, so that a client-side apply later starts from the truth. */
export function withLastApplied(object: ApiObject, config: JsonObject): ApiObject {
  const annotations = object.metadata.annotations
  const present = annotations?.[LAST_APPLIED]
  if (present === undefined || present === '') return object
  const text = `${canonicalJson(withoutAnnotation(config))}\n`
  if (text === present) return object
  const { [LAST_APPLIED]: _, ...others } = annotations ?? {}
  const next = Buffer.byteLength(text) > ANNOTATION_LIMIT ? others : { ...others, [LAST_APPLIED]: text }
  return { ...object, metadata: { ...object.metadata, annotations: next } }
}

function withoutAnnotation(config: JsonObject): JsonObject {
  const metadata = isJsonObject(config.metadata) ? config.metadata : {}
  if (!isJsonObject(metadata.annotations)) return config
  const { [LAST_APPLIED]: _, ...annotations } = metadata.annotations
  return { ...config, metadata: { ...metadata, annotations } }
}

function annotationsOf(object: JsonObject): JsonObject {
  const metadata = object.metadata
  return isJsonObject(metadata) && isJsonObject(metadata.annotations) ? metadata.annotations : {}
}

/** The annotation is a client's text: what isn't an object forgives nothing. */
function parseLastApplied(text: unknown): JsonObject | undefined {
  if (typeof text !== 'string') return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : undefined
  } catch (err) {
    if (err instanceof SyntaxError) return undefined
    throw err
  }
}
