import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { followDirectories, leftOver, notFollowed } from '../../../src/app/followed-directories.ts'
import { silentLogger } from '../../../src/base/log.ts'
import type { Client } from '../../../src/client/client.ts'
import { createLocalClient } from '../../../src/registry/local-client.ts'
import { createRegistry } from '../../../src/registry/resource-registry.ts'
import { MemoryStore } from '../../../src/storage/memory-store.ts'
import { FakeClock, settle } from '../../support/fake-clock.ts'
import { type Fate, faultyClient } from '../../support/faulty-client.ts'

const clock = new FakeClock()
const stop = new AbortController()
let store: MemoryStore
let client: Client
before(() => {
  store = new MemoryStore({ clock })
})
beforeEach(async () => {
  await store.close()
  store = new MemoryStore({ clock })
  client = createLocalClient(await createRegistry({ store, clock }), { fieldManager: 'pmk-server' })
})
after(async () => {
  stop.abort()
  await store.close()
})

const follow = (directories: Readonly<Record<string, string>>, by: Client = client): Promise<void> =>
  followDirectories({ client: by, clock, log: silentLogger }, listed(directories), stop.signal)
const listed = (directories: Readonly<Record<string, string>>): { readonly name: string; readonly path: string }[] =>
  Object.entries(directories).map(([name, path]) => ({ name, path }))
const paths = async (): Promise<object> => {
  const { items } = await client.for('ManifestSource').list({ namespace: 'default' })
  return Object.fromEntries(items.map(({ metadata, spec }) => [metadata.name, spec.path]))
}
const failing = (fateOf: (write: number) => Fate): Client => faultyClient(client, fateOf)

test('what a store refuses at the start is written when it takes writes again', async () => {
  let isFull = true
  await follow(
    { web: '/srv/web', db: '/srv/db' },
    failing(() => (isFull ? 'lost' : 'done')),
  )
  assert.deepEqual(await paths(), {})
  await clock.advance(10_000)
  assert.deepEqual(await paths(), {})
  isFull = false
  await clock.advance(10_000)
  await settle()
  assert.deepEqual(await paths(), { web: '/srv/web', db: '/srv/db' })
})

test('a write whose answer was lost is made again, and changes nothing', async () => {
  await follow(
    { web: '/srv/web' },
    failing((write) => (write === 1 ? 'unanswered' : 'done')),
  )
  const first = await client.for('ManifestSource').get({ name: 'web', namespace: 'default' })
  await clock.advance(10_000)
  const second = await client.for('ManifestSource').get({ name: 'web', namespace: 'default' })
  assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion)
})

test('another directory for the name changes the path alone; a name left out stays, and is told of', async () => {
  await follow({ web: '/srv/web' })
  const ref = { name: 'web', namespace: 'default' }
  await client.for('ManifestSource').patch(ref, { type: 'merge', value: { spec: { prune: true } } }, { fieldManager: 'somebody' })
  await follow({ web: '/srv/other' })
  const { spec } = await client.for('ManifestSource').get(ref)
  assert.deepEqual([spec.path, spec.prune], ['/srv/other', true])
  await follow({})
  assert.deepEqual(await paths(), { web: '/srv/other' })
  const left = await leftOver(client, [], stop.signal)
  assert.deepEqual(
    left.map(({ metadata }) => metadata.name),
    ['web'],
  )
  assert.deepEqual(await leftOver(client, listed({ web: '/srv/other' }), stop.signal), [])
})

test('a source that somebody else made is left as it is', async () => {
  const own = {
    apiVersion: 'pmk.dev/v1',
    kind: 'ManifestSource',
    metadata: { name: 'web', namespace: 'default' },
    spec: { path: '/home/web' },
  }
  await client.for('ManifestSource').create(own as never)
  await follow({ web: '/srv/web' })
  assert.deepEqual(await paths(), { web: '/home/web' })
  assert.deepEqual(await notFollowed(client, listed({ web: '/srv/web' }), stop.signal), listed({ web: '/srv/web' }))
  assert.deepEqual(await notFollowed(client, listed({ web: '/home/web' }), stop.signal), [])
  assert.deepEqual(await leftOver(client, [], stop.signal), [])
})
