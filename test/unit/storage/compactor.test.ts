import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '../../../src/base/log.ts'
import { Compactor, KEEP_CHANGES, KEEP_TIME, MOST_CHANGES } from '../../../src/storage/compactor.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function given(options: { readonly fails?: boolean } = {}) {
  const clock = new FakeClock()
  const store = { revision: 1, compacted: 0, attempts: 0 }
  const compactor = new Compactor({
    clock,
    log: silentLogger,
    extent: () => store,
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
