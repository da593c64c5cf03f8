import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogGrowth } from '../../../src/runtime/log-growth.ts'

test('the first look knows no rate', () => {
  const growth = new LogGrowth()
  growth.begin(1_000)
  assert.deepEqual(growth.at(500, 4_000), { grown: 3_000, rate: Number.POSITIVE_INFINITY })
})

test('the rate is that of some seconds, in which a pause between bursts does not count', () => {
  const growth = new LogGrowth()
  growth.at(0, 0)
  for (let at = 100; at <= 10_000; at += 100) {
    // A thousand bytes every second tenth.
    const { grown, rate } = growth.at(at, Math.floor(at / 200) * 1_000)
    assert.equal(grown, at % 200 === 0 ? 1_000 : 0)
    if (at >= 2_000) assert.ok(Math.abs(rate - 5_000) <= 500, `${rate} at ${at}`)
  }
})

test('a log that has become quiet is slow again', () => {
  const growth = new LogGrowth()
  growth.at(0, 0)
  growth.at(2_000, 1_000_000)
  growth.at(4_000, 1_000_000)
  growth.at(6_000, 1_000_000)
  assert.equal(growth.at(8_000, 1_000_000).rate, 0)
})
