import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { seededRandom } from '../../../src/base/random.ts'
import { Heap } from '../../../src/reconcile/heap.ts'
import { PerKeyBackoff } from '../../../src/reconcile/rate-limiter.ts'
import { INITIAL_PRIORITY, WorkQueue } from '../../../src/reconcile/workqueue.ts'
import { FakeClock } from '../../support/fake-clock.ts'

let clock: FakeClock
let queue: WorkQueue<string>

beforeEach(() => {
  clock = new FakeClock()
  queue = new WorkQueue({ clock, limiter: new PerKeyBackoff<string>((failures) => 10 * 2 ** (failures - 1)) })
})

test('keys come in the order they were added, each once', async () => {
  for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key)
  assert.deepEqual(await takeAll(), ['a', 'b', 'c'])
})

test('a key added while in work comes back once after done, and is never in work twice', async () => {
  queue.add('a')
  assert.equal(await queue.take(), 'a')
  queue.add('a')
  queue.add('a')
  const next = queue.take()
  await clock.advance(1_000)
  queue.add('b')
  assert.equal(await next, 'b')
  queue.done('a')
  assert.deepEqual(await takeAll(), ['a'])
})

test('a key that becomes due while in work waits for done', async () => {
  queue.add('a')
  await queue.take()
  queue.add('a', { after: 50 })
  await clock.advance(100)
  assert.deepEqual(await takeAll(), [])
  queue.done('a')
  assert.deepEqual(await takeAll(), ['a'])
})

test('done before the time has come does not make it come sooner', async () => {
  queue.add('a')
  await queue.take()
  queue.add('a', { after: 50 })
  queue.done('a')
  await clock.advance(49)
  assert.deepEqual(await takeAll(), [])
  await clock.advance(1)
  assert.deepEqual(await takeAll(), ['a'])
})

test('the earliest time wins, in whichever order they were said', async () => {
  queue.add('a', { after: 500 })
  queue.add('a', { after: 100 })
  queue.add('b', { after: 100 })
  queue.add('b', { after: 500 })
  await clock.advance(99)
  assert.deepEqual(await takeAll(), [])
  await clock.advance(1)
  assert.deepEqual(await takeAll(), ['a', 'b'])
  await clock.advance(1_000)
  assert.deepEqual(await takeAll(), [], 'the later time is forgotten')
})

test('adding without a delay overtakes the wait, and clears it', async () => {
  queue.add('a', { after: 500 })
  queue.add('a')
  assert.equal(await queue.take(), 'a')
  queue.done('a')
  await clock.advance(1_000)
  assert.deepEqual(await takeAll(), [])
})

test('a higher priority goes first, and a key keeps the highest it was given', async () => {
  queue.add('first', { priority: INITIAL_PRIORITY })
  queue.add('second', { priority: INITIAL_PRIORITY })
  queue.add('live')
  queue.add('second')
  queue.add('live', { priority: INITIAL_PRIORITY })
  assert.deepEqual(await takeAll(), ['second', 'live', 'first'])
})

test('retries wait longer each time until the key is forgotten', async () => {
  const waits: number[] = []
  const failOnce = async (): Promise<void> => {
    queue.retry('a')
    const start = clock.monotonic()
    const taken = queue.take().then(() => waits.push(clock.monotonic() - start))
    await clock.advance(1_000)
    await taken
    queue.done('a')
  }
  for (let time = 0; time < 3; time++) await failOnce()
  queue.forget('a')
  await failOnce()
  assert.deepEqual(waits, [10, 20, 40, 10])
})

test('a closed queue gives what is ready, then undefined, and takes nothing more', async () => {
  queue.add('a')
  queue.add('later', { after: 10 })
  queue.close()
  queue.add('b')
  assert.equal(await queue.take(), 'a')
  assert.equal(await queue.take(), undefined)
  assert.equal(clock.pending, 0)
})

test('closing wakes everybody who waits', async () => {
  const takers = [queue.take(), queue.take()]
  queue.close()
  assert.deepEqual(await Promise.all(takers), [undefined, undefined])
})

test('one timer serves all waiting keys', async () => {
  for (let key = 0; key < 1_000; key++) queue.add(`key-${key}`, { after: 1_000 - key })
  assert.equal(clock.pending, 1)
  await clock.advance(1_000)
  const keys = await takeAll()
  assert.equal(keys.length, 1_000)
  assert.equal(keys[0], 'key-999')
})

test('whatever is added, done and awaited: no key is in work twice, none is lost', async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = seededRandom(seed)
    queue = new WorkQueue({ clock, limiter: new PerKeyBackoff<string>() })
    const working = new Set<string>()
    const owed = new Set<string>()
    for (let step = 0; step < 200; step++) {
      const key = `k${Math.floor(random() * 6)}`
      const dice = random()
      if (dice < 0.4) {
        queue.add(key, { after: random() < 0.5 ? 0 : random() * 20, priority: Math.floor(random() * 3) })
        owed.add(key)
      } else if (dice < 0.6) {
        const [taken] = await takeSome(1)
        if (taken === undefined) continue
        assert.ok(!working.has(taken), `seed ${seed}: ${taken} is in work twice`)
        working.add(taken)
        owed.delete(taken)
      } else if (dice < 0.8) {
        const [done] = working
        if (done === undefined) continue
        working.delete(done)
        queue.done(done)
      } else await clock.advance(random() * 10)
    }
    for (const key of working) queue.done(key)
    await clock.advance(100)
    for (const key of await takeAll()) owed.delete(key)
    assert.deepEqual([...owed], [], `seed ${seed}: added and never given`)
  }
})

test('a heap gives the least first, whatever went in', () => {
  const random = seededRandom(7)
  const heap = new Heap<number>((a, b) => a < b)
  const numbers = Array.from({ length: 500 }, () => Math.floor(random() * 100))
  for (const number of numbers) heap.push(number)
  assert.deepEqual(
    numbers.map(() => heap.pop()),
    numbers.toSorted((a, b) => a - b),
  )
  assert.equal(heap.pop(), undefined)
})

/** What is ready now: an add of a mark with the lowest priority tells where that ends. */
async function takeSome(limit: number): Promise<readonly string[]> {
  const keys: string[] = []
  queue.add('mark', { priority: Number.NEGATIVE_INFINITY })
  while (keys.length < limit) {
    const key = await queue.take()
    if (key === undefined) return keys
    if (key === 'mark') {
      queue.done('mark')
      return keys
    }
    keys.push(key)
  }
  for (;;) {
    // Takes the mark back out; what else is ready in front of it goes in again.
    const rest: string[] = []
    let key = await queue.take()
    for (; key !== 'mark' && key !== undefined; key = await queue.take()) rest.push(key)
    queue.done('mark')
    for (const other of rest) {
      queue.done(other)
      queue.add(other)
    }
    return keys
  }
}

function takeAll(): Promise<readonly string[]> {
  return takeSome(Number.POSITIVE_INFINITY)
}
