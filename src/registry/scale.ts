import { invalidField, invalidObject, requiredField, strictDecodingError } from '../api/field-errors.ts'
import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition, ScalePaths } from '../api/scheme.ts'
import { apiError } from '../api/status.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { admitUpdate, checkIdentity, type Sent } from './admission.ts'
import { badRequest } from './errors.ts'
import type { Scale, WriteContext } from './registry.ts'

const SCALE = { group: 'autoscaling', version: 'v1', kind: 'Scale' as never }

/** How many there are and should be of an object, in the form that all scalable kinds share. */
export function scaleOf(definition: ResourceDefinition, object: ApiObject): Scale {
  const paths = pathsOf(definition)
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const selector = valueAt(object, paths.selector)
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion, creationTimestamp },
    spec: { replicas: Number(valueAt(object, paths.specReplicas) ?? 0) },
    status: {
      replicas: Number(valueAt(object, paths.statusReplicas) ?? 0),
      ...(typeof selector === 'string' && selector !== '' ? { selector } : {}),
    },
  }
}

/** The object that a written Scale makes of `prev`. Throws what is wrong with the Scale. */
export function admitScale(definition: ResourceDefinition, prev: ApiObject, sent: Sent, context: WriteContext): ApiObject {
  const paths = pathsOf(definition)
  const { metadata, spec } = requireScale(sent, prev.metadata.name, context)
  checkIdentity(definition, metadata, prev)
  const replicas = isJsonObject(spec) ? spec.replicas : undefined
  const refuse = (cause: ReturnType<typeof invalidField>): Error => invalidObject(SCALE, prev.metadata.name, [cause])
  if (replicas === undefined || replicas === null) throw refuse(requiredField('spec.replicas'))
  if (!Number.isSafeInteger(replicas)) throw refuse(invalidField('spec.replicas', replicas, 'must be an integer'))
  if (Number(replicas) < 0) throw refuse(invalidField('spec.replicas', replicas, 'must be greater than or equal to 0'))
  if (valueAt(prev, paths.specReplicas) === replicas) return prev
  return admitUpdate(definition, prev, { value: withValueAt(prev, paths.specReplicas, replicas), duplicates: [], source: 'body' }, context)
}

/** An applied Scale as a configuration of the object itself, which is what its fields are owned as. */
export function configurationOfScale(definition: ResourceDefinition, sent: Sent, name: string, context: WriteContext): unknown {
  const { metadata, spec } = requireScale(sent, name, context)
  const object = { apiVersion: definition.apiVersion, kind: definition.kind, metadata }
  return withValueAt(object, pathsOf(definition).specReplicas, isJsonObject(spec) ? spec.replicas : undefined)
}

function requireScale(sent: Sent, name: string, context: WriteContext): JsonObject {
  const { value } = sent
  const isScale = isJsonObject(value) && (value.kind ?? 'Scale') === 'Scale' && (value.apiVersion ?? SCALE_VERSION) === SCALE_VERSION
  if (!isScale) throw badRequest(`the body must be a Scale of ${SCALE_VERSION}`)
  checkFields(value, sent, name, context)
  return value
}

/** A Scale is stored nowhere, so it has no schema: its fields are told by hand. Those of metadata are the object's own. */
function checkFields(scale: JsonObject, { duplicates, source }: Sent, name: string, { fieldValidation, warn }: WriteContext): void {
  if (fieldValidation === 'Ignore') return
  const unknown = (value: unknown, known: readonly string[], parent = ''): readonly string[] =>
    Object.keys(isJsonObject(value) ? value : {})
      .filter((field) => !known.includes(field))
      .map((field) => `unknown field "${parent}${field}"`)
  const errors = [
    ...unknown(scale, ['apiVersion', 'kind', 'metadata', 'spec', 'status']),
    ...unknown(scale.spec, ['replicas'], 'spec.'),
    ...unknown(scale.status, ['replicas', 'selector'], 'status.'),
    ...duplicates.map((path) => `duplicate field "${path}"`),
  ].slice(0, MOST_TOLD)
  if (fieldValidation === 'Strict' && errors.length > 0) throw strictDecodingError(SCALE, errors, source, name)
  for (const error of errors) warn(error)
}

/** Unknown fields, and keys written twice, that are told of. */
const MOST_TOLD = 100

const SCALE_VERSION = 'autoscaling/v1'

function pathsOf(definition: ResourceDefinition): ScalePaths {
  if (definition.subresources.scale === undefined) throw apiError('NotFound', 'the server could not find the requested resource', {})
  return definition.subresources.scale
}

function valueAt(value: unknown, path: string): unknown {
  let at = value
  for (const name of path.split('.')) at = isJsonObject(at) ? at[name] : undefined
  return at
}

function withValueAt(value: unknown, path: string, leaf: unknown): unknown {
  const [name = '', ...rest] = path.split('.')
  const object = isJsonObject(value) ? value : {}
  return { ...object, [name]: rest.length === 0 ? leaf : withValueAt(object[name], rest.join('.'), leaf) }
}
