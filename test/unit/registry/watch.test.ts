import assert from 'node:assert/strict'
import test from 'node:test'
import type { ApiObject } from '../../../src/api/object.ts'
import { definitionOf } from '../../../src/api/scheme.ts'
import { ApiError } from '../../../src/api/status.ts'
import type { WatchEvent } from '../../../src/api/watch-event.ts'
import type { WatchQuery } from '../../../src/registry/registry.ts'
import { WATCH_BACKLOG } from '../../../src/storage/watch-hub.ts'
import { settle } from '../../support/fake-clock.ts'
import { type TestedRegistry, testRegistry } from './support.ts'

const MAPS = definitionOf('ConfigMap')

const map = (name: string, data: Readonly<Record<string, string>> = {}) =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data }) as const

/** A watch that runs by itself: what it has given so far, and how it ended. */
function run({ registry }: TestedRegistry, query: WatchQuery) {
  const end = new AbortController()
  const events: WatchEvent<ApiObject>[] = []
  const done = (async (): Promise<'quiet' | ApiError> => {
    try {
      for await (const event of registry.watch(MAPS, query, end.signal)) events.push(event)
      return 'quiet'
    } catch (err) {
      if (err instanceof ApiError) return err
      throw err
    }
  })()
  return { events, done, end: () => end.abort(), types: () => events.map(({ type }) => type) }
}

async function failureOf(world: TestedRegistry, query: WatchQuery): Promise<ApiError> {
  const result = await run(world, query).done
  assert.ok(result !== 'quiet', 'the watch should have failed')
  return result
}

const starts: readonly { readonly given: string; readonly query: (rv: string) => WatchQuery; readonly types: readonly string[] }[] = [
  { given: 'no version', query: () => ({}), types: ['ADDED', 'ADDED'] },
  { given: 'version 0', query: () => ({ resourceVersion: '0' }), types: ['ADDED', 'ADDED'] },
  { given: 'no version and bookmarks', query: () => ({ allowWatchBookmarks: true }), types: ['ADDED', 'BOOKMARK', 'ADDED'] },
  { given: 'the present version', query: (rv) => ({ resourceVersion: rv }), types: ['ADDED'] },
  {
    given: 'the present version and initial events',
    query: (rv) => ({ resourceVersion: rv, sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: true }),
    types: ['ADDED', 'BOOKMARK', 'ADDED'],
  },
  {
    given: 'initial events without bookmarks',
    query: () => ({ sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' }),
    types: ['ADDED', 'ADDED'],
  },
  { given: 'no version and no initial events', query: () => ({ sendInitialEvents: false }), types: ['ADDED'] },
]

for (const { given, query, types } of starts) {
  test(`a watch with ${given} begins with ${types.slice(0, -1).join(' and ') || 'the next change'}`, async () => {
    const world = await testRegistry()
    await world.client.for('ConfigMap').create(map('old'))
    const watch = run(world, query(world.registry.resourceVersion()))
    await settle()
    await world.client.for('ConfigMap').create(map('new'))
    await settle()
    watch.end()
    assert.equal(await watch.done, 'quiet')
    assert.deepEqual(watch.types(), types)
    assert.equal(world.store.watchers, 0)
  })
}

test('the end of the initial events carries the version of their state, from which a watch can go on', async () => {
  const world = await testRegistry()
  await world.client.for('ConfigMap').create(map('one'))
  const watch = run(world, { allowWatchBookmarks: true })
  await settle()
  watch.end()
  assert.deepEqual(watch.events[1], { type: 'BOOKMARK', resourceVersion: world.registry.resourceVersion(), initialEventsEnd: true })
})

test('a BOOKMARK comes once the watch has caught up, then every second while other objects change, and only when asked for', async () => {
  const world = await testRegistry()
  const marked = run(world, { sendInitialEvents: false, allowWatchBookmarks: true })
  const unmarked = run(world, { sendInitialEvents: false })
  await settle()
  for (let second = 0; second < 5; second++) {
    await world.client.for('Secret').create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: `s${second}` } })
    await world.clock.advance(1_000)
  }
  marked.end()
  unmarked.end()
  assert.ok(marked.events.length >= 5 && marked.types().every((type) => type === 'BOOKMARK'), marked.types().join(', '))
  assert.deepEqual(marked.events.at(-1), { type: 'BOOKMARK', resourceVersion: world.registry.resourceVersion() })
  assert.deepEqual(unmarked.types(), [])
})

