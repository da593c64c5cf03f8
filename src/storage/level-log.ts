import { type Change, keyOfChange } from './change-window.ts'
import type { Disk, Entry, Operation } from './disk.ts'
import { logKey, logRange, revisionOfLogKey, valueKey } from './level-keys.ts'
import { DamagedRecord, decodeLog, encodeLog, encodeValue, type LogRecord } from './level-records.ts'
import type { Revision } from './store.ts'
import { rootCause, StoreError } from './store-error.ts'

/** A read of older history holds this many records at a time. */
const LOG_PAGE = 256

/** What a change writes: its record in the log, and the value that its key has from then on. */
export function operationsOf(change: Change): readonly Operation[] {
  const record: Operation = { type: 'put', key: logKey(change.revision), value: encodeLog(change) }
  const key = valueKey(keyOfChange(change))
  return [record, change.type === 'put' ? { type: 'put', key, value: encodeValue(change.kv) } : { type: 'del', key }]
}

/** The first changes behind `after`, complete up to `reached`. No record behind `after` may be compacted when this is called. */
export async function readLog(
  disk: Disk,
  after: Revision,
  upTo: Revision,
): Promise<{ readonly changes: readonly Change[]; readonly reached: Revision }> {
  // Revision 1 is the empty store and has no record.
  const from = Math.max(after, 1)
  const reached = Math.min(upTo, from + LOG_PAGE)
  const entries: Entry[] = []
  try {
    for await (const page of disk.entries(logRange(from, reached))) entries.push(...page)
  } catch (err) {
    throw new StoreError('Unavailable', `The history of the store cannot be read: ${rootCause(err)}`, { cause: err })
  }
  const records = decodeLogRecords(disk, entries, { after: from, upTo: reached })
  return { changes: records.filter((record) => record.type !== 'void'), reached }
}

/** Decodes consecutive log records; StoreError(Corrupt) when one is damaged or missing. */
export function decodeLogRecords(
  disk: Disk,
  entries: readonly Entry[],
  expected: { readonly after: Revision; readonly upTo: Revision },
): LogRecord[] {
  const records = entries.map(([key, record], index) => {
    const revision = expected.after + 1 + index
    if (revisionOfLogKey(key) !== revision) throw damaged(disk, logKey(revision), 'it is missing')
    return decodeAt(disk, key, () => decodeLog(revision, record))
  })
  if (records.length !== expected.upTo - expected.after) throw damaged(disk, logKey(expected.after + 1 + records.length), 'it is missing')
  return records
}

/** Decodes the record at `key`; StoreError(Corrupt) that names it when it is damaged. */
export function decodeAt<T>(disk: Disk, key: string, fn: () => T): T {
  try {
    return fn()
  } catch (err) {
    if (err instanceof DamagedRecord) throw damaged(disk, key, err.message, err)
    throw err
  }
}

export function damaged(disk: Disk, key: string, why: string, cause?: unknown): StoreError {
  const wayOut =
    'Nothing was changed. Restore a backup (pmk server restore FILE --force), or move the directory away and apply your manifests again'
  return new StoreError('Corrupt', `The record ${key} of the store in ${disk.path} is damaged: ${why}. ${wayOut}`, { cause })
}
