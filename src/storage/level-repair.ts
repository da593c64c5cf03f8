import type { Millis } from '../base/clock.ts'
import type { Disk, Operation } from './disk.ts'
import { logKey, REVISION_KEY, valueKey } from './level-keys.ts'
import { damaged } from './level-log.ts'
import { decodeNumber, encodeLog, encodeNumber, encodeValue } from './level-records.ts'
import type { KeyValue, Revision } from './store.ts'

/** A batch failed, and it is not known what of it is on the disk. */
export interface Damage {
  /** The keys it would have changed. */
  readonly keys: readonly string[]
  readonly cause: unknown
  /** No attempt to repair before this time, by the monotonic clock. */
  readonly retryAt: Millis
}

interface Acknowledged {
  readonly revision: Revision
  get(key: string): KeyValue | undefined
}

/**
 * Brings the disk back to what was acknowledged and gives up every revision handed out since, each with a `void` record in
 * the log. One atomic batch that may be repeated; that it succeeds is the proof that the disk takes writes again.
 */
export async function undo(
  disk: Disk,
  facts: { readonly damage: Damage; readonly state: Acknowledged; readonly assigned: Revision },
): Promise<void> {
  const { damage, state, assigned } = facts
  const found = decodeNumber((await disk.get(REVISION_KEY)) ?? '')
  if (found < state.revision || found > assigned) {
    throw damaged(
      disk,
      REVISION_KEY,
      `it says ${found}, but this server wrote ${state.revision} to ${assigned}: another one has used the directory`,
    )
  }
  const operations: Operation[] = [{ type: 'put', key: REVISION_KEY, value: encodeNumber(assigned) }]
  for (const key of new Set(damage.keys)) {
    const kv = state.get(key)
    operations.push(kv === undefined ? { type: 'del', key: valueKey(key) } : { type: 'put', key: valueKey(key), value: encodeValue(kv) })
  }
  for (let revision = state.revision + 1; revision <= assigned; revision++) {
    operations.push({ type: 'put', key: logKey(revision), value: encodeLog({ type: 'void', revision }) })
  }
  await disk.write(operations)
}
