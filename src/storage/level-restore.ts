import type { Operation } from './disk.ts'
import { COMPACTED_KEY, FORMAT_KEY, REVISION_KEY, valueKey } from './level-keys.ts'
import { FORMAT } from './level-load.ts'
import { encodeNumber, encodeValue } from './level-records.ts'
import { openLevel } from './level-store.ts'
import type { KeyValue, Revision } from './store.ts'

const BATCH = 500

/**
 * Makes a store in a new directory: these keys, at this revision, without history. Whoever watches or reads from an earlier
 * revision gets StoreError(Compacted). Until it resolves what is there is no store. Gives how many keys there are.
 */
export async function createLevelStore(path: string, keys: AsyncIterable<KeyValue>, revision: Revision): Promise<number> {
  const level = await openLevel(path, { create: true })
  try {
    let operations: Operation[] = []
    let count = 0
    for await (const kv of keys) {
      operations.push({ type: 'put', key: valueKey(kv.key), value: encodeValue(kv) })
      count += 1
      if (operations.length < BATCH) continue
      await level.batch(operations)
      operations = []
    }
    operations.push(
      { type: 'put', key: REVISION_KEY, value: encodeNumber(revision) },
      { type: 'put', key: COMPACTED_KEY, value: encodeNumber(revision) },
      { type: 'put', key: FORMAT_KEY, value: String(FORMAT) },
    )
    await level.batch(operations, { sync: true })
    return count
  } finally {
    await level.close()
  }
}
