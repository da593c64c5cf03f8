import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import type { ApiObject } from '../../../src/api/object.ts'
import { ownerReferenceTo } from '../../../src/api/owners.ts'
import type { ConfigMap, OwnerReference } from '../../../src/generated/types.ts'
import { ControlPlaneEnv } from '../../support/control-plane-env.ts'

let env: ControlPlaneEnv

beforeEach(async () => {
  env = await ControlPlaneEnv.start()
})

afterEach(() => env.stop())

test('what is owned goes with its owner, and what that owned too', async () => {
  const a = await make('a')
  const b = await make('b', [a])
  await make('c', [b])
  await make('free')
  await env.client.for('ConfigMap').delete({ name: 'a' })
  await env.until(async () => assert.deepEqual(await names(), ['free']))
})

test('one of two owners is enough to stay, without a reference to the one that is gone', async () => {
  const a = await make('a')
  const b = await make('b')
  await make('child', [a, b])
  await env.client.for('ConfigMap').delete({ name: 'a' })
  await env.until(async () =>
    assert.deepEqual(
      (await get('child')).metadata.ownerReferences?.map(({ name }) => name),
      ['b'],
    ),
  )
  await env.client.for('ConfigMap').delete({ name: 'b' })
  await env.until(async () => assert.deepEqual(await names(), []))
})

test('an object of the same name made later is not the owner', async () => {
  const a = await make('a')
  await make('child', [a])
  await env.restartControllers()
  await env.client.for('ConfigMap').delete({ name: 'a' })
  await make('a')
  await env.until(async () => assert.deepEqual(await names(), ['a']))
})

test('what names an owner that never was is deleted, also when it was made while nobody looked', async () => {
  await env.client.for('ConfigMap').create(body('child', [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'ghost', uid: 'no-such-uid' }]))
  await env.until(async () => assert.deepEqual(await names(), []))
})

test('an owner of a kind that is not served here is taken to be there', async () => {
  await env.client.for('ConfigMap').create(body('child', [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'x', uid: 'u' }]))
  await env.quiet()
  assert.deepEqual(await names(), ['child'])
})

test('deleted alone, an owner leaves its dependents without a reference to it', async () => {
  const a = await make('a')
  await make('b', [a])
  await env.quiet()
  await env.client.for('ConfigMap').delete({ name: 'a' }, { propagation: 'Orphan' })
  await env.until(async () => assert.deepEqual(await names(), ['b']))
  assert.equal((await get('b')).metadata.ownerReferences, undefined)
  await env.quiet()
  assert.deepEqual(await names(), ['b'])
})

test('in the foreground an owner waits for the dependents that block it, and only for those', async () => {
  const a = await make('a')
  await make('blocking', [a], { finalizers: ['example.com/wait'] })
  const other = { ...ownerReferenceTo(a), controller: false, blockOwnerDeletion: false }
  await env.client
    .for('ConfigMap')
    .create({ ...body('other', [other]), metadata: { ...body('other', [other]).metadata, finalizers: ['example.com/wait'] } })
  await env.quiet()
  await env.client.for('ConfigMap').delete({ name: 'a' }, { propagation: 'Foreground' })
  await env.quiet()
  assert.deepEqual(await names(), ['a', 'blocking', 'other'])
  await release('blocking')
  await env.until(async () => assert.deepEqual(await names(), ['other']))
  await release('other')
  await env.until(async () => assert.deepEqual(await names(), []))
})

test('a dependent that is set free no longer blocks its owner', async () => {
  const a = await make('a')
  await make('b', [a], { finalizers: ['example.com/wait'] })
  await env.quiet()
  await env.client.for('ConfigMap').delete({ name: 'a' }, { propagation: 'Foreground' })
  await env.quiet()
  await env.client.for('ConfigMap').patch({ name: 'b' }, { type: 'merge', value: { metadata: { ownerReferences: null } } })
  await env.until(async () => assert.ok(!(await names()).includes('a')))
})

test('a deleted Namespace is emptied, stays until the last program in it has ended, and goes', async () => {
  await env.stop()
  const lasting = new Set(['web-0'])
  env = await ControlPlaneEnv.start({ ends: ({ metadata }) => !lasting.has(metadata.name) })
  await env.client.for('Namespace').create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } })
  await env.client.for('ConfigMap').create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'shop' } })
  await env.create('web', { replicas: 2 }, { namespace: 'shop' })
  await env.create('stays')
  await env.quiet()
  await env.client.for('Namespace').delete({ name: 'shop' })
  await env.quiet()
  assert.equal((await env.client.for('Namespace').get({ name: 'shop' })).status?.phase, 'Terminating')
  assert.deepEqual((await env.client.for('ConfigMap').list({ namespace: 'shop' })).items, [])
  assert.equal((await env.client.for('Instance').list({ namespace: 'shop' })).items.length, 1)
  lasting.clear()
  await env.agent.lookAgain()
  await env.until(async () => {
    const { items } = await env.client.for('Namespace').list()
    assert.deepEqual(
      items.map(({ metadata }) => metadata.name),
      ['default'],
    )
  })
  assert.equal((await env.client.for('Process').list()).items.length, 1)
})

function body(
  name: string,
  ownerReferences: readonly OwnerReference[],
): {
  readonly apiVersion: 'v1'
  readonly kind: 'ConfigMap'
  readonly metadata: { readonly name: string; readonly ownerReferences: readonly OwnerReference[] }
} {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ownerReferences } }
}

function make(
  name: string,
  owners: readonly ApiObject[] = [],
  metadata: { readonly finalizers?: readonly string[] } = {},
): Promise<ConfigMap> {
  const references = owners.map((owner, at) => ({ ...ownerReferenceTo(owner), controller: at === 0 }))
  const { metadata: own, ...rest } = body(name, references)
  return env.client.for('ConfigMap').create({ ...rest, metadata: { ...own, ...metadata } })
}

function get(name: string): Promise<ConfigMap> {
  return env.client.for('ConfigMap').get({ name })
}

function release(name: string): Promise<ConfigMap> {
  return env.client.for('ConfigMap').patch({ name }, { type: 'merge', value: { metadata: { finalizers: null } } })
}

async function names(): Promise<readonly string[]> {
  return (await env.client.for('ConfigMap').list()).items.map(({ metadata }) => metadata.name).sort()
}
