import type { ApiObject } from '../api/object.ts'

const texts = new WeakMap<object, string>()

/**
 * The JSON of a stored object. The same frozen object goes to every list and watcher, so its text is made once and lives
 * as long as the object does.
 */
export function jsonOf(object: ApiObject): string {
  if (!Object.isFrozen(object)) return JSON.stringify(object)
  const known = texts.get(object)
  if (known !== undefined) return known
  const text = JSON.stringify(object)
  texts.set(object, text)
  return text
}

/** The object without all but its metadata. */
export function metadataJsonOf(object: ApiObject): string {
  return `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":${JSON.stringify(object.metadata)}}`
}

export interface ListHead {
  readonly resourceVersion: string
  readonly continue?: string
  readonly remainingItemCount?: number
}

/** A list around items that are JSON already. */
export function listJson(kind: string, apiVersion: string, head: ListHead, items: readonly string[]): string {
  return `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":${JSON.stringify(listMetadata(head))},"items":[${items.join(',')}]}`
}

export function listMetadata({ resourceVersion, continue: next, remainingItemCount }: ListHead): object {
  return {
    resourceVersion,
    ...(next === undefined ? {} : { continue: next }),
    ...(remainingItemCount === undefined ? {} : { remainingItemCount }),
  }
}
