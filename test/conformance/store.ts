import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Clock } from '../../src/base/clock.ts'
import type { KeyValue, Page, Revision, Store, StoreEvent } from '../../src/storage/store.ts'
import { isStoreError, type StoreErrorCode } from '../../src/storage/store-error.ts'
import { eventually } from '../support/eventually.ts'
import { FakeClock } from '../support/fake-clock.ts'

/** A store under test, with its own leak counter. */
export type TestedStore = Store & { readonly watchers: number }

export interface StoreHarness {
  /** An empty store. */
  readonly store: TestedStore
  /** Closes the store and opens what it left; absent for stores that leave nothing. */
  readonly reopen?: () => Promise<TestedStore>
  /** Closes everything and removes what is left. */
  readonly dispose: () => Promise<void>
}

type Open = (clock: Clock) => Promise<StoreHarness>
type Context = StoreHarness & { readonly clock: FakeClock; readonly skip: (reason: string) => void }

/** The contract of Store in full: every implementation passes it. */
export function describeStore(name: string, open: Open): void {
  const it = (title: string, fn: (context: Context) => Promise<void>): void => {
    test(title, async (t) => {
      const clock = new FakeClock()
      const harness = await open(clock)
      try {
        await fn({ ...harness, clock, skip: (reason) => t.skip(reason) })
      } finally {
        await harness.dispose()
      }
    })
  }
  describe(name, () => {
    describe('writes', () => describeWrites(it))
    describe('pages', () => describePages(it))
    describe('watches', () => describeWatches(it))
    describe('compaction', () => describeCompaction(it))
    describe('the end', () => describeEnd(it))
  })
}

type It = (title: string, fn: (context: Context) => Promise<void>) => void

function describeWrites(it: It): void {
  it('an empty store is at revision 1 and holds nothing', async ({ store }) => {
    assert.equal(store.revision(), 1)
    assert.equal(await store.get('a'), undefined)
    assert.deepEqual(await store.range(''), { items: [], revision: 1, remaining: 0 })
  })

  it('a put is read back with the revisions of its creation and of its last change', async ({ store }) => {
    const created = await store.put('a', 'one', 0)
    const changed = await store.put('a', 'two', created.modRevision)
    assert.equal(created.createRevision, created.modRevision)
    assert.deepEqual(changed, { key: 'a', value: 'two', createRevision: created.createRevision, modRevision: store.revision() })
    assert.deepEqual(await store.get('a'), changed)
  })

  it('every write raises the revision, whatever its key', async ({ store }) => {
    const seen = [store.revision()]
    const a = await store.put('a', '1', 0)
    seen.push(a.modRevision)
    const b = await store.put('b', '1', 0)
    seen.push(b.modRevision, await store.delete('a', a.modRevision), (await store.put('a', '2', 0)).modRevision)
    assert.deepEqual(seen, [...new Set(seen)].sort(byNumber))
    assert.equal(store.revision(), seen.at(-1))
  })

  it('a key that is created again has a new creation revision', async ({ store }) => {
    const first = await store.put('a', '1', 0)
    await store.delete('a', first.modRevision)
    const second = await store.put('a', '1', 0)
    assert.equal(second.createRevision, second.modRevision)
  })

  it('a write that expects another revision is a Conflict that names the actual one and changes nothing', async ({ store }) => {
    const a = await store.put('a', '1', 0)
    await rejectsWith(store.put('a', '2', 0), 'Conflict', a.modRevision)
    await rejectsWith(store.put('a', '2', a.modRevision + 1), 'Conflict', a.modRevision)
    await rejectsWith(store.delete('a', a.modRevision - 1), 'Conflict', a.modRevision)
    await rejectsWith(store.put('b', '2', 7), 'Conflict', 0)
    await rejectsWith(store.delete('b', 7), 'Conflict', 0)
    await rejectsWith(store.delete('b', 0), 'Conflict', 0)
    assert.equal(store.revision(), a.modRevision)
    assert.deepEqual(await store.get('a'), a)
  })

  it('of many concurrent writes that expect the same revision exactly one wins', async ({ store }) => {
    const before = await store.put('a', 'start', 0)
    const results = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => store.put('a', `${n}`, before.modRevision)))
    const won = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    const lost = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    assert.equal(won.length, 1)
    for (const err of lost) {
      assert.ok(isStoreError(err, 'Conflict'), String(err))
      assert.equal(err.revision, won[0]?.modRevision)
    }
    assert.deepEqual(await store.get('a'), won[0])
  })

  it('concurrent writes to different keys all succeed, each with a revision of its own', async ({ store }) => {
    const written = await Promise.all(Array.from({ length: 200 }, (_, n) => store.put(`k${n}`, `${n}`, 0)))
    assert.equal(new Set(written.map((kv) => kv.modRevision)).size, 200)
    assert.equal(store.revision(), 201)
  })

  it('values and keys are any well-formed text', async ({ store }) => {
    for (const [n, value] of ['', '\n', '{"a":"\\n"}', 'ü€😀', '\u0000', 'x'.repeat(300_000)].entries()) {
      await store.put(`k/ü😀\u0000/${n}`, value, 0)
      assert.equal((await store.get(`k/ü😀\u0000/${n}`))?.value, value)
    }
    await assert.rejects(store.put('\ud800', 'half a pair', 0), TypeError)
    await assert.rejects(store.put('', 'no key', 0), TypeError)
  })
}

