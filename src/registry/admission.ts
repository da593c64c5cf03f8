import { randomInt, randomUUID } from 'node:crypto'
import { asWord, invalidField, invalidObject, strictDecodingError } from '../api/field-errors.ts'
import { validateMetadata } from '../api/metadata.ts'
import type { ApiObject } from '../api/object.ts'
import { isKubernetesKind, type JsonSchema, type ResourceDefinition } from '../api/scheme.ts'
import type { Cause } from '../api/status.ts'
import { type DecodedObject, decodeObject } from '../api/validate.ts'
import { type Clock, wholeSeconds } from '../base/clock.ts'
import { isJsonObject, type JsonObject, jsonEqual } from '../base/json.ts'
import type { ObjectMeta } from '../generated/types.ts'
import { badRequest, conflict, modified } from './errors.ts'
import { checkFinalizersOfDeleted, checkImmutable, isSpecChanged, metadataForUpdate } from './metadata.ts'
import type { WriteContext } from './registry.ts'
import { strategyOf } from './strategies.ts'

/** What was sent, and how: a strict refusal differs between a body and the result of a patch. */
export interface Sent {
  readonly value: unknown
  readonly duplicates: readonly string[]
  readonly source: 'body' | 'patch'
}

type WithStatus = ApiObject & { readonly status?: unknown }

/** The body, once it is known to be an object of this kind and in this namespace. */
export function requireKind(definition: ResourceDefinition, value: unknown, namespace: string | undefined): JsonObject {
  const { kind, version, apiVersion } = definition
  const refuse = (why: string): Error => badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${why}`)
  if (!isJsonObject(value)) throw refuse('the body must be one JSON object')
  if (value.kind !== kind) throw refuse(value.kind === undefined ? 'kind is missing' : `kind is ${JSON.stringify(asWord(value.kind))}`)
  if (value.apiVersion !== apiVersion) {
    throw badRequest(
      `the API version in the data (${asWord(value.apiVersion ?? '')}) does not match the expected API version (${apiVersion})`,
    )
  }
  const sent = isJsonObject(value.metadata) ? value.metadata.namespace : undefined
  if (definition.scope === 'Namespaced' && sent !== undefined && sent !== null && sent !== '' && sent !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  }
  return value
}

/** As `requireKind`. The typed clients of Kubernetes leave out what kind an object of Kubernetes itself is: the path says it. */
function requireBody(definition: ResourceDefinition, value: unknown, namespace: string | undefined): JsonObject {
  if (!isKubernetesKind(definition) || !isJsonObject(value)) return requireKind(definition, value, namespace)
  const { apiVersion = definition.apiVersion, kind = definition.kind } = value
  return requireKind(definition, { ...value, apiVersion, kind }, namespace)
}

/** A new object, complete but for its resourceVersion and the owners of its fields. Throws what is wrong with it. */
export function admitCreate(
  definition: ResourceDefinition,
  namespace: string | undefined,
  sent: Sent,
  context: WriteContext,
  clock: Clock,
): ApiObject {
  const decoded = decode(definition, requireBody(definition, sent.value, namespace), sent, context)
  const given = decoded.object.metadata
  if (given.resourceVersion !== undefined && given.resourceVersion !== '') {
    throw badRequest('resourceVersion should not be set on objects to be created')
  }
  // Until this is known to hold, what is said to be a name may be anything.
  refuse(definition, nameIn(given), decoded.causes)
  const name = given.name || (given.generateName ? generateName(given.generateName, definition.maxNameLength) : '')
  const {
    uid: _uid,
    resourceVersion: _version,
    deletionTimestamp: _at,
    deletionGracePeriodSeconds: _grace,
    selfLink: _link,
    ...rest
  } = given
  const finalizers = [...new Set([...(given.finalizers ?? []), ...definition.finalizers])]
  const metadata = {
    ...rest,
    name,
    ...(definition.scope === 'Namespaced' && namespace !== undefined ? { namespace } : {}),
    uid: randomUUID(),
    generation: 1,
    creationTimestamp: wholeSeconds(clock.now()),
    ...(finalizers.length === 0 ? {} : { finalizers }),
    // The store's revision becomes the resourceVersion; until then there is none.
  } as Omit<ObjectMeta, 'resourceVersion'> as ObjectMeta
  const { status: _status, ...withoutStatus } = decoded.object
  const object = { ...(definition.subresources.status === undefined ? decoded.object : withoutStatus), metadata }
  const strategy = strategyOf(definition)
  const next = strategy.prepareForCreate?.(object) ?? object
  refuse(definition, name, [...validateMetadata(definition, next.metadata), ...(strategy.validate?.(next, undefined) ?? [])])
  return next
}

/**
 * The object that an update of everything but the status makes of `prev`: the very same one when it changes nothing. The
 * owners of its fields are those that were sent.
 */
export function admitUpdate(definition: ResourceDefinition, prev: ApiObject, sent: Sent, context: WriteContext): ApiObject {
  const { name } = prev.metadata
  const body = requireBody(definition, sent.value, prev.metadata.namespace)
  checkIdentity(definition, body.metadata, prev)
  const decoded = decode(definition, body, sent, context)
  const metadata = metadataForUpdate(definition, decoded.object.metadata, prev.metadata)
  const { status: _status, ...withoutStatus } = decoded.object
  const { status } = prev as WithStatus
  const object: WithStatus =
    definition.subresources.status === undefined
      ? { ...decoded.object, metadata }
      : { ...withoutStatus, metadata, ...(status === undefined ? {} : { status }) }
  refuse(definition, name, [...decoded.causes, ...checkImmutable(decoded.object.metadata, prev.metadata)])
  const strategy = strategyOf(definition)
  const next = strategy.prepareForUpdate?.(object, prev) ?? object
  refuse(definition, name, [
    ...checkFinalizersOfDeleted(next.metadata, prev.metadata),
    ...(hasSameNotes(next.metadata, prev.metadata) ? [] : validateMetadata(definition, next.metadata)),
    ...(strategy.validate?.(next, prev) ?? []),
  ])
  if (isSpecChanged(next, prev)) return { ...next, metadata: { ...next.metadata, generation: prev.metadata.generation + 1 } }
  return jsonEqual(next, prev) ? prev : next
}

/** The object with another status and nothing else changed: the very same one when the status is the same. */
export function admitStatus(definition: ResourceDefinition, prev: ApiObject, sent: Sent, context: WriteContext): ApiObject {
  const body = requireBody(definition, sent.value, prev.metadata.namespace)
  checkIdentity(definition, body.metadata, prev)
  const { apiVersion, kind } = prev
  const { status } = body
  if (sent.duplicates.length === 0 && jsonEqual(status ?? undefined, (prev as WithStatus).status)) return prev
  const part = { apiVersion, kind, metadata: {}, ...(status === undefined ? {} : { status }) }
  const decoded = decode(statusOnly(definition), part, sent, context)
  refuse(definition, prev.metadata.name, decoded.causes)
  const { status: _status, ...others } = prev as WithStatus
  const next: WithStatus = decoded.object.status === undefined ? others : { ...others, status: decoded.object.status }
  return jsonEqual(next, prev) ? prev : next
}

/** Who is meant: a name, a uid or a version other than the stored ones is a mistake or a lost race. */
export function checkIdentity(definition: ResourceDefinition, sent: unknown, prev: ApiObject): void {
  const { name, uid, resourceVersion } = isJsonObject(sent) ? sent : {}
  if (name !== undefined && name !== null && name !== prev.metadata.name) {
    throw badRequest(`the name of the object (${asWord(name)}) does not match the name on the URL (${prev.metadata.name})`)
  }
  if (typeof resourceVersion === 'string' && resourceVersion !== '' && resourceVersion !== prev.metadata.resourceVersion) {
    throw modified(definition, prev.metadata.name)
  }
  if (typeof uid === 'string' && uid !== '' && uid !== prev.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${prev.metadata.uid}`
    throw conflict(definition, prev.metadata.name, why)
  }
}

