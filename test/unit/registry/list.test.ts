import assert from 'node:assert/strict'
import test from 'node:test'
import { definitionOf } from '../../../src/api/scheme.ts'
import { ApiError } from '../../../src/api/status.ts'
import type { ListQuery } from '../../../src/registry/registry.ts'
import { context, type TestedRegistry, testRegistry } from './support.ts'

const MAPS = definitionOf('ConfigMap')

/** `a` and `b` at `rv`, and `c` a revision later. */
async function world(): Promise<TestedRegistry & { readonly rv: string }> {
  const made = await testRegistry()
  const create = (name: string) =>
    made.client.for('ConfigMap').create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { name } } })
  await create('a')
  await create('b')
  const rv = made.registry.resourceVersion()
  await create('c')
  return { ...made, rv }
}

interface Row {
  readonly given: string
  readonly query: (rv: string) => ListQuery
  /** The names, or the code of the failure. */
  readonly expect: string | number
}

const rows: readonly Row[] = [
  { given: 'nothing', query: () => ({}), expect: 'abc' },
  { given: 'a match without a version', query: () => ({ resourceVersionMatch: 'Exact' }), expect: 422 },
  { given: 'version 0', query: () => ({ resourceVersion: '0' }), expect: 'abc' },
  { given: 'version 0, not older', query: () => ({ resourceVersion: '0', resourceVersionMatch: 'NotOlderThan' }), expect: 'abc' },
  { given: 'exactly version 0', query: () => ({ resourceVersion: '0', resourceVersionMatch: 'Exact' }), expect: 422 },
  { given: 'a version', query: (rv) => ({ resourceVersion: rv }), expect: 'abc' },
  { given: 'not older than a version', query: (rv) => ({ resourceVersion: rv, resourceVersionMatch: 'NotOlderThan' }), expect: 'abc' },
  { given: 'exactly a version', query: (rv) => ({ resourceVersion: rv, resourceVersionMatch: 'Exact' }), expect: 'ab' },
  { given: 'a version with a limit', query: (rv) => ({ resourceVersion: rv, limit: 9 }), expect: 'ab' },
  { given: 'an unknown match', query: (rv) => ({ resourceVersion: rv, resourceVersionMatch: 'Newest' }), expect: 422 },
  { given: 'a version that is no number', query: () => ({ resourceVersion: 'x' }), expect: 400 },
  { given: 'a selector that is none', query: () => ({ labelSelector: 'a b' }), expect: 400 },
  { given: 'a token that is none', query: () => ({ continue: 'x' }), expect: 400 },
  { given: 'a selector', query: () => ({ labelSelector: 'name in (a,c)' }), expect: 'ac' },
]

for (const { given, query, expect } of rows) {
  test(`a list with ${given} gives ${typeof expect === 'number' ? `the error ${expect}` : expect}`, async () => {
    const { registry, rv } = await world()
    const result = await registry.list(MAPS, query(rv)).then(
      ({ items }) => items.map(({ metadata }) => metadata.name).join(''),
      (err: unknown) => (err instanceof ApiError ? err.status.code : err),
    )
    assert.equal(result, expect)
  })
}

test('a list of a version that never comes is a Timeout after three seconds', async () => {
  const { registry, clock } = await world()
  const result = registry.list(MAPS, { resourceVersion: '1000' }).catch((err: unknown) => err)
  await clock.advance(3_000)
  const err = await result
  assert.ok(err instanceof ApiError)
  assert.equal(err.status.code, 504)
  assert.equal(clock.pending, 0)
})

test('pages count what is left, unless a selector makes that unknown', async () => {
  const { registry } = await world()
  const first = await registry.list(MAPS, { limit: 1 })
  assert.equal(first.remainingItemCount, 2)
  const second = await registry.list(MAPS, { limit: 2, continue: first.continue ?? '' })
  assert.deepEqual(
    [second.items.map(({ metadata }) => metadata.name), second.continue, second.remainingItemCount],
    [['b', 'c'], undefined, undefined],
  )
  const selected = await registry.list(MAPS, { limit: 1, labelSelector: 'name!=b' })
  assert.ok(selected.continue)
  assert.equal(selected.remainingItemCount, undefined)
  const rest = await registry.list(MAPS, { limit: 5, labelSelector: 'name!=b', continue: selected.continue })
  assert.deepEqual(
    rest.items.map(({ metadata }) => metadata.name),
    ['c'],
  )
})

test('a page that holds the last match says that there are no more', async () => {
  const { registry } = await world()
  for (const labelSelector of ['name!=b', undefined]) {
    const query = labelSelector === undefined ? { limit: 3 } : { limit: 2, labelSelector }
    const { items, continue: token } = await registry.list(MAPS, query)
    assert.equal(items.at(-1)?.metadata.name, 'c')
    assert.equal(token, undefined)
  }
})

test('a continue token excludes a version', async () => {
  const { registry, rv } = await world()
  const { continue: token = '' } = await registry.list(MAPS, { limit: 1 })
  await assert.rejects(registry.list(MAPS, { continue: token, resourceVersion: rv }), /resourceVersion: Forbidden/)
  assert.equal((await registry.list(MAPS, { continue: token, resourceVersion: '0' })).items.length, 2)
})

test('a token whose state is gone is Expired, and brings one for those who can do with a newer state', async () => {
  const { registry, store, client } = await world()
  const { continue: token = '' } = await registry.list(MAPS, { limit: 1 })
  await client.for('ConfigMap').delete({ name: 'b' })
  await store.compact(store.revision())
  const err = await registry.list(MAPS, { limit: 1, continue: token }).catch((caught: unknown) => caught)
  assert.ok(err instanceof ApiError)
  assert.equal(err.status.reason, 'Expired')
  const rest = await registry.list(MAPS, { continue: err.status.metadata.continue ?? '' })
  assert.deepEqual(
    rest.items.map(({ metadata }) => metadata.name),
    ['c'],
  )
})

test('lists give the very same frozen objects as reads do', async () => {
  const { registry } = await world()
  const [first] = (await registry.list(MAPS, {})).items
  assert.equal(first, await registry.get(MAPS, { namespace: 'default', name: 'a' }))
  assert.throws(() => Object.assign(first?.metadata.labels ?? {}, { x: 'y' }), TypeError)
})

test('deleting a collection deletes what its selectors give and answers it', async () => {
  const { registry } = await world()
  const deleted = await registry.deleteCollection(MAPS, { namespace: 'default', labelSelector: 'name!=b' }, {}, context)
  assert.deepEqual(
    deleted.items.map(({ metadata }) => metadata.name),
    ['a', 'c'],
  )
  assert.deepEqual(
    (await registry.list(MAPS, {})).items.map(({ metadata }) => metadata.name),
    ['b'],
  )
})
