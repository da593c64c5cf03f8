import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { QuietLogs } from '../../../src/runtime/quiet-logs.ts'
import { FakeClock } from '../../support/fake-clock.ts'

describe('quiet logs', () => {
  interface Log {
    size: number
    seen: number
  }

  /** `events`: what to call when a log changes, of those that are watched now; absent: nothing can be watched. */
  function setUp(events?: Map<Log, () => void>): { clock: FakeClock; quiet: QuietLogs<Log>; grown: Log[]; looks: Log[] } {
    const clock = new FakeClock()
    const grown: Log[] = []
    const looks: Log[] = []
    const watch = (log: Log, onChange: () => void): (() => void) | undefined => {
      events?.set(log, onChange)
      return events === undefined ? undefined : () => events.delete(log)
    }
    const hasGrown = (log: Log): boolean => {
      looks.push(log)
      if (Number.isNaN(log.size)) throw new Error('no such file')
      return log.size > log.seen
    }
    const quiet = new QuietLogs<Log>({ clock, interval: 10_000, watch, hasGrown, onGrowth: (log) => grown.push(log) })
    return { clock, grown, looks, quiet }
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

  test('one that is watched is told at its first event, once, and then watched no longer', async () => {
    const events = new Map<Log, () => void>()
    const { quiet, grown } = setUp(events)
    const [a, b] = [1, 2].map((size) => ({ size, seen: size })) as [Log, Log]
    for (const log of [a, b]) quiet.add(log)
    const tell = events.get(a)
    tell?.()
    tell?.()
    assert.deepEqual(grown, [a])
    assert.deepEqual([...events.keys()], [b])
    quiet.close()
    assert.deepEqual([...events.keys()], [])
  })

  test('what was written just before the watch began counts', () => {
    const events = new Map<Log, () => void>()
    const { quiet, grown } = setUp(events)
    const log = { size: 2, seen: 1 }
    quiet.add(log)
    assert.deepEqual(grown, [log])
    assert.equal(events.size, 0)
  })

  test('one that is watched is looked at once a minute: events may be lost', async () => {
    const { clock, quiet, grown, looks } = setUp(new Map())
    const log = { size: 1, seen: 1 }
    quiet.add(log)
    looks.length = 0
    log.size = 2
    await clock.advance(50_000)
    assert.deepEqual([looks, grown], [[], []])
    await clock.advance(10_000)
    assert.deepEqual(grown, [log])
  })
})
