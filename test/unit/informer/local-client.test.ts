import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '../../../src/base/log.ts'
import { WatchInformer } from '../../../src/informer/informer.ts'
import { createLocalClient } from '../../../src/registry/local-client.ts'
import { createRegistry } from '../../../src/registry/resource-registry.ts'
import { MemoryStore } from '../../../src/storage/memory-store.ts'
import { FakeClock, settle } from '../../support/fake-clock.ts'

test('over the real registry a cache follows every change, and leaves no watch behind', async () => {
  const clock = new FakeClock()
  const store = new MemoryStore({ clock })
  const client = createLocalClient(await createRegistry({ store, clock }), { fieldManager: 'test' }).for('ConfigMap')
  await client.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'before' } })
  const informer = new WatchInformer({ name: 'ConfigMap', client, clock, log: silentLogger })
  const stop = new AbortController()
  const ended = informer.run(stop.signal)
  await informer.synced
  const writes = Array.from({ length: 200 }, (_, at) =>
    client.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `c-${at}` } }),
  )
  await Promise.all(writes)
  for (let at = 0; at < 200; at += 2) await client.delete({ name: `c-${at}` })
  for (let turn = 0; turn < 10; turn++) await settle()
  const { items } = await client.list()
  assert.equal(items.length, 101)
  assert.deepEqual(versions(informer.list()), versions(items))
  stop.abort()
  await ended
  assert.equal(store.watchers, 0)
  await store.close()
})

function versions(
  objects: readonly { readonly metadata: { readonly name: string; readonly resourceVersion: string } }[],
): readonly string[] {
  return objects.map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`).sort()
}
