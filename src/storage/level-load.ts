import { type Change, keyOfChange } from './change-window.ts'
import type { Disk } from './disk.ts'
import {
  COMPACTED_KEY,
  FORMAT_KEY,
  keyOfValueKey,
  LOG,
  logKey,
  logRange,
  REVISION_KEY,
  revisionOfLogKey,
  VALUES,
  valueKey,
} from './level-keys.ts'
import { damaged, decodeAt, decodeLogRecords } from './level-log.ts'
import { decodeNumber, decodeValue, encodeNumber } from './level-records.ts'
import type { KeyValue, Revision } from './store.ts'
import { StoreError } from './store-error.ts'

/** The layout that this version writes. A store with a higher one belongs to a newer pmk. */
export const FORMAT = 1

export interface Loaded {
  readonly revision: Revision
  readonly compacted: Revision
  readonly values: ReadonlyMap<string, KeyValue>
  /** The newest changes; all of those behind `changesAfter`. */
  readonly changes: readonly Change[]
  readonly changesAfter: Revision
  /** Log records up to here are gone; those behind it and up to `compacted` are left over. */
  readonly sweptTo: Revision
}

/**
 * Reads a store and checks that counter, values and log tell one story. Log records older than the last `newest` are only
 * counted here; they are checked when they are read. Throws StoreError(Corrupt) that names the record and the way out.
 */
export async function loadStore(disk: Disk, newest: number): Promise<Loaded> {
  if (!(await isFormatted(disk))) await format(disk)
  const revision = await readNumber(disk, REVISION_KEY)
  const compacted = await readNumber(disk, COMPACTED_KEY)
  if (revision < 1 || compacted > revision) throw damaged(disk, COMPACTED_KEY, `it says ${compacted}, but the store is at ${revision}`)

  const values = await loadValues(disk, revision)
  const changesAfter = Math.max(compacted, 1, revision - newest)
  const sweptTo = await checkLogKeys(disk, { revision, compacted })
  const changes = await loadChanges(disk, { changesAfter, revision })
  checkAgreement(disk, { values, changes, changesAfter })
  return { revision, compacted, values, changes, changesAfter: changesAfter === 1 ? compacted : changesAfter, sweptTo }
}

/** False when there is nothing at all. */
async function isFormatted(disk: Disk): Promise<boolean> {
  const mark = await disk.get(FORMAT_KEY)
  if (mark === undefined) {
    for await (const keys of disk.keys({ gt: '', lt: '\u{10ffff}' })) {
      if (keys.length > 0) throw damaged(disk, FORMAT_KEY, `it is missing, although there are others such as ${keys[0]}`)
    }
    return false
  }
  if (!/^[1-9]\d{0,8}$/.test(mark)) throw damaged(disk, FORMAT_KEY, `it is ${JSON.stringify(mark.slice(0, 32))}, which is no format`)
  if (Number(mark) <= FORMAT) return true
  throw new StoreError(
    'Corrupt',
    `The store in ${disk.path} has format ${mark} and was written by a newer version of pmk; this one knows formats up to ${FORMAT}. ` +
      'Nothing was changed. Start the newer version, or restore a backup from before the upgrade',
  )
}

async function format(disk: Disk): Promise<void> {
  await disk.write([
    { type: 'put', key: REVISION_KEY, value: encodeNumber(1) },
    { type: 'put', key: COMPACTED_KEY, value: encodeNumber(0) },
    { type: 'put', key: FORMAT_KEY, value: String(FORMAT) },
  ])
}

async function readNumber(disk: Disk, key: string): Promise<number> {
  const record = await disk.get(key)
  if (record === undefined) throw damaged(disk, key, 'it is missing')
  return decodeAt(disk, key, () => decodeNumber(record))
}

async function loadValues(disk: Disk, revision: Revision): Promise<Map<string, KeyValue>> {
  const values = new Map<string, KeyValue>()
  for await (const entries of disk.entries(VALUES)) {
    for (const [levelKey, record] of entries) {
      const kv = decodeAt(disk, levelKey, () => decodeValue(keyOfValueKey(levelKey), record))
      if (kv.modRevision > revision) throw damaged(disk, levelKey, `it is of revision ${kv.modRevision}, but the store is at ${revision}`)
      values.set(kv.key, kv)
    }
  }
  return values
}

/** Every revision behind `compacted` has its record, and there is none ahead of the counter. Returns what is swept. */
async function checkLogKeys(disk: Disk, extent: { readonly revision: Revision; readonly compacted: Revision }): Promise<Revision> {
  let sweptTo: Revision | undefined
  let expected = Math.max(extent.compacted, 1) + 1
  for await (const keys of disk.keys(LOG)) {
    for (const key of keys) {
      const revision = revisionOfLogKey(key)
      if (!(revision <= extent.revision)) throw damaged(disk, key, `the store is at revision ${extent.revision} and knows no such record`)
      sweptTo ??= Math.min(revision - 1, extent.compacted)
      if (revision < expected && revision <= extent.compacted) continue
      if (revision !== expected) throw damaged(disk, logKey(expected), 'it is missing')
      expected += 1
    }
  }
  if (expected <= extent.revision) throw damaged(disk, logKey(expected), 'it is missing')
  return sweptTo ?? extent.compacted
}

async function loadChanges(disk: Disk, range: { readonly changesAfter: Revision; readonly revision: Revision }): Promise<Change[]> {
  const changes: Change[] = []
  let position = range.changesAfter
  for await (const entries of disk.entries(logRange(range.changesAfter, range.revision))) {
    const upTo = position + entries.length
    for (const record of decodeLogRecords(disk, entries, { after: position, upTo })) if (record.type !== 'void') changes.push(record)
    position = upTo
  }
  return changes
}

/** Each key's value is what the last change of it left, and each change found what the one before it left. */
function checkAgreement(
  disk: Disk,
  found: { readonly values: ReadonlyMap<string, KeyValue>; readonly changes: readonly Change[]; readonly changesAfter: Revision },
): void {
  const last = new Map<string, Change>()
  for (const change of found.changes) {
    const key = keyOfChange(change)
    const before = last.get(key)
    if (before !== undefined && !isSame(before.type === 'put' ? before.kv : undefined, change.prev)) {
      throw damaged(disk, logKey(change.revision), `it does not follow from ${logKey(before.revision)}`)
    }
    last.set(key, change)
  }
  for (const [key, change] of last) {
    if (!isSame(change.type === 'put' ? change.kv : undefined, found.values.get(key))) {
      throw damaged(disk, valueKey(key), `it is not what ${logKey(change.revision)} made it`)
    }
  }
  for (const kv of found.values.values()) {
    if (kv.modRevision > found.changesAfter && !last.has(kv.key)) {
      throw damaged(disk, valueKey(kv.key), `${logKey(kv.modRevision)} is the record of another key`)
    }
  }
}

function isSame(a: KeyValue | undefined, b: KeyValue | undefined): boolean {
  return a?.modRevision === b?.modRevision && a?.createRevision === b?.createRevision && a?.value === b?.value
}
