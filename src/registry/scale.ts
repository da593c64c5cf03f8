import { invalidField, invalidObject, requiredField } from '../api/field-errors.ts'
import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition, ScalePaths } from '../api/scheme.ts'
import { apiError } from '../api/status.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { admitUpdate, checkIdentity } from './admission.ts'
import { badRequest } from './errors.ts'
import type { Scale, WriteContext } from './registry.ts'

const SCALE = { group: 'autoscaling', kind: 'Scale' as never }

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
export function admitScale(definition: ResourceDefinition, prev: ApiObject, scale: unknown, context: WriteContext): ApiObject {
  const paths = pathsOf(definition)
  const { metadata, spec } = requireScale(scale)
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
export function configurationOfScale(definition: ResourceDefinition, scale: unknown): unknown {
  const { metadata, spec } = requireScale(scale)
  const object = { apiVersion: definition.apiVersion, kind: definition.kind, metadata }
  return withValueAt(object, pathsOf(definition).specReplicas, isJsonObject(spec) ? spec.replicas : undefined)
}

function requireScale(scale: unknown): JsonObject {
  const isScale = isJsonObject(scale) && (scale.kind ?? 'Scale') === 'Scale' && (scale.apiVersion ?? SCALE_VERSION) === SCALE_VERSION
  if (!isScale) throw badRequest(`the body must be a Scale of ${SCALE_VERSION}`)
  return scale
}

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
