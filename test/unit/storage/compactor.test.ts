import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '../../../src/base/log.ts'
import { Compactor, KEEP_CHANGES, KEEP_TIME, MOST_CHANGES } from '../../../src/storage/compactor.ts'
import { decodeMarks, encodeMarks, type Mark } from '../../../src/storage/history-marks.ts'
import { FakeClock } from '../../support/fake-clock.ts'

interface Given {
  readonly fails?: boolean
  readonly clock?: FakeClock
  readonly store?: { revision: number; compacted: number; attempts: number }
  readonly marks?: readonly Mark[]
}

function given(options: Given = {}) {
  const { clock = new FakeClock(), store = { revision: 1, compacted: 0, attempts: 0 }, marks = [] } = options
  const compactor = new Compactor({
    clock,
    log: silentLogger,
    extent: () => store,
    marks,
    compact: async (before) => {
      store.attempts += 1
      if (options.fails === true) throw new Error('no space left')
      store.compacted = before
    },
  })
  const write = (count: number): void => {
    store.revision += count
    compactor.noticed()
  }
  return { clock, store, compactor, write }
}

test('a store with little history needs no timer', () => {
  const { clock, write } = given()
  write(KEEP_CHANGES - 1)
  assert.equal(clock.pending, 0)
})

test('history goes once it is both old and beyond the last changes', async () => {
  const { clock, store, write } = given()
  write(25_000)
  await clock.advance(KEEP_TIME - 1_000)
  assert.equal(store.compacted <= 1, true)
  await clock.advance(60_000)
  assert.equal(store.compacted, store.revision - KEEP_CHANGES)
  assert.equal(clock.pending, 0, 'nothing is left to do')
})

test('changes of the last five minutes stay, however many they are', async () => {
  const { clock, store, write } = given()
  const at: { readonly time: number; readonly revision: number }[] = []
  for (let minute = 0; minute < 20; minute++) {
    write(8_000)
    at.push({ time: clock.monotonic(), revision: store.revision })
    await clock.advance(60_000)
    const recent = at.find(({ time }) => clock.monotonic() - time < KEEP_TIME)
    assert.ok(store.compacted < (recent?.revision ?? 0), `minute ${minute}: compacted ${store.compacted}`)
  }
  assert.ok(store.compacted >= store.revision - 8_000 * 7, `what is older goes, but ${store.compacted} is kept of ${store.revision}`)
})

test('a write storm is bounded even within five minutes', async () => {
  const { clock, store, write } = given()
  write(MOST_CHANGES * 2)
  await clock.advance(30_000)
  assert.equal(store.compacted, store.revision - MOST_CHANGES)
})

test('a compaction that fails is tried again, and a closed compactor stops', async () => {
  const { clock, store, compactor, write } = given({ fails: true })
  write(MOST_CHANGES * 2)
  await clock.advance(60_000)
  assert.equal(store.attempts, 2)
  await compactor.close()
  await clock.advance(600_000)
  assert.equal(store.attempts, 2)
  assert.equal(clock.pending, 0)
})

/** Servers of one store, one after the other: each lives for `life`, and makes so many changes at its begin, with which its marks are kept. */
async function restarts(options: { readonly count: number; readonly life: number; readonly changes: number; readonly reboot: boolean }) {
  const store = { revision: 1, compacted: 0, attempts: 0 }
  const past: { readonly at: number; readonly revision: number }[] = []
  let record = ''
  let elapsed = 0
  let clock = new FakeClock()
  for (let server = 0; server < options.count; server++) {
    if (options.reboot) clock = new FakeClock()
    const era = () => ({ now: clock.monotonic(), boot: options.reboot ? String(server) : 'boot' })
    const { compactor, write } = given({ store, clock, marks: record === '' ? [] : decodeMarks(record, era()) })
    const turns = 4
    for (let turn = 0; turn < turns; turn++) {
      const marks = compactor.takeMarks()
      if (marks !== undefined) record = encodeMarks(marks, era())
      write(options.changes / turns)
      past.push({ at: elapsed, revision: store.revision })
      await clock.advance(options.life / turns)
      elapsed += options.life / turns
      const recent = past.find(({ at }) => elapsed - at < KEEP_TIME)
      assert.ok(store.compacted < (recent?.revision ?? 0), `server ${server}: compacted ${store.compacted}`)
    }
    await compactor.close()
  }
  return { store, record }
}

test('a store whose servers live for seconds forgets what is old all the same, and nothing that is not', async () => {
  const { store, record } = await restarts({ count: 300, life: 4_000, changes: 400, reboot: false })
  const kept = store.revision - store.compacted
  // Five minutes are 75 servers and 30,000 changes.
  assert.ok(kept < 36_000, `${kept} changes are kept`)
  assert.ok(record.length < 2_500, `the marks take ${record.length} bytes`)
})

test('so does one whose machine is booted again and again', async () => {
  const { store } = await restarts({ count: 40, life: 60_000, changes: 8_000, reboot: true })
  const kept = store.revision - store.compacted
  assert.ok(kept < 8_000 * 12, `${kept} changes are kept`)
})

test('marks of another boot are as old as they were when they were written, and those of a clock that went back, too', () => {
  const record = encodeMarks(
    [
      { at: 1_000.2, revision: 5 },
      { at: 61_000, revision: 9 },
    ],
    { now: 70_000.9, boot: 'a' },
  )
  const ages = (now: number, boot: string) => decodeMarks(record, { now, boot }).map(({ at, revision }) => [now - at, revision])
  assert.deepEqual(ages(900_000, 'a'), [
    [898_999, 5],
    [839_000, 9],
  ])
  assert.deepEqual(ages(900_000, 'b'), [
    [68_999, 5],
    [9_000, 9],
  ])
  assert.deepEqual(ages(50, 'b'), [
    [68_999, 5],
    [9_000, 9],
  ])
  assert.deepEqual(ages(69_000, 'a'), [
    [68_999, 5],
    [9_000, 9],
  ])
})
