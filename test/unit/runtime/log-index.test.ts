import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { nextLook } from '../../../src/runtime/log-growth.ts'
import { LogIndex, offsetSince, timeOf } from '../../../src/runtime/log-index.ts'

describe('the time index of a log', () => {
  const place = mkdtempSync(join(tmpdir(), 'pmk-index-'))
  after(() => rmSync(place, { recursive: true }))
  const entries = [
    { offset: 100, epoch: 1_000 },
    { offset: 200, epoch: 2_000 },
    { offset: 300, epoch: 5_000 },
  ]

  test('reading since a time begins behind what is surely older', () => {
    assert.equal(offsetSince(entries, 500), 0)
    assert.equal(offsetSince(entries, 1_000), 0)
    // The time of a file may be up to a tick of the kernel's coarse clock behind: what was written at 1,010 may say 1,000.
    assert.equal(offsetSince(entries, 1_010), 0)
    assert.equal(offsetSince(entries, 1_011), 100)
    assert.equal(offsetSince(entries, 5_000), 200)
    assert.equal(offsetSince(entries, 9_000), 300)
    assert.equal(offsetSince([], 9_000), 0)
  })

  test('a byte is dated by the first look that found it', () => {
    assert.equal(timeOf(entries, 0), 1_000)
    assert.equal(timeOf(entries, 99), 1_000)
    assert.equal(timeOf(entries, 100), 2_000)
    assert.equal(timeOf(entries, 299), 5_000)
    assert.equal(timeOf(entries, 300), undefined)
  })

  test('entries are a second apart, only for growth, and kept for the next server', () => {
    const path = join(place, 'a.idx')
    const index = new LogIndex(path)
    index.open()
    index.add({ offset: 10, epoch: 1_000 })
    index.add({ offset: 20, epoch: 1_900 })
    index.add({ offset: 20, epoch: 2_500 })
    index.add({ offset: 20, epoch: 9_500 })
    index.add({ offset: 30, epoch: 9_600 }, { force: true })
    assert.deepEqual(index.read(), [
      { offset: 10, epoch: 1_000 },
      { offset: 20, epoch: 2_500 },
      { offset: 30, epoch: 9_600 },
    ])
    // Half an entry, as a kill leaves it.
    appendFileSync(path, Buffer.alloc(7))
    const next = new LogIndex(path)
    next.open()
    next.add({ offset: 40, epoch: 20_000 })
    assert.equal(next.read().length, 4)
    assert.deepEqual(next.read().at(-1), { offset: 40, epoch: 20_000 })
  })

  test('what is no longer kept is forgotten, and the index stays below 1 MiB', () => {
    const path = join(place, 'b.idx')
    const index = new LogIndex(path)
    index.open()
    for (let entry = 1; entry <= 61_000; entry++) index.add({ offset: entry, epoch: entry * 1_000 })
    assert.ok(statSync(path).size < 1024 * 1024)
    assert.deepEqual(index.read().at(-1), { offset: 61_000, epoch: 61_000_000 })
    index.prune(60_990)
    assert.deepEqual(index.read()[0], { offset: 60_990, epoch: 60_990_000 })
  })

  test('a log is looked at the more often the faster it grows', () => {
    const look = (grown: number, previous = 1_000): number => nextLook({ grown, during: 1_000, maxSize: 50 * 1024 * 1024, previous })
    assert.equal(look(0), 5_000)
    assert.equal(look(0, 8_000), 10_000)
    assert.equal(look(1_000), 1_000)
    assert.equal(Math.round(look(50 * 1024 * 1024)), 125)
    assert.equal(look(5_000_000_000), 50)
  })
})
