import { forbiddenField, invalidField } from '../api/field-errors.ts'
import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import type { Cause } from '../api/status.ts'
import { epochOf } from '../base/clock.ts'
import { jsonEqual } from '../base/json.ts'
import type { ObjectMeta } from '../generated/types.ts'

/** What must not change. What a client leaves out is no change. */
export function checkImmutable(next: Partial<ObjectMeta>, prev: ObjectMeta): readonly Cause[] {
  const names = ['creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const satisfies readonly (keyof ObjectMeta)[]
  return names
    .filter((name) => next[name] !== undefined && next[name] !== prev[name] && !isSameSecond(next[name], prev[name]))
    .map((name) => invalidField(`metadata.${name}`, next[name], 'field is immutable'))
}

/** JavaScript writes milliseconds to every time, and anybody may write another zone. */
function isSameSecond(next: unknown, prev: unknown): boolean {
  if (typeof next !== 'string' || typeof prev !== 'string') return false
  return Math.floor(epochOf(next) / 1_000) === Math.floor(epochOf(prev) / 1_000)
}

/** An object that is being deleted takes no new duties. */
export function checkFinalizersOfDeleted(next: ObjectMeta, prev: ObjectMeta): readonly Cause[] {
  if (prev.deletionTimestamp === undefined) return []
  const present = new Set(prev.finalizers)
  const added = (next.finalizers ?? []).filter((name) => !present.has(name))
  if (added.length === 0) return []
  const why = `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`
  return [forbiddenField('metadata.finalizers', why)]
}

/** Metadata of an update: what belongs to the server is taken from `prev`. */
export function metadataForUpdate(definition: ResourceDefinition, next: Partial<ObjectMeta>, prev: ObjectMeta): ObjectMeta {
  const { labels, annotations, ownerReferences, managedFields } = next
  const finalizers = finalizersForUpdate(definition, next, prev)
  const { labels: _labels, annotations: _annotations, finalizers: _finalizers, ownerReferences: _owners, ...own } = prev
  return {
    ...own,
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(finalizers.length === 0 ? {} : { finalizers }),
    ...(ownerReferences === undefined || ownerReferences.length === 0 ? {} : { ownerReferences }),
    ...(managedFields === undefined ? {} : { managedFields }),
  }
}

/** A replacement that doesn't know of the duties of its kind must not end them; only who has done them does, after a deletion. */
function finalizersForUpdate({ finalizers: own }: ResourceDefinition, next: Partial<ObjectMeta>, prev: ObjectMeta): readonly string[] {
  const { finalizers: asked = [] } = next
  if (prev.deletionTimestamp !== undefined) return asked
  const missing = own.filter((name) => prev.finalizers?.includes(name) === true && !asked.includes(name))
  return missing.length === 0 ? asked : [...asked, ...missing]
}

/** Whether anything but metadata and status differs: what a generation counts. */
export function isSpecChanged(next: ApiObject, prev: ApiObject): boolean {
  return !jsonEqual(specOf(next), specOf(prev))
}

function specOf(object: ApiObject & { readonly status?: unknown }): object {
  const { metadata: _metadata, status: _status, ...rest } = object
  return rest
}