function describePages(it: It): void {
  it('a range holds the keys of its prefix, in the order of their code units', async ({ store }) => {
    for (const key of ['p/b', 'q/a', 'p/ä', 'p/😀', 'p/\uffff', 'p/a', 'p', 'p0', 'p/A']) await store.put(key, key, 0)
    assert.deepEqual(keysOf(await store.range('p/')), ['p/A', 'p/a', 'p/b', 'p/ä', 'p/😀', 'p/\uffff'])
    assert.deepEqual(keysOf(await store.range('r')), [])
    assert.equal((await store.range('')).items.length, 9)
  })

  it('pages follow each other without gap or double and say what remains', async ({ store }) => {
    await fill(store, 'p/', 25)
    await fill(store, 'q/', 3)
    const first = await store.range('p/', { limit: 10 })
    assert.deepEqual([first.items.length, first.remaining, first.next], [10, 15, 'p/009'])
    const second = await store.range('p/', pageAfter(first, 10))
    assert.deepEqual([keysOf(second)[0], second.items.length, second.remaining], ['p/010', 10, 5])
    const third = await store.range('p/', pageAfter(second, 10))
    assert.deepEqual([third.items.length, third.remaining, third.next], [5, 0, undefined])
    const exact = await store.range('q/', { limit: 3 })
    assert.deepEqual([exact.items.length, exact.remaining, exact.next], [3, 0, undefined])
  })

  it('pages stay one snapshot while keys before, in and behind them are written', async ({ store }) => {
    const written = await fill(store, 'p/', 30)
    const snapshot = await store.range('p/')
    const pages = [await store.range('p/', { limit: 7 })]
    for (let step = 0; pages.at(-1)?.next !== undefined; step++) {
      // Changes, deletes and creations on both sides of the place where the next page starts.
      await store.put(`p/${String(step).padStart(3, '0')}x`, 'new', 0)
      const late = written[29 - step] as KeyValue
      await store.delete(late.key, late.modRevision)
      if (step === 1) await store.put(late.key, 'again', 0)
      const middle = written[10 + step] as KeyValue
      await store.put(middle.key, 'changed', middle.modRevision)
      pages.push(await store.range('p/', pageAfter(pages.at(-1) as Page, 7)))
    }
    assert.deepEqual(
      pages.flatMap((page) => page.items),
      snapshot.items,
    )
    assert.deepEqual(
      pages.map((page) => page.remaining),
      [23, 16, 9, 2, 0],
    )
    assert.deepEqual(new Set(pages.map((page) => page.revision)), new Set([snapshot.revision]))
    assert.deepEqual(await store.range('p/', { revision: snapshot.revision }), snapshot)
  })

  it('a page of a revision that is not there yet is refused as Future', async ({ store }) => {
    await rejectsWith(store.range('', { revision: store.revision() + 1 }), 'Future')
  })
}

