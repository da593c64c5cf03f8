import type { ApiObject, Kind, New } from '../api/object.ts'
import type { WatchEvent } from '../api/watch-event.ts'
import type { KindMap } from '../generated/types.ts'

export interface Ref {
  readonly name: string
  readonly namespace?: string
}

export interface CallOptions {
  readonly signal?: AbortSignal
}

export interface WriteOptions extends CallOptions {
  /** Who owns the fields written. Absent: the client's own default. */
  readonly fieldManager?: string
  /** Everything is checked and answered as if it were done, and nothing is stored. */
  readonly dryRun?: boolean
  /** What to do about unknown fields and duplicate keys. Default: Strict in-process, the server's (Warn) over HTTP. */
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore'
}

export interface Selection {
  /** Absent: all namespaces. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
}

export interface ListOptions extends Selection, CallOptions {
  readonly limit?: number
  readonly continue?: string
}

export interface WatchOptions extends Selection {
  /** Leave out to get the present state first, closed by a BOOKMARK with initialEventsEnd. */
  readonly resourceVersion?: string
  readonly signal: AbortSignal
}

export interface List<T> {
  readonly items: readonly T[]
  readonly resourceVersion: string
  readonly continue?: string
}

export type Patch =
  | { readonly type: 'json'; readonly operations: readonly unknown[] }
  | { readonly type: 'merge'; readonly value: unknown }
  /** Lists are merged by their keys. Not of a Scale. */
  | { readonly type: 'strategic'; readonly value: unknown }
  | { readonly type: 'apply'; readonly value: unknown; readonly force?: boolean }

export interface PatchOptions extends WriteOptions {
  /** scale: the patch is one of the Scale of the object; the answer is the object as it is stored then, also after a dry run. */
  readonly subresource?: 'status' | 'scale'
}

export interface DeleteOptions extends CallOptions {
  readonly uid?: string
  readonly resourceVersion?: string
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan'
  /** 0: kill, don't ask politely. */
  readonly gracePeriodSeconds?: number
  readonly dryRun?: boolean
}

/** Everything that can be done with one kind. Every failure is an ApiError. */
export interface ResourceClient<T extends ApiObject> {
  get(ref: Ref, options?: CallOptions): Promise<T>
  list(options?: ListOptions): Promise<List<T>>
  /** Ends quietly with its signal. Expired (410) is thrown as ApiError; so is the loss of the connection. */
  watch(options: WatchOptions): AsyncIterable<WatchEvent<T>>
  create(object: New<T>, options?: WriteOptions): Promise<T>
  update(object: T, options?: WriteOptions): Promise<T>
  updateStatus(object: T, options?: WriteOptions): Promise<T>
  patch(ref: Ref, patch: Patch, options?: PatchOptions): Promise<T>
  /** The object when it is still there because of finalizers; undefined when it is gone. */
  delete(ref: Ref, options?: DeleteOptions): Promise<T | undefined>
}

export interface Client {
  for<K extends Kind>(kind: K): ResourceClient<KindMap[K]>
}
