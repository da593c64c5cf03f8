import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import type { WatchEvent } from '../api/watch-event.ts'
import type { Patch, Ref } from '../client/client.ts'

export interface UserInfo {
  readonly name: string
  readonly groups: readonly string[]
}

/** Who asks, and how the answer is wanted. */
export interface WriteContext {
  readonly user: UserInfo
  readonly fieldManager: string
  readonly dryRun: boolean
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore'
  /** Takes warnings for the client, one sentence each. */
  readonly warn: (text: string) => void
  /** Asked before each change is stored, with the object as it will be; throws ApiError(Forbidden) to refuse. */
  readonly admit: Admit
}

/** A change that only has to be stored. Without prev it creates, without next it removes. */
export interface PendingWrite {
  readonly definition: ResourceDefinition
  readonly prev: ApiObject | undefined
  readonly next: ApiObject | undefined
}

export type Admit = (write: PendingWrite) => void

/** For what the server itself writes. */
export const admitAll: Admit = () => {}

/** A decoded body, with the duplicate keys that decoding came across (as field paths). */
export interface Body {
  readonly value: unknown
  readonly duplicates: readonly string[]
}

export interface ListQuery {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly limit?: number
  readonly continue?: string
  readonly resourceVersion?: string
  readonly resourceVersionMatch?: string
}

export interface ListResult {
  readonly items: readonly ApiObject[]
  readonly resourceVersion: string
  readonly continue?: string
  /** Only without selectors. */
  readonly remainingItemCount?: number
}

export interface WatchQuery {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly resourceVersion?: string
  readonly resourceVersionMatch?: string
  readonly sendInitialEvents?: boolean
  readonly allowWatchBookmarks?: boolean
}

export interface DeleteQuery {
  readonly uid?: string
  readonly resourceVersion?: string
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan'
  readonly gracePeriodSeconds?: number
}

/** `object` is still stored (finalizers, grace), or was the last state of what is gone now. */
export interface DeleteResult {
  readonly removed: boolean
  readonly object: ApiObject
}

export interface Scale {
  readonly kind: 'Scale'
  readonly apiVersion: 'autoscaling/v1'
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid: string
    readonly resourceVersion: string
    readonly creationTimestamp: string
  }
  readonly spec: { readonly replicas: number }
  readonly status: { readonly replicas: number; readonly selector?: string }
}

export type Subresource = 'status' | 'scale'

/**
 * What reading and writing *mean*, for any kind: names, defaults, validation, generations, ownership of fields, finalizers,
 * namespaces, watches with selectors. The only user of a Store. Every failure is an ApiError. Objects given out are frozen.
 */
export interface Registry {
  get(definition: ResourceDefinition, ref: Ref): Promise<ApiObject>
  list(definition: ResourceDefinition, query: ListQuery): Promise<ListResult>
  /** Throws before the first event what is wrong with the query; ApiError(Expired) when history is gone; ends quietly with the signal. */
  watch(definition: ResourceDefinition, query: WatchQuery, signal: AbortSignal): AsyncIterable<WatchEvent<ApiObject>>
  create(definition: ResourceDefinition, namespace: string | undefined, body: Body, context: WriteContext): Promise<ApiObject>
  update(definition: ResourceDefinition, ref: Ref, body: Body, context: WriteContext, subresource?: 'status'): Promise<ApiObject>
  patch(
    definition: ResourceDefinition,
    ref: Ref,
    patch: Patch,
    duplicates: readonly string[],
    context: WriteContext,
    subresource?: 'status',
  ): Promise<{ readonly object: ApiObject; readonly created: boolean }>
  delete(definition: ResourceDefinition, ref: Ref, query: DeleteQuery, context: WriteContext): Promise<DeleteResult>
  /** Deletes what a list with this query gives; answers what it gave. */
  deleteCollection(definition: ResourceDefinition, query: ListQuery, options: DeleteQuery, context: WriteContext): Promise<ListResult>
  getScale(definition: ResourceDefinition, ref: Ref): Promise<Scale>
  updateScale(definition: ResourceDefinition, ref: Ref, body: Body, context: WriteContext): Promise<Scale>
  patchScale(definition: ResourceDefinition, ref: Ref, patch: Patch, duplicates: readonly string[], context: WriteContext): Promise<Scale>
  /** The newest resourceVersion. */
  resourceVersion(): string
}