function describeWatches(it: It): void {
  it('a watch from any kept revision gives each later event of its prefix once, in order', async ({ store }) => {
    const a = await store.put('p/a', '1', 0)
    const other = await store.put('q/a', '1', 0)
    const b = await store.put('p/a', '2', a.modRevision)
    await store.delete('q/a', other.modRevision)
    const deleted = await store.delete('p/a', b.modRevision)
    const all: StoreEvent[] = [
      { type: 'put', revision: a.modRevision, kv: a, prev: undefined },
      { type: 'put', revision: b.modRevision, kv: b, prev: a },
      { type: 'delete', revision: deleted, prev: b },
    ]
    for (let after = 1; after <= store.revision(); after++) {
      const expected = all.filter((event) => event.revision > after)
      assert.deepEqual(await firstEvents(store, 'p/', after, expected.length + 1), [
        ...expected,
        { type: 'progress', revision: store.revision() },
      ])
    }
  })

  it('a watch goes on with what is written after its start', async ({ store }) => {
    const end = new AbortController()
    const seen: StoreEvent[] = []
    const watching = collect(store.watch('p/', 1, end.signal), seen)
    await eventually(() => assert.equal(store.watchers, 1))
    const a = await store.put('p/a', '1', 0)
    await store.put('q/a', '1', 0)
    const b = await store.put('p/b', '1', 0)
    await eventually(() => assert.equal(changesIn(seen).length, 2))
    end.abort()
    await watching
    assert.deepEqual(seen, [
      { type: 'progress', revision: 1 },
      { type: 'put', revision: a.modRevision, kv: a, prev: undefined },
      { type: 'put', revision: b.modRevision, kv: b, prev: undefined },
    ])
  })

  it('watches that start while writes are under way miss nothing', async ({ store }) => {
    const end = new AbortController()
    const logs: StoreEvent[][] = []
    const watching: Promise<void>[] = []
    const writing: Promise<unknown>[] = []
    for (let n = 0; n < 30; n++) {
      const log: StoreEvent[] = []
      logs.push(log)
      writing.push(fill(store, `p/${n}/a`, 5))
      watching.push(collect(store.watch('p/', n % 2 === 0 ? store.revision() : 1, end.signal), log))
      writing.push(fill(store, `p/${n}/b`, 5))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(writing)
    await store.put('p/last', 'seen by all', 0)
    await eventually(() => {
      for (const log of logs) assert.equal(changesIn(log).at(-1)?.revision, store.revision())
    })
    end.abort()
    await Promise.all(watching)
    for (const log of logs) {
      const revisions = changesIn(log).map((event) => event.revision)
      const first = revisions[0] as Revision
      assert.deepEqual(
        revisions,
        Array.from({ length: store.revision() - first + 1 }, (_, n) => first + n),
      )
    }
    for (const [n, log] of logs.entries()) if (n % 2 === 1) assert.equal(changesIn(log)[0]?.revision, 2)
  })

  it('while only other keys change, a watch hears about once a second how far the store is', async ({ store, clock }) => {
    const end = new AbortController()
    const seen: StoreEvent[] = []
    const watching = collect(store.watch('p/', 1, end.signal), seen)
    await eventually(() => assert.equal(seen.length, 1))
    await fill(store, 'q/', 5)
    await clock.advance(1_100)
    await eventually(() => assert.deepEqual(seen.at(-1), { type: 'progress', revision: store.revision() }))
    await clock.advance(60_000)
    assert.equal(seen.length, 2, 'a store at rest says nothing')
    end.abort()
    await watching
  })

  it('a watch from a revision that is not there yet is refused as Future', async ({ store }) => {
    await rejectsWith(firstEvents(store, '', store.revision() + 1, 1), 'Future')
    assert.equal(store.watchers, 0)
  })

  it('a watcher that does not read is cut off as Slow, the others go on, and it can resume', async ({ store }) => {
    const end = new AbortController()
    const slow = store.watch('p/', 1, end.signal)[Symbol.asyncIterator]()
    assert.equal((await slow.next()).value?.type, 'progress')
    const seen: StoreEvent[] = []
    const watching = collect(store.watch('p/', 1, end.signal), seen)
    await eventually(() => assert.equal(store.watchers, 2))
    for (let round = 0; store.watchers === 2; round++) {
      assert.ok(round < 100, 'the backlog is bounded')
      await fill(store, `p/${round}/`, 500)
    }
    await rejectsWith(slow.next(), 'Slow')
    await eventually(() => assert.equal(changesIn(seen).length, store.revision() - 1))
    assert.equal((await firstEvents(store, 'p/', 1, 1))[0]?.revision, 2)
    end.abort()
    await watching
  })

  it('a loop that breaks off and a signal that fires leave no subscriber behind', async ({ store, clock }) => {
    await fill(store, 'p/', 3)
    for (const count of [1, 3, 4]) await firstEvents(store, 'p/', 1, count)
    assert.equal(store.watchers, 0)
    const end = new AbortController()
    const watching = Array.from({ length: 50 }, () => collect(store.watch('p/', 1, end.signal), []))
    await eventually(() => assert.equal(store.watchers, 50))
    end.abort()
    await Promise.all(watching)
    assert.equal(store.watchers, 0)
    await collect(store.watch('p/', 1, end.signal), [])
    await fill(store, 'q/', 1)
    assert.equal(clock.pending, 0)
  })
}

function describeCompaction(it: It): void {
  it('history below the compacted revision is gone, from it on it is kept', async ({ store }) => {
    await fill(store, 'p/', 20)
    await store.compact(11)
    for (const revision of [1, 10]) {
      await rejectsWith(firstEvents(store, 'p/', revision, 1), 'Compacted', 11)
      await rejectsWith(store.range('p/', { revision }), 'Compacted', 11)
    }
    assert.equal((await firstEvents(store, 'p/', 11, 1))[0]?.revision, 12)
    assert.equal((await store.range('p/', { revision: 11 })).items.length, 10)
    assert.equal((await store.range('p/')).items.length, 20)
  })

  it('a watch under way goes on across a compaction', async ({ store }) => {
    await fill(store, 'p/', 10)
    const end = new AbortController()
    const watch = store.watch('p/', 1, end.signal)[Symbol.asyncIterator]()
    for (let n = 0; n < 11; n++) await watch.next()
    await store.compact(store.revision())
    const kv = await store.put('p/x', 'new', 0)
    assert.equal((await watch.next()).value?.revision, kv.modRevision)
    end.abort()
    assert.equal((await watch.next()).done, true)
  })

  it('compacting again or further back is no error, ahead of the store is Future', async ({ store }) => {
    await fill(store, 'p/', 5)
    await store.compact(4)
    await store.compact(4)
    await store.compact(2)
    assert.equal((await firstEvents(store, 'p/', 4, 1))[0]?.revision, 5)
    await rejectsWith(store.compact(7), 'Future')
  })

  it('compacting while writers write loses nothing: watchers go on in order, and those too far back are told', async ({ store }) => {
    const end = new AbortController()
    const seen: StoreEvent[] = []
    const watching = collect(store.watch('', 1, end.signal), seen)
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0, revision = 0; n < 60; n++) {
        revision = (await store.put(`p/${writer}`, `${n}`, revision)).modRevision
        await store.put(`q/${writer}/${n}`, 'new', 0)
      }
    })
    const compacting = (async () => {
      while (store.revision() < 1 + 8 * 120) {
        const before = Math.max(1, store.revision() - 40)
        await store.compact(before)
        if (before > 2) await rejectsWith(firstEvents(store, '', before - 2, 1), 'Compacted')
        const page = await store.range('q/', { limit: 5 })
        if (page.next !== undefined) await store.range('q/', pageAfter(page, 5))
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    await Promise.all([...writers, compacting])
    await eventually(() => assert.equal(changesIn(seen).length, 8 * 120))
    assert.deepEqual(
      changesIn(seen).map((event) => event.revision),
      Array.from({ length: 8 * 120 }, (_, n) => n + 2),
    )
    end.abort()
    await watching
    assert.equal((await store.range('')).items.length, 8 + 8 * 60)
  })

  it('a wall clock that is set to another time makes no history old or young', async ({ store, clock }) => {
    await fill(store, 'p/', 10_000)
    await fill(store, 'q/', 100)
    clock.jump(10 * 86_400_000)
    await clock.advance(4 * 60_000)
    assert.equal((await firstEvents(store, '', 1, 1))[0]?.revision, 2)
    clock.jump(-20 * 86_400_000)
    await eventually(async () => {
      await clock.advance(60_000)
      await rejectsWith(firstEvents(store, '', 1, 1), 'Compacted')
    })
  })

  it('old history goes by itself, but never the last 10,000 changes nor the last five minutes', async ({ store, clock }) => {
    await fill(store, 'old/', 10_000)
    await fill(store, 'mid/', 100)
    await clock.advance(4 * 60_000)
    assert.equal((await firstEvents(store, '', 1, 1))[0]?.revision, 2)
    await fill(store, 'new/', 50)
    const first = store.revision() - 10_000
    await eventually(async () => {
      await clock.advance(60_000)
      await rejectsWith(firstEvents(store, '', 1, 1), 'Compacted')
    })
    const oldest = await firstEvents(store, '', first, 1)
    assert.equal(oldest[0]?.revision, first + 1)
  })
}

function describeEnd(it: It): void {
  it('close ends watches and refuses what comes later', async ({ store }) => {
    const end = new AbortController()
    const watching = rejectsWith(collect(store.watch('', 1, end.signal), []), 'Closed')
    await eventually(() => assert.equal(store.watchers, 1))
    await store.close()
    await watching
    assert.equal(store.watchers, 0)
    await rejectsWith(store.get('a'), 'Closed')
    await rejectsWith(store.range(''), 'Closed')
    await rejectsWith(store.put('a', '1', 0), 'Closed')
    await rejectsWith(store.delete('a', 1), 'Closed')
    await rejectsWith(store.compact(1), 'Closed')
    await rejectsWith(firstEvents(store, '', 1, 1), 'Closed')
    await store.close()
  })

  it('close waits for the writes under way', async ({ store }) => {
    const writing = Promise.all(Array.from({ length: 50 }, (_, n) => store.put(`k${n}`, 'v', 0)))
    await store.close()
    assert.equal((await writing).length, 50)
  })

  it('a durable store opens as it was closed: keys, revision and history', async ({ store, reopen, skip }) => {
    if (reopen === undefined) return skip('this store leaves nothing behind')
    const written = await fill(store, 'p/', 20)
    await store.put('p/000', 'changed', written[0]?.modRevision ?? 0)
    await store.delete('p/001', written[1]?.modRevision ?? 0)
    await store.compact(5)
    const before = { revision: store.revision(), now: await store.range(''), past: await store.range('', { revision: 8 }) }
    const events = await firstEvents(store, '', 5, before.revision - 5)
    const opened = await reopen()
    const now = await opened.range('')
    assert.deepEqual({ revision: opened.revision(), now, past: await opened.range('', { revision: 8 }) }, before)
    assert.deepEqual(await firstEvents(opened, '', 5, before.revision - 5), events)
    await rejectsWith(firstEvents(opened, '', 4, 1), 'Compacted', 5)
    assert.equal((await opened.put('p/001', 'again', 0)).modRevision, before.revision + 1)
  })
}

/** `count` keys, written concurrently; in their order. */
export function fill(store: Store, prefix: string, count: number): Promise<readonly KeyValue[]> {
  return Promise.all(Array.from({ length: count }, (_, n) => store.put(`${prefix}${String(n).padStart(3, '0')}`, `value ${n}`, 0)))
}

export async function firstEvents(store: Store, prefix: string, after: Revision, count: number): Promise<StoreEvent[]> {
  const events: StoreEvent[] = []
  for await (const event of store.watch(prefix, after, new AbortController().signal)) {
    events.push(event)
    if (events.length === count) break
  }
  return events
}

async function collect(events: AsyncIterable<StoreEvent>, into: StoreEvent[]): Promise<void> {
  for await (const event of events) into.push(event)
}

function changesIn(events: readonly StoreEvent[]): readonly StoreEvent[] {
  return events.filter((event) => event.type !== 'progress')
}

export async function rejectsWith(promise: Promise<unknown>, code: StoreErrorCode, revision?: Revision): Promise<void> {
  await assert.rejects(promise, (err) => {
    assert.ok(isStoreError(err, code), `expected a StoreError(${code}), got ${err}`)
    if (revision !== undefined) assert.equal(err.revision, revision)
    return true
  })
}

function keysOf(page: Page): readonly string[] {
  return page.items.map((kv) => kv.key)
}

function pageAfter(page: Page, limit: number): { readonly limit: number; readonly after: string; readonly revision: Revision } {
  assert.ok(page.next !== undefined, 'there is a next page')
  return { limit, after: page.next, revision: page.revision }
}

function byNumber(a: number, b: number): number {
  return a - b
}
