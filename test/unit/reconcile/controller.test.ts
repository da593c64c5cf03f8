import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { type ObjectKey, objectKey } from '../../../src/api/object.ts'
import { apiError } from '../../../src/api/status.ts'
import { silentLogger } from '../../../src/base/log.ts'
import { Controller, once, type Source } from '../../../src/reconcile/controller.ts'
import { runAll } from '../../../src/reconcile/manager.ts'
import { PerKeyBackoff } from '../../../src/reconcile/rate-limiter.ts'
import { type Reconciler, TerminalError } from '../../../src/reconcile/reconciler.ts'
import { FakeClock, settle } from '../../support/fake-clock.ts'

let clock: FakeClock
let stop: AbortController

beforeEach(() => {
  clock = new FakeClock()
  stop = new AbortController()
})

test('a failed key is tried again after its backoff, a good one is left alone', async () => {
  let tries = 0
  const run = start({
    reconcile: async () => {
      tries += 1
      if (tries < 3) throw apiError('Conflict', 'the object has been modified')
      return {}
    },
  })
  await clock.advance(10)
  assert.equal(tries, 2)
  await clock.advance(20)
  assert.equal(tries, 3)
  await clock.advance(60_000)
  assert.equal(tries, 3)
  await end(run)
})

test('a TerminalError is not tried again', async () => {
  let tries = 0
  const run = start({
    reconcile: async () => {
      tries += 1
      throw new TerminalError('the reference points to itself')
    },
  })
  await clock.advance(600_000)
  assert.equal(tries, 1)
  await end(run)
})

test('requeueAfter looks again then', async () => {
  let looks = 0
  const run = start({
    reconcile: async () => {
      looks += 1
      return { requeueAfter: 1_000 }
    },
  })
  await clock.advance(3_500)
  assert.equal(looks, 4)
  await end(run)
})

test('nothing is looked at before the caches are there', async () => {
  let synced: () => void = () => {}
  const slow: Source = { synced: new Promise((resolve) => (synced = resolve)), start: () => () => {} }
  const seen: ObjectKey[] = []
  const reconcile = async (seenKey: ObjectKey): Promise<object> => {
    seen.push(seenKey)
    return {}
  }
  const run = start({ reconcile }, [once(key('a')), slow])
  await clock.advance(1_000)
  assert.deepEqual(seen, [])
  synced()
  await settle()
  assert.deepEqual(seen, [key('a')])
  await end(run)
})

test('it ends when the caches never come', async () => {
  const never: Source = { synced: new Promise(() => {}), start: () => () => {} }
  const run = start({ reconcile: async () => ({}) }, [never])
  await end(run)
})

test('as many keys are in work as there are workers, and the end waits for them', async () => {
  let busy = 0
  let most = 0
  let release: () => void = () => {}
  const gate = new Promise<void>((resolve) => (release = resolve))
  const reconcile = async (): Promise<object> => {
    busy += 1
    most = Math.max(most, busy)
    await gate
    busy -= 1
    return {}
  }
  const keys = ['a', 'b', 'c', 'd', 'e'].map((name) => once(key(name)))
  const run = start({ reconcile }, keys, 3)
  await settle()
  assert.equal(most, 3)
  let ended = false
  void run.then(() => {
    ended = true
  })
  stop.abort()
  await settle()
  assert.equal(ended, false)
  release()
  await run
  assert.equal(busy, 0)
})

test('later groups end before the groups they stand on', async () => {
  const ends: string[] = []
  const part = (name: string) => ({
    run: (signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => {
          void settle().then(() => {
            ends.push(name)
            resolve()
          })
        })
      }),
  })
  const run = runAll([[part('informer')], [part('controller'), part('controller')]], stop.signal)
  stop.abort()
  await run
  assert.deepEqual(ends, ['controller', 'controller', 'informer'])
})

test('one failing part ends all, and its failure is passed on', async () => {
  const waits = { run: (signal: AbortSignal) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())) }
  const fails = { run: () => Promise.reject(new Error('out of luck')) }
  await assert.rejects(runAll([[waits], [fails]], stop.signal), /out of luck/)
})

function start(reconciler: Reconciler, sources: readonly Source[] = [once(key('a'))], workers = 1): Promise<void> {
  const limiter = new PerKeyBackoff<ObjectKey>((failures) => 10 * failures)
  return new Controller({ name: 'test', sources, reconciler, workers, clock, log: silentLogger, limiter }).run(stop.signal)
}

async function end(run: Promise<void>): Promise<void> {
  stop.abort()
  await run
  assert.equal(clock.pending, 0)
}

function key(name: string): ObjectKey {
  return objectKey('default', name)
}
