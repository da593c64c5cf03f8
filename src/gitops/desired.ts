import { type ObjectKey, objectKey } from '../api/object.ts'
import type { Placed } from '../manifest/apply.ts'
import { idOf } from './inventory.ts'
import { claimed, type SourceRef } from './ownership.ts'

/** An object as a source wants it. */
export interface Desired {
  /** As in the inventory. */
  readonly id: string
  readonly key: ObjectKey
  /** With the labels that say whose it is. */
  readonly placed: Placed
}

export function desiredOf(placed: readonly Placed[], source: SourceRef): readonly Desired[] {
  return placed.map((one) => ({ id: idOf(one), key: objectKey(one.ref.namespace, one.ref.name), placed: claimed(one, source) }))
}

interface Ids {
  readonly set: ReadonlySet<string>
  readonly sorted: readonly string[]
  /** Of all of them. */
  readonly bytes: number
}

const known = new WeakMap<readonly Desired[], Ids>()

/** The ids of a list; found out once for each list. */
export function idsOf(desired: readonly Desired[]): Ids {
  let ids = known.get(desired)
  if (ids === undefined) {
    const sorted = desired.map(({ id }) => id).sort()
    ids = { set: new Set(sorted), sorted, bytes: sorted.reduce((sum, id) => sum + Buffer.byteLength(id), 0) }
    known.set(desired, ids)
  }
  return ids
}