/** A replacement must say which version it replaces. Kinds of Kubernetes itself never asked for that, but for the one that is a lock. */
export function requireVersion(definition: ResourceDefinition, name: string, metadata: unknown): void {
  if (isKubernetesKind(definition) && definition.kind !== 'Lease') return
  if (isJsonObject(metadata) && metadata.resourceVersion) return
  const cause = invalidField('metadata.resourceVersion', 0, 'must be specified for an update')
  throw invalidObject(definition, name, [cause])
}

export function refuse(definition: ResourceDefinition, name: string, causes: readonly Cause[]): void {
  if (causes.length > 0) throw invalidObject(definition, name, causes)
}

function nameIn({ name }: { readonly name?: unknown }): string {
  return typeof name === 'string' ? name : ''
}

/** A name with a random end: so long that few collide, without vowels that would make words. */
function generateName(prefix: string, maxLength: number): string {
  const letters = Array.from({ length: RANDOM_LETTERS }, () => ALPHABET[randomInt(ALPHABET.length)])
  return prefix.slice(0, Math.min(63, maxLength) - RANDOM_LETTERS) + letters.join('')
}

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'
const RANDOM_LETTERS = 5

function decode(
  definition: ResourceDefinition,
  body: JsonObject,
  sent: Sent,
  { fieldValidation, warn }: WriteContext,
): { readonly object: DecodedObject; readonly causes: readonly Cause[] } {
  const normal = strategyOf(definition).normalize?.(body) ?? body
  const { object, strictErrors, causes } = decodeObject(definition, normal, { duplicates: sent.duplicates, fieldValidation, warn })
  if (fieldValidation === 'Strict' && strictErrors.length > 0) {
    throw strictDecodingError(definition, strictErrors, sent.source, nameIn(object.metadata))
  }
  return { object, causes }
}

const statusDefinitions = new WeakMap<ResourceDefinition, ResourceDefinition>()

/** The kind with nothing but its status: a write of the status, the most frequent of all, needn't look at the spec. */
function statusOnly(definition: ResourceDefinition): ResourceDefinition {
  let part = statusDefinitions.get(definition)
  if (part === undefined) {
    const { apiVersion, kind, metadata, status } = definition.schema.properties ?? {}
    const properties = Object.entries({ apiVersion, kind, metadata, status }).filter(([, schema]) => schema !== undefined)
    part = {
      ...definition,
      schema: { ...definition.schema, required: [], properties: Object.fromEntries(properties) as Record<string, JsonSchema> },
    }
    statusDefinitions.set(definition, part)
  }
  return part
}

function hasSameNotes(next: ObjectMeta, prev: ObjectMeta): boolean {
  return (['labels', 'annotations', 'finalizers', 'ownerReferences'] as const).every((field) => jsonEqual(next[field], prev[field]))
}
