import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiError, hasReason } from '../../../src/api/status.ts'
import { actionStream } from '../../../src/apiserver/action-stream.ts'
import { Cancellation, Deadlines, InFlight, LIMITS } from '../../../src/apiserver/limits.ts'
import { prime } from '../../../src/apiserver/prime.ts'
import { FakeClock } from '../../support/fake-clock.ts'

test('a request that takes longer than a minute is told so, and its work is ended', async () => {
  const clock = new FakeClock()
  const deadlines = new Deadlines(clock)
  const first = new Cancellation()
  const second = new Cancellation()
  const isTimeout = (err: unknown): boolean => hasReason(err, 'Timeout')
  const answer = assert.rejects(deadlines.limit(new Promise(() => {}), first), isTimeout)
  await clock.advance(10_000)
  const later = assert.rejects(deadlines.limit(new Promise(() => {}), second), isTimeout)
  await clock.advance(49_999)
  assert.equal(first.signal.aborted, false)
  await clock.advance(1)
  await answer
  assert.equal(first.signal.aborted, true)
  assert.equal(second.signal.aborted, false)
  await clock.advance(10_000)
  await later
  assert.ok(hasReason(second.signal.reason, 'Timeout'), 'who asks late for the signal finds it fired, with the reason')
})

test('requests that end in time share one timer, which goes when nothing is under way', async () => {
  const clock = new FakeClock()
  const deadlines = new Deadlines(clock)
  const cancellation = new Cancellation()
  for (let n = 0; n < 10; n++) assert.equal(await deadlines.limit(Promise.resolve('done'), cancellation), 'done')
  await assert.rejects(deadlines.limit(Promise.reject(new Error('broken')), cancellation), /broken/)
  assert.equal(clock.pending, 1)
  await clock.advance(60_000)
  assert.equal(clock.pending, 0)
  assert.equal(cancellation.signal.aborted, false)
  await deadlines.limit(Promise.resolve('done'), cancellation)
  deadlines.close()
  assert.equal(clock.pending, 0)
})

test('more requests than there may be are refused with the advice to come again, until others have ended', () => {
  const inFlight = new InFlight(LIMITS)
  const ends = Array.from({ length: 1_000 }, () => inFlight.beginRequest(0, true))
  assert.throws(
    () => inFlight.beginRequest(0, true),
    (err) => hasReason(err, 'TooManyRequests') && err.status.details?.retryAfterSeconds === 1,
  )
  ends[0]?.()
  ends[0]?.()
  assert.equal(inFlight.requests, 999)
  inFlight.beginRequest(0, true)
  assert.throws(
    () => inFlight.beginRequest(0, true),
    (err) => hasReason(err, 'TooManyRequests'),
  )
})

test('an eighth of each limit is kept for the unix socket', () => {
  const inFlight = new InFlight({ ...LIMITS, requests: 8, streams: 8, heldBytes: 80 })
  for (let count = 0; count < 7; count++) {
    inFlight.beginRequest(10, false)
    inFlight.beginStream(false)
  }
  const isTooMany = (err: unknown): boolean => hasReason(err, 'TooManyRequests')
  assert.throws(() => inFlight.beginRequest(0, false), isTooMany)
  assert.throws(() => inFlight.beginStream(false), isTooMany)
  assert.throws(() => inFlight.hold(1, false), isTooMany)
  inFlight.beginRequest(10, true)
  inFlight.beginStream(true)
  assert.throws(() => inFlight.beginRequest(0, true), isTooMany)
})

test('bodies and large answers together take only so much room; what is too large for all of it passes alone', () => {
  const inFlight = new InFlight({ ...LIMITS, heldBytes: 100 })
  const isTooMany = (err: unknown): boolean => hasReason(err, 'TooManyRequests')
  const release = inFlight.hold(1_000, true)
  assert.throws(() => inFlight.beginRequest(1, true), isTooMany)
  assert.equal(inFlight.requests, 0, 'a refused request counts for nothing')
  release()
  release()
  const end = inFlight.beginRequest(60, true)
  assert.throws(() => inFlight.hold(41, true), isTooMany)
  inFlight.hold(40, true)
  end()
  assert.equal(inFlight.held, 40)
})

test('what fails at the first item is thrown before the answer begins; later failures come with the items', async () => {
  const clock = new FakeClock()
  const { signal } = new AbortController()
  async function* source(failAt: number): AsyncGenerator<number> {
    for (let item = 0; item < 3; item++) {
      if (item === failAt) throw apiError('NotFound', 'gone')
      yield item
    }
  }
  await assert.rejects(prime(source(0), clock, 0, signal), (err) => hasReason(err, 'NotFound'))
  const items: number[] = []
  await assert.rejects(
    async () => {
      for await (const item of await prime(source(2), clock, 0, signal)) items.push(item)
    },
    (err) => hasReason(err, 'NotFound'),
  )
  assert.deepEqual(items, [0, 1])
})

test('a source that has nothing to say yet does not hold up the answer, and is cleaned up when its reader stops', async () => {
  const clock = new FakeClock()
  let cleaned = false
  let give = (): void => {}
  async function* source(): AsyncGenerator<string> {
    try {
      await new Promise<void>((resolve) => {
        give = resolve
      })
      yield 'late'
      yield 'never read'
    } finally {
      cleaned = true
    }
  }
  const primed = prime(source(), clock, 1_000, new AbortController().signal)
  await clock.advance(1_000)
  const items = await primed
  give()
  for await (const item of items) {
    assert.equal(item, 'late')
    break
  }
  assert.equal(cleaned, true)
})

test('an action that writes more than its reader takes loses output, and says how much', async () => {
  const chunk = Buffer.alloc(1024 * 1024)
  const stream = await actionStream(
    'web-0',
    async (onOutput) => {
      for (let round = 0; round < 20; round++) onOutput(chunk)
      return { exitCode: 0 }
    },
    new AbortController().signal,
  )
  let text = ''
  for await (const piece of stream.chunks) text += piece
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const kept = lines.filter(({ output }) => output !== undefined).length
  const dropped = lines.find((line) => line.dropped !== undefined)?.dropped
  assert.ok(kept < 20)
  assert.equal(kept * chunk.length + dropped, 20 * chunk.length)
  assert.deepEqual(lines.at(-1), { exitCode: 0 })
})
