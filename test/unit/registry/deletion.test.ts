import assert from 'node:assert/strict'
import test from 'node:test'
import { definitionOf } from '../../../src/api/scheme.ts'
import { hasReason } from '../../../src/api/status.ts'
import type { Client } from '../../../src/client/client.ts'
import { createLocalClient } from '../../../src/registry/local-client.ts'
import type { DeleteQuery } from '../../../src/registry/registry.ts'
import { createRegistry } from '../../../src/registry/resource-registry.ts'
import type { Store } from '../../../src/storage/store.ts'
import { context, testRegistry } from './support.ts'

const PROCESSES = definitionOf('Process')
const MAPS = definitionOf('ConfigMap')
const WEB = { namespace: 'default', name: 'web' }

async function world() {
  const made = await testRegistry()
  await made.client.for('Process').create({ apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: WEB, spec: { command: ['true'] } })
  await made.client.for('ConfigMap').create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: WEB })
  return made
}

interface Row {
  readonly kind: 'Process' | 'ConfigMap'
  readonly query: DeleteQuery
  readonly finalizers: readonly string[]
  readonly grace: number | undefined
  readonly at: string
}

const NOW = '2026-01-01T00:00:00Z'
const STOP = 'pmk.dev/stop'
const rows: readonly Row[] = [
  { kind: 'Process', query: {}, finalizers: [STOP], grace: undefined, at: NOW },
  { kind: 'Process', query: { gracePeriodSeconds: 0 }, finalizers: [STOP], grace: 0, at: NOW },
  { kind: 'Process', query: { gracePeriodSeconds: 30 }, finalizers: [STOP], grace: 30, at: '2026-01-01T00:00:30Z' },
  { kind: 'Process', query: { gracePeriodSeconds: -5 }, finalizers: [STOP], grace: 1, at: '2026-01-01T00:00:01Z' },
  { kind: 'Process', query: { propagation: 'Foreground' }, finalizers: [STOP, 'foregroundDeletion'], grace: undefined, at: NOW },
  { kind: 'Process', query: { propagation: 'Orphan' }, finalizers: [STOP, 'orphan'], grace: undefined, at: NOW },
  { kind: 'Process', query: { propagation: 'Background' }, finalizers: [STOP], grace: undefined, at: NOW },
  { kind: 'ConfigMap', query: { propagation: 'Foreground', gracePeriodSeconds: 9 }, finalizers: ['foregroundDeletion'], grace: 0, at: NOW },
]

for (const { kind, query, finalizers, grace, at } of rows) {
  test(`deleting a ${kind} with ${JSON.stringify(query)} leaves it with ${finalizers.join(' and ')}`, async () => {
    const { registry } = await world()
    const { removed, object } = await registry.delete(definitionOf(kind), WEB, query, context)
    assert.equal(removed, false)
    assert.deepEqual(object.metadata.finalizers, finalizers)
    assert.equal(object.metadata.deletionGracePeriodSeconds, grace)
    assert.equal(object.metadata.deletionTimestamp, at)
    assert.equal(object.metadata.generation, 2)
    assert.equal(await registry.get(definitionOf(kind), WEB), object)
  })
}

test('an object that nothing keeps is answered in its last state, under the version of its deletion', async () => {
  const { registry } = await world()
  const { removed, object } = await registry.delete(MAPS, WEB, {}, context)
  assert.equal(removed, true)
  assert.equal(object.metadata.resourceVersion, registry.resourceVersion())
  assert.equal(object.metadata.deletionTimestamp, undefined)
})

test('a second deletion changes nothing but a grace period that becomes shorter', async () => {
  const { registry } = await world()
  const first = await registry.delete(PROCESSES, WEB, { propagation: 'Foreground' }, context)
  assert.equal((await registry.delete(PROCESSES, WEB, { propagation: 'Orphan' }, context)).object, first.object)
  const hurried = await registry.delete(PROCESSES, WEB, { gracePeriodSeconds: 5 }, context)
  assert.equal(hurried.object.metadata.deletionGracePeriodSeconds, 5)
  assert.equal(hurried.object.metadata.generation, first.object.metadata.generation)
  assert.equal((await registry.delete(PROCESSES, WEB, { gracePeriodSeconds: 6 }, context)).object, hurried.object)
  assert.equal((await registry.delete(PROCESSES, WEB, {}, context)).object, hurried.object)
})

