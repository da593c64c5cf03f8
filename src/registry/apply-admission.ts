import { asWord, strictDecodingError } from '../api/field-errors.ts'
import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import { decodeConfiguration } from '../api/validate.ts'
import type { Clock } from '../base/clock.ts'
import { isJsonObject, type JsonObject, jsonEqual } from '../base/json.ts'
import type { Ref } from '../client/client.ts'
import { admitCreate, admitStatus, admitUpdate, checkIdentity, requireKind } from './admission.ts'
import { applyConfiguration } from './apply.ts'
import { badRequest, conflict } from './errors.ts'
import type { WriteContext } from './registry.ts'
import { strategyOf } from './strategies.ts'

export interface Applied {
  readonly definition: ResourceDefinition
  readonly ref: Ref
  readonly value: unknown
  readonly force: boolean
  readonly duplicates: readonly string[]
  readonly subresource: 'status' | 'scale' | undefined
}

/**
 * What a server-side apply makes of `prev`, or of nothing: finished, with the owners of its fields, but for the
 * resourceVersion. The very same object when it changes nothing.
 */
export function admitApply(applied: Applied, prev: ApiObject | undefined, context: WriteContext, clock: Clock): ApiObject {
  const { definition, ref, force, subresource } = applied
  const config = decodeApplied(applied, prev, context)
  const part = subresource === undefined ? {} : { subresource }
  const result = applyConfiguration({ definition, live: prev, config, manager: context.fieldManager, force, now: clock.now(), ...part })
  // What the client sent has been looked at; what is left was here before.
  const lenient: WriteContext = { ...context, fieldValidation: 'Ignore' }
  const sent = { value: result, duplicates: [], source: 'body' } as const
  if (prev === undefined) return admitCreate(definition, ref.namespace, sent, lenient, clock)
  if (result === prev) return prev
  if (subresource !== 'status') return unlessSame(admitUpdate(definition, prev, sent, lenient), prev)
  const next = admitStatus(definition, prev, sent, lenient)
  const { managedFields, ...metadata } = next.metadata
  const owners = result.metadata.managedFields
  return unlessSame({ ...next, metadata: owners === undefined ? metadata : { ...metadata, managedFields: owners } }, prev)
}

/** The configuration in the normal form of its kind. Throws what is wrong with it, and the locks that don't hold. */
function decodeApplied(
  { definition, ref, value, duplicates }: Applied,
  prev: ApiObject | undefined,
  { fieldValidation, warn }: WriteContext,
): object {
  const body = withIdentity(requireKind(definition, value, ref.namespace), ref)
  if (prev === undefined) requireNoLock(definition, ref, body.metadata)
  else checkIdentity(definition, body.metadata, prev)
  const normal = strategyOf(definition).normalize?.(body) ?? body
  const { object, strictErrors } = decodeConfiguration(definition, normal, { duplicates, fieldValidation, warn })
  if (fieldValidation === 'Strict' && strictErrors.length > 0) throw strictDecodingError(definition, strictErrors, 'body', ref.name)
  return object
}

/** The name may be left out of what is applied: the request says it. */
function withIdentity(body: JsonObject, { name, namespace }: Ref): JsonObject {
  const metadata = isJsonObject(body.metadata) ? body.metadata : {}
  const said = metadata.name
  if (said !== undefined && said !== null && said !== '' && said !== name) {
    throw badRequest(`the name of the object (${asWord(said)}) does not match the name on the URL (${name})`)
  }
  return { ...body, metadata: { ...metadata, name, ...(namespace === undefined ? {} : { namespace }) } }
}

/** Who names a uid or a version means an object that was there. */
function requireNoLock(definition: ResourceDefinition, { name }: Ref, metadata: unknown): void {
  if (!isJsonObject(metadata)) return
  for (const lock of ['uid', 'resourceVersion'] as const) {
    if (metadata[lock])
      throw conflict(
        definition,
        name,
        `${lock} mismatch: the provided object specified ${lock} ${asWord(metadata[lock])}, and no existing object was found`,
      )
  }
}

function unlessSame(next: ApiObject, prev: ApiObject): ApiObject {
  return jsonEqual(next, prev) ? prev : next
}
