/** Counts every write to the store; exact below 2^53. It becomes an opaque string at the API's edge. */
export type Revision = number

export interface KeyValue {
  readonly key: string
  readonly value: string
  readonly createRevision: Revision
  readonly modRevision: Revision
}

export interface Page {
  /** In the order of the UTF-16 code units of their keys. */
  readonly items: readonly KeyValue[]
  /** The revision of which this page is a snapshot; pass it back to read the next page of the same snapshot. */
  readonly revision: Revision
  /** Last key of this page, to be passed as `after`; absent on the last page. */
  readonly next?: string
  /** How many keys of the prefix follow this page. */
  readonly remaining: number
}

export type StoreEvent =
  | { readonly type: 'put'; readonly revision: Revision; readonly kv: KeyValue; readonly prev: KeyValue | undefined }
  | { readonly type: 'delete'; readonly revision: Revision; readonly prev: KeyValue }
  /** Every event of the prefix up to `revision` has been given: safe to resume from. */
  | { readonly type: 'progress'; readonly revision: Revision }

export interface RangeOptions {
  readonly limit?: number
  /** Only keys behind this one. */
  readonly after?: string
  /** The state at this revision. StoreError(Compacted) when it can't be rebuilt, StoreError(Future) when it isn't there yet. */
  readonly revision?: Revision
}

/**
 * Keys, values and one counter. There is no unconditional write. A write is acknowledged, and seen by readers and
 * watchers, only once it is durable. The conformance suite in `test/conformance/store.ts` is the contract in full.
 */
export interface Store {
  /** The revision of the newest acknowledged write; at least 1, also on an empty store. */
  revision(): Revision
  /** Why writes are refused now, in words; undefined while they are taken, as far as is known. The store finds out by itself when they are again. */
  refusal(): string | undefined
  get(key: string): Promise<KeyValue | undefined>
  range(prefix: string, options?: RangeOptions): Promise<Page>
  /**
   * Writes if the key's modRevision is `expect`; 0 means that it must not exist. Else StoreError(Conflict). Keys and values
   * are well-formed text, and a key is not empty.
   */
  put(key: string, value: string, expect: Revision): Promise<KeyValue>
  /** Deletes if the key's modRevision is `expect`, which is not 0; else StoreError(Conflict). Returns the revision of the deletion. */
  delete(key: string, expect: Revision): Promise<Revision>
  /**
   * Every event after `after`, each once, in order, until the signal, at which the iteration ends quietly. A `progress`
   * event comes when the watch has caught up with the state of its start, and then about once a second while other keys change.
   * StoreError(Compacted) if history before `after` is gone, StoreError(Future) if `after` is not reached yet,
   * StoreError(Slow) if the consumer fell behind by more than a bounded backlog: it resumes from its last revision.
   */
  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<StoreEvent>
  /**
   * Forgets history below `before`, of which the state can still be read and watched from; reads and watches from an earlier
   * revision get StoreError(Compacted). The store does so by itself, but keeps at least the last 10,000 changes and the
   * last five minutes. StoreError(Future) if `before` is not reached yet.
   */
  compact(before: Revision): Promise<void>
  /** Waits for writes under way, ends every watch with StoreError(Closed) and frees the resources. Later calls: StoreError(Closed). */
  close(): Promise<void>
}