test('of an object that is being deleted finalizers can only be removed, and it goes with the last', async () => {
  const { client, registry } = await world()
  const processes = client.for('Process')
  await processes.patch(WEB, { type: 'merge', value: { metadata: { finalizers: [STOP, 'example.com/backup'] } } })
  await processes.delete(WEB)
  const more = { type: 'merge', value: { metadata: { finalizers: [STOP, 'example.com/other'] } } } as const
  await assert.rejects(processes.patch(WEB, more), /Forbidden: no new finalizers can be added/)
  await processes.patch(WEB, { type: 'merge', value: { metadata: { finalizers: ['example.com/backup'] } } })
  const last = await processes.patch(WEB, { type: 'json', operations: [{ op: 'remove', path: '/metadata/finalizers' }] })
  assert.equal(last.metadata.resourceVersion, registry.resourceVersion())
  await assert.rejects(processes.get(WEB), (err) => hasReason(err, 'NotFound'))
})

test('a replacement that does not know the finalizer of its kind leaves it alone', async () => {
  const { client } = await world()
  const processes = client.for('Process')
  const { finalizers, ...metadata } = (await processes.get(WEB)).metadata
  assert.deepEqual(finalizers, [STOP])
  const replaced = await processes.update({ ...(await processes.get(WEB)), metadata: { ...metadata, labels: { a: 'b' } } })
  assert.deepEqual(replaced.metadata.finalizers, [STOP])
})

test('a namespace goes only when it is empty', async () => {
  const { client, registry } = await world()
  const namespaces = client.for('Namespace')
  const made = await namespaces.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } })
  assert.deepEqual(made.spec.finalizers, ['kubernetes'])
  const finalize = { type: 'merge', value: { spec: { finalizers: [] } } } as const
  const early = await namespaces.patch({ name: 'shop' }, finalize)
  assert.deepEqual(early.spec.finalizers, ['kubernetes'], 'only a terminating namespace can be finalized')
  await client.for('ConfigMap').create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one', namespace: 'shop' } })
  await namespaces.delete({ name: 'shop' })
  await assert.rejects(namespaces.patch({ name: 'shop' }, finalize), /there still are configmaps in it/)
  await registry.deleteCollection(MAPS, { namespace: 'shop' }, {}, context)
  await namespaces.patch({ name: 'shop' }, finalize)
  await assert.rejects(namespaces.get({ name: 'shop' }), (err) => hasReason(err, 'NotFound'))
})

test('an object that is created while its namespace goes does not stay behind', async () => {
  const { store, clock } = await testRegistry()
  let client: Client
  const slow: Store = {
    revision: () => store.revision(),
    refusal: () => store.refusal(),
    get: (key) => store.get(key),
    range: (prefix, options) => store.range(prefix, options),
    delete: (key, expect) => store.delete(key, expect),
    watch: (prefix, after, signal) => store.watch(prefix, after, signal),
    compact: (before) => store.compact(before),
    close: () => store.close(),
    // The namespace goes after it was found in order, and before the object is there.
    async put(key, value, expect) {
      if (key.endsWith('/late')) {
        await client.for('Namespace').delete({ name: 'shop' })
        await client.for('Namespace').patch({ name: 'shop' }, { type: 'merge', value: { spec: { finalizers: [] } } })
      }
      return store.put(key, value, expect)
    },
  }
  client = createLocalClient(await createRegistry({ store: slow, clock }), { fieldManager: 'test' })
  await client.for('Namespace').create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } })
  const late = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'late', namespace: 'shop' } } as const
  await assert.rejects(client.for('ConfigMap').create(late), /namespaces "shop" not found/)
  assert.deepEqual((await store.range('/core/configmaps/shop/')).items, [])
})
