import type { ApiObject } from '../api/object.ts'

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
