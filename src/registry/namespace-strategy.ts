import { forbiddenField } from '../api/field-errors.ts'
import type { Namespace } from '../generated/types.ts'
import { forbidden } from './errors.ts'
import type { Strategy } from './strategy.ts'

/** The namespace that is always there. */
export const DEFAULT_NAMESPACE = 'default'

/**
 * A Namespace is deleted in two steps. DELETE makes it Terminating: nothing can be created in it any more, and
 * spec.finalizers, which every Namespace has from the start, keeps it. The namespace controller deletes what is in it and
 * then takes its entry out of spec.finalizers with an ordinary update, at which the Namespace goes. What is Kubernetes'
 * `/finalize` is thus an update that is allowed only while the Namespace is Terminating, and refused by the registry
 * while there still is an object in it.
 */
export const namespaceStrategy: Strategy<Namespace> = {
  prepareForCreate: (next) => ({
    ...next,
    spec: { ...next.spec, finalizers: [...new Set([...next.spec.finalizers, KUBERNETES_FINALIZER])] },
    status: { phase: 'Active' },
  }),

  prepareForUpdate: (next, prev) => (prev.metadata.deletionTimestamp === undefined ? { ...next, spec: prev.spec } : next),

  validate(next, prev) {
    const added = next.spec.finalizers.filter((name) => prev?.spec.finalizers.includes(name) === false)
    if (prev?.metadata.deletionTimestamp === undefined || added.length === 0) return []
    return [forbiddenField('spec.finalizers', 'no new finalizers can be added to a terminating namespace')]
  },

  refuseDeletion: (definition, { metadata }) =>
    metadata.name === DEFAULT_NAMESPACE ? forbidden(definition, metadata.name, 'this namespace may not be deleted') : undefined,

  prepareForDelete: (next) => ({ ...next, status: { ...next.status, phase: 'Terminating' } }),

  finalizers: ({ spec }) => spec.finalizers,
}

const KUBERNETES_FINALIZER = 'kubernetes'
