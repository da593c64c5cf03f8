import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Change } from '../../../src/storage/change-window.ts'
import { isStoreError } from '../../../src/storage/store-error.ts'
import { WATCH_BACKLOG, WatchHub } from '../../../src/storage/watch-hub.ts'
import { FakeClock } from '../../support/fake-clock.ts'

test('two thousand watchers of as many prefixes each get their own changes only', async () => {
  const hub = new WatchHub({ clock: new FakeClock(), revision: 1 })
  const subscriptions = Array.from({ length: 2_000 }, (_, n) => hub.subscribe(`p/${n}/`))
  const changes = Array.from({ length: 2_000 }, (_, n) => put(n + 2, `p/${n}/x`))
  hub.publish(changes, 2_001)
  for (const [n, subscription] of subscriptions.entries()) assert.deepEqual(await subscription.take(), [changes[n]])
  for (const subscription of subscriptions) subscription.end()
  assert.equal(hub.size, 0)
})

test('prefixes that contain each other all get a change below them', async () => {
  const hub = new WatchHub({ clock: new FakeClock(), revision: 1 })
  const change = put(2, 'p/a/x')
  const hit = ['', 'p/', 'p/a/', 'p/a/x'].map((prefix) => hub.subscribe(prefix))
  const missed = hub.subscribe('p/a/xy')
  hub.publish([change], 2)
  for (const subscription of hit) assert.deepEqual(await subscription.take(), [change])
  missed.end()
  assert.equal(await missed.take(), undefined)
})

test('a watcher is cut off one event beyond the backlog', async () => {
  const hub = new WatchHub({ clock: new FakeClock(), revision: 1 })
  const slow = hub.subscribe('')
  hub.publish(
    Array.from({ length: WATCH_BACKLOG }, (_, n) => put(n + 2, 'a')),
    WATCH_BACKLOG + 1,
  )
  assert.equal(hub.size, 1)
  hub.publish([put(WATCH_BACKLOG + 2, 'a')], WATCH_BACKLOG + 2)
  assert.equal(hub.size, 0)
  await assert.rejects(slow.take(), (err) => isStoreError(err, 'Slow'))
})

test('progress comes once for a stretch of other changes, and no timer runs without watchers or changes', async () => {
  const clock = new FakeClock()
  const hub = new WatchHub({ clock, revision: 1 })
  hub.publish([put(2, 'q')], 2)
  assert.equal(clock.pending, 0)
  const quiet = hub.subscribe('p')
  const busy = hub.subscribe('q')
  hub.publish([put(3, 'q')], 3)
  hub.publish([put(4, 'q')], 4)
  await clock.advance(1_000)
  assert.deepEqual(await quiet.take(), [{ type: 'progress', revision: 4 }])
  assert.equal((await busy.take())?.length, 2)
  assert.equal(clock.pending, 0)
  hub.publish([put(5, 'q')], 5)
  assert.equal(clock.pending, 1)
  quiet.end()
  busy.end()
  assert.equal(clock.pending, 0)
})

function put(revision: number, key: string): Change {
  return { type: 'put', revision, kv: { key, value: '', createRevision: revision, modRevision: revision }, prev: undefined }
}
