import type { Revision } from './store.ts'

export type StoreErrorCode =
  /** The key's revision is not the expected one. */
  | 'Conflict'
  /** The history asked for is gone. */
  | 'Compacted'
  /** The revision asked for is not reached yet. */
  | 'Future'
  /** The watcher fell too far behind. */
  | 'Slow'
  /**
   * The disk refused the write (full, read-only, failing) or cannot be read. Nothing of it is seen; only if the server dies
   * before the disk takes writes again may a write of which this was said come to light at the next start.
   */
  | 'Unavailable'
  /** What is on disk is damaged, or written by a newer version. */
  | 'Corrupt'
  | 'Closed'

/** The only error that leaves a Store. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode
  /** Conflict: the key's actual modRevision, 0 when it is absent. Compacted: the oldest revision left. Future: the newest. */
  readonly revision: Revision | undefined

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions & { readonly revision?: Revision }) {
    super(message, options)
    this.code = code
    this.revision = options?.revision
  }
}

export function isStoreError(err: unknown, code: StoreErrorCode): err is StoreError {
  return err instanceof StoreError && err.code === code
}

/** What went wrong at the bottom of a chain of causes, in words. */
export function rootCause(err: unknown): string {
  if (!(err instanceof Error)) return String(err)
  return err.cause instanceof Error ? rootCause(err.cause) : err.message
}
