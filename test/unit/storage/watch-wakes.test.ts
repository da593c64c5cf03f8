import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryStore } from '../../../src/storage/memory-store.ts'
import { FakeClock } from '../../support/fake-clock.ts'

test('a writer has its answer before hundreds of watchers are told, and each is told everything once and in order', async () => {
  const store = new MemoryStore({ clock: new FakeClock() })
  const end = new AbortController()
  const seen: number[][] = []
  let missing = 0
  let complete = (): void => {}
  const follow = async (watcher: number): Promise<void> => {
    const mine: number[] = []
    seen[watcher] = mine
    for await (const event of store.watch('k/', 1, end.signal)) {
      if (event.type === 'progress') continue
      mine.push(event.revision)
      missing -= 1
      if (missing === 0) complete()
    }
  }
  const following = Array.from({ length: 300 }, (_, watcher) => follow(watcher))
  // Each watch begins with the news that it has caught up.
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
  missing = 300 * 3
  const all = new Promise<void>((resolve) => {
    complete = resolve
  })
  await store.put('k/a', '1', 0)
  // The answer passes through some hands before it is sent, all in the same turn of the event loop.
  for (let hand = 0; hand < 50; hand++) await Promise.resolve()
  const told = seen.filter((mine) => mine.length > 0).length
  assert.ok(told <= 32, `${told} watchers were told before the writer`)
  await Promise.all([store.put('k/b', '2', 0), store.put('k/c', '3', 0)])
  await all
  for (const mine of seen) assert.deepEqual(mine, [2, 3, 4])
  end.abort()
  await Promise.all(following)
  assert.equal(store.watchers, 0)
  await store.close()
})
