import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { QuietLogs } from '../../../src/runtime/quiet-logs.ts'
import { FakeClock } from '../../support/fake-clock.ts'

describe('quiet logs', () => {
  interface Log {
    size: number
    seen: number
  }

  function setUp(): { clock: FakeClock; quiet: QuietLogs<Log>; grown: Log[] } {
    const clock = new FakeClock()
    const grown: Log[] = []
    const hasGrown = (log: Log): boolean => {
      if (Number.isNaN(log.size)) throw new Error('no such file')
      return log.size > log.seen
    }
    return { clock, grown, quiet: new QuietLogs<Log>({ clock, interval: 10_000, hasGrown, onGrowth: (log) => grown.push(log) }) }
  }

  test('one that grows is told once, and the others are looked at again and again', async () => {
    const { clock, quiet, grown } = setUp()
    const [a, b, c] = [1, 2, 3].map((size) => ({ size, seen: size })) as [Log, Log, Log]
    for (const log of [a, b, c]) quiet.add(log)
    await clock.advance(10_000)
    assert.deepEqual(grown, [])
    b.size = 5
    await clock.advance(10_000)
    assert.deepEqual(grown, [b])
    c.size = 6
    await clock.advance(20_000)
    assert.deepEqual(grown, [b, c])
  })

  test('one that is taken away is not looked at, one that cannot be looked at counts as grown, and after the end nothing is', async () => {
    const { clock, quiet, grown } = setUp()
    const [a, b, c] = [1, Number.NaN, 3].map((size) => ({ size, seen: 0 })) as [Log, Log, Log]
    for (const log of [a, b]) quiet.add(log)
    quiet.delete(a)
    await clock.advance(10_000)
    assert.deepEqual(grown, [b])
    quiet.add(c)
    quiet.close()
    await clock.advance(20_000)
    assert.deepEqual(grown, [b])
  })

  test('with none there is no timer', async () => {
    const { clock, quiet } = setUp()
    const log = { size: 1, seen: 0 }
    quiet.add(log)
    await clock.advance(10_000)
    assert.equal(clock.pending, 0)
  })
})
