import type { Change } from './change-window.ts'
import type { KeyValue, Revision } from './store.ts'
import { StoreError } from './store-error.ts'

export interface Write {
  readonly key: string
  /** Undefined deletes. */
  readonly value: string | undefined
  readonly expect: Revision
}

/** True if a key that holds `prev` is as the write expects it. A delete that expects absence has nothing to delete. */
export function isAllowed({ value, expect }: Write, prev: KeyValue | undefined): boolean {
  return (prev?.modRevision ?? 0) === expect && (value !== undefined || prev !== undefined)
}

/** The change that a write makes to a key that holds `prev`, or StoreError(Conflict). */
export function changeFor(write: Write, prev: KeyValue | undefined, revision: Revision): Change {
  const { key, value } = write
  if (!isAllowed(write, prev)) throw conflict(write, prev)
  if (value !== undefined) {
    return { type: 'put', revision, kv: { key, value, createRevision: prev?.createRevision ?? revision, modRevision: revision }, prev }
  }
  if (prev === undefined) throw conflict(write, prev)
  return { type: 'delete', revision, prev }
}

function conflict({ key, expect }: Write, prev: KeyValue | undefined): StoreError {
  const actual = prev?.modRevision ?? 0
  const found = prev === undefined ? 'it does not exist' : `it is at revision ${actual}`
  return new StoreError('Conflict', `${key} was expected ${expect === 0 ? 'not to exist' : `at revision ${expect}`}, but ${found}`, {
    revision: actual,
  })
}

/** Keys are stored as UTF-8, in which half a surrogate pair has no form: two such keys would become one. */
export function requireKey(key: string): void {
  if (key === '' || /\p{Surrogate}/u.test(key)) throw new TypeError(`A key must be non-empty, well-formed text, got ${JSON.stringify(key)}`)
}