test('a watch of what never changes learns at once how far it is, and can go on from there', async () => {
  const world = await testRegistry()
  await world.client.for('ConfigMap').create(map('one'))
  const before = world.registry.resourceVersion()
  for (let n = 0; n < 5; n++) await world.client.for('Secret').create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: `s${n}` } })
  const watch = run(world, { resourceVersion: before, allowWatchBookmarks: true })
  await settle()
  watch.end()
  assert.deepEqual(
    watch.events.map((event) => event.type === 'BOOKMARK' && event.resourceVersion),
    [world.registry.resourceVersion()],
  )
})

test('a version that the server has not reached is waited for', async () => {
  const world = await testRegistry()
  const next = String(Number(world.registry.resourceVersion()) + 1)
  const watch = run(world, { resourceVersion: next })
  await settle()
  await world.client.for('ConfigMap').create(map('one'))
  await world.client.for('ConfigMap').create(map('two'))
  await settle()
  watch.end()
  assert.deepEqual(
    watch.events.map((event) => event.type === 'ADDED' && event.object.metadata.name),
    ['two'],
  )
})

test('a version that never comes is a Timeout after three seconds, and nothing is left waiting', async () => {
  const world = await testRegistry()
  const watch = run(world, { resourceVersion: '1000' })
  await world.clock.advance(2_900)
  assert.equal(world.store.watchers, 1)
  await world.clock.advance(200)
  const err = await watch.done
  assert.ok(err !== 'quiet')
  assert.equal(err.status.code, 504)
  assert.equal(err.status.details?.causes?.[0]?.reason, 'ResourceVersionTooLarge')
  assert.equal(err.status.details?.retryAfterSeconds, 1)
  assert.equal(world.store.watchers, 0)
})

test('history that is gone is Expired', async () => {
  const world = await testRegistry()
  const { resourceVersion } = await world.client.for('ConfigMap').list()
  await world.client.for('ConfigMap').create(map('one'))
  await world.store.compact(world.store.revision())
  const err = await failureOf(world, { resourceVersion })
  assert.equal(err.status.code, 410)
  assert.equal(err.status.reason, 'Expired')
})

test('a watcher that sleeps through more than is held for it gets every change from the history', async () => {
  const world = await testRegistry()
  const maps = world.client.for('ConfigMap')
  await maps.create(map('one'))
  const events = world.registry.watch(MAPS, { resourceVersion: world.registry.resourceVersion() }, AbortSignal.timeout(20_000))
  const iterator = events[Symbol.asyncIterator]()
  const first = iterator.next()
  await settle()
  const count = WATCH_BACKLOG + 100
  for (let n = 0; n < count; n++) await maps.patch({ name: 'one' }, { type: 'merge', value: { data: { n: String(n) } } })
  const seen = [(await first).value]
  while (seen.length < count) seen.push((await iterator.next()).value)
  assert.deepEqual(
    seen.map(({ object }) => object.data.n),
    Array.from({ length: count }, (_, n) => String(n)),
  )
  await iterator.return?.()
  assert.equal(world.store.watchers, 0)
})

test('the end of the store ends a watch with ServiceUnavailable', async () => {
  const world = await testRegistry()
  const watch = run(world, {})
  await settle()
  await world.store.close()
  const err = await watch.done
  assert.ok(err !== 'quiet')
  assert.equal(err.status.reason, 'ServiceUnavailable')
})

const refusals: readonly { readonly query: WatchQuery; readonly code: number }[] = [
  { query: { resourceVersion: 'abc' }, code: 400 },
  { query: { resourceVersion: '01' }, code: 400 },
  { query: { resourceVersion: '-1' }, code: 400 },
  { query: { labelSelector: '=x' }, code: 400 },
  { query: { fieldSelector: 'spec.x=1' }, code: 400 },
  { query: { resourceVersionMatch: 'NotOlderThan' }, code: 422 },
  { query: { sendInitialEvents: true }, code: 422 },
  { query: { sendInitialEvents: true, resourceVersionMatch: 'Exact' }, code: 422 },
]

for (const { query, code } of refusals) {
  test(`a watch with ${JSON.stringify(query)} is refused with ${code}`, async () => {
    assert.equal((await failureOf(await testRegistry(), query)).status.code, code)
  })
}

test('watchers of one change get the very same frozen object', async () => {
  const world = await testRegistry()
  const watches = [run(world, {}), run(world, { labelSelector: '!x' })]
  await settle()
  await world.client.for('ConfigMap').create(map('one'))
  await world.client.for('ConfigMap').delete({ name: 'one' })
  await settle()
  const [first, second] = watches.map(({ events }) => events.map((event) => (event.type === 'BOOKMARK' ? undefined : event.object)))
  assert.equal(first?.length, 2)
  for (const [index, object] of (first ?? []).entries()) {
    assert.equal(object, second?.[index])
    assert.ok(Object.isFrozen(object) && Object.isFrozen(object?.metadata))
  }
  for (const watch of watches) watch.end()
})
