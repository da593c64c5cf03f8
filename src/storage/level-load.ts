import { type Change, ChangeWindow, keyOfChange, type WindowBounds } from './change-window.ts'
import type { Disk } from './disk.ts'
import { decodeMarks, type Era, type Mark } from './history-marks.ts'
import {
  COMPACTED_KEY,
  FORMAT_KEY,
  keyOfValueKey,
  LOG,
  logKey,
  logRange,
  MARKS_KEY,
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
  /** The newest changes, as many as the memory may hold; all of those behind `changesAfter`. */
  readonly changes: readonly Change[]
  readonly changesAfter: Revision
  /** Log records up to here are gone; those behind it and up to `compacted` are left over. */
  readonly sweptTo: Revision
  readonly marks: readonly Mark[]
}

/**
 * Reads a store and checks that counter, values and log tell one story. Log records older than the last `window.changes` are
 * only counted here; they are checked when they are read. Throws StoreError(Corrupt) that names the record and the way out.
 */
export async function loadStore(disk: Disk, window: WindowBounds, era: Era): Promise<Loaded> {
  if (!(await isFormatted(disk))) await format(disk)
  const revision = await readNumber(disk, REVISION_KEY)
  const compacted = await readNumber(disk, COMPACTED_KEY)
  if (revision < 1 || compacted > revision) throw damaged(disk, COMPACTED_KEY, `it says ${compacted}, but the store is at ${revision}`)

  const values = await loadValues(disk, revision)
  const sweptTo = await checkLogKeys(disk, { revision, compacted })
  const after = Math.max(compacted, 1, revision - window.changes)
  const newest = await loadChanges(disk, { values, after, revision, window })
  const changesAfter = newest.start === 1 ? compacted : newest.start
  return { revision, compacted, values, changes: newest.read(newest.start, ''), changesAfter, sweptTo, marks: await loadMarks(disk, era) }
}

async function loadMarks(disk: Disk, era: Era): Promise<readonly Mark[]> {
  const record = await disk.get(MARKS_KEY)
  return record === undefined ? [] : decodeAt(disk, MARKS_KEY, () => decodeMarks(record, era))
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

interface Log {
  readonly values: ReadonlyMap<string, KeyValue>
  readonly after: Revision
  readonly revision: Revision
  readonly window: WindowBounds
}

/**
 * The newest changes, of which each found what the one before it left, and the last of each key left its value. What is the same
 * in several places is one string in memory.
 */
async function loadChanges(disk: Disk, { values, after, revision, window }: Log): Promise<ChangeWindow> {
  const newest = new ChangeWindow(after, window)
  const last = new Map<string, Change>()
  let position = after
  for await (const entries of disk.entries(logRange(after, revision))) {
    const upTo = position + entries.length
    for (const record of decodeLogRecords(disk, entries, { after: position, upTo })) {
      if (record.type === 'void') continue
      const key = keyOfChange(record)
      const before = last.get(key)
      if (before !== undefined && !isSame(leftBy(before), record.prev)) {
        throw damaged(disk, logKey(record.revision), `it does not follow from ${logKey(before.revision)}`)
      }
      const change = shared(record, before === undefined ? record.prev : leftBy(before), values.get(key))
      last.set(key, change)
      newest.append(change)
    }
    position = upTo
  }
  for (const [key, change] of last) {
    if (!isSame(leftBy(change), values.get(key))) throw damaged(disk, valueKey(key), `it is not what ${logKey(change.revision)} made it`)
  }
  for (const kv of values.values()) {
    if (kv.modRevision > after && !last.has(kv.key)) {
      throw damaged(disk, valueKey(kv.key), `${logKey(kv.modRevision)} is the record of another key`)
    }
  }
  return newest
}

function leftBy(change: Change): KeyValue | undefined {
  return change.type === 'put' ? change.kv : undefined
}

/** The change with `prev` and, where it is the same, `present` in place of their copies in its record. */
function shared(change: Change, prev: KeyValue | undefined, present: KeyValue | undefined): Change {
  if (change.type === 'delete') return { ...change, prev: prev ?? change.prev }
  const { type, revision, kv } = change
  return { type, revision, kv: isSame(kv, present) && present !== undefined ? present : { ...kv, value: ownCopy(kv.value) }, prev }
}

/** A part of a string keeps the whole of it in memory. */
function ownCopy(text: string): string {
  return Buffer.from(text).toString()
}

function isSame(a: KeyValue | undefined, b: KeyValue | undefined): boolean {
  return a?.modRevision === b?.modRevision && a?.createRevision === b?.createRevision && a?.value === b?.value
}
