import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { labelsOf, map, processManifest, SourceWorld } from '../../support/source-world.ts'

const ID = 'configmaps/default/a'

describe('what a source no longer names', () => {
  let world: SourceWorld
  beforeEach(async () => {
    world = await SourceWorld.start()
  })
  afterEach(() => world.stop())

  /** A source that had `a` and `b`. */
  const applied = async (spec: object = { prune: true }): Promise<void> => {
    world.origin('web').set({ 'a.yaml': map('a'), 'b.yaml': map('b') })
    await world.create('web', spec)
    await world.settle()
    assert.equal(await world.ready('web'), 'True Applied')
  }
  const drop = async (): Promise<void> => {
    world.origin('web').set({ 'b.yaml': map('b') })
    await world.settle()
  }
  const patch = (value: object): Promise<unknown> => world.env.client.for('ConfigMap').patch({ name: 'a' }, { type: 'merge', value })

  test('is deleted', async () => {
    await applied()
    await drop()
    assert.deepEqual(await world.values(), { b: 'one' })
    assert.deepEqual((await world.source('web')).status?.inventory, ['configmaps/default/b'])
    const told = (await world.events('Applied')).map(({ message }) => message)
    assert.ok(told.includes('Applied sha256:0000000000: 0 created, 0 configured, 1 pruned'), told.join())
  })

  test('is given free without prune, and stays so when prune is asked for later', async () => {
    await applied({})
    await drop()
    assert.deepEqual(await world.values(), { a: 'one', b: 'one' })
    const object = await world.find('ConfigMap', 'a')
    assert.equal(labelsOf(object), '')
    assert.deepEqual(
      (object?.metadata.managedFields ?? []).map(({ manager }) => manager),
      ['pmk-released'],
    )
    assert.deepEqual((await world.source('web')).status?.inventory, ['configmaps/default/b'])
    await world.change('web', { prune: true })
    await world.settle()
    assert.deepEqual(await world.values(), { a: 'one', b: 'one' })
  })

  const LEFT: readonly {
    readonly title: string
    readonly change: () => Promise<unknown>
    readonly note: RegExp
    readonly stays: boolean
  }[] = [
    {
      title: 'its labels were taken off',
      change: () => patch({ metadata: { labels: null } }),
      note: /^ConfigMap default\/a is left alone: it is not this source's any more$/,
      stays: false,
    },
    {
      title: 'its labels name another source',
      change: () => patch({ metadata: { labels: { 'pmk.dev/source': 'other' } } }),
      note: /left alone/,
      stays: false,
    },
    {
      title: 'somebody deleted it and made another of its name',
      change: async () => {
        await world.env.client.for('ConfigMap').delete({ name: 'a' })
        await world.env.client
          .for('ConfigMap')
          .create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { value: 'one' } })
      },
      note: /left alone/,
      stays: false,
    },
    {
      title: 'its annotation keeps it',
      change: () => patch({ metadata: { annotations: { 'pmk.dev/prune': 'disabled' } } }),
      note: /^ConfigMap default\/a is kept: its annotation pmk\.dev\/prune is disabled$/,
      stays: true,
    },
  ]
  for (const { title, change, note, stays } of LEFT)
    test(`is not deleted when ${title}`, async () => {
      await applied()
      await world.change('web', { suspend: true })
      await world.settle()
      await change()
      world.origin('web').set({ 'b.yaml': map('b') })
      await world.change('web', { suspend: false })
      await world.settle()
      assert.deepEqual(await world.values(), { a: 'one', b: 'one' })
      const { status } = await world.source('web')
      assert.match(status?.notes?.join('\n') ?? '', note)
      assert.equal(status?.inventory?.includes(ID), stays)
      assert.equal(status?.ready, 'True')
    })

  test('is deleted once its annotation no longer keeps it', async () => {
    await applied()
    await patch({ metadata: { annotations: { 'pmk.dev/prune': 'disabled' } } })
    await drop()
    assert.equal((await world.values()).a, 'one')
    await patch({ metadata: { annotations: null } })
    await world.settle()
    assert.equal((await world.values()).a, undefined)
  })

  test('takes no Namespace with it that holds what somebody else would miss', async () => {
    const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: prod\n'
    world.origin('web').set({ 'n.yaml': namespace, 'a.yaml': map('a', 'one', { namespace: 'prod' }), 'b.yaml': map('b') })
    await world.create('web', { prune: true })
    await world.settle()
    const maps = world.env.client.for('ConfigMap')
    await maps.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'theirs', namespace: 'prod' } })
    await drop()
    assert.deepEqual(Object.keys(await world.values('prod')), ['theirs'])
    const { status } = await world.source('web')
    assert.deepEqual(status?.notes, ['Namespace prod is kept: ConfigMap prod/theirs is in it and would go with it'])
    assert.deepEqual(status?.inventory, ['configmaps/default/b', 'namespaces//prod'])
    await maps.delete({ name: 'theirs', namespace: 'prod' })
    await world.env.clock.advance(60_000)
    await world.settle()
    assert.equal(await world.find('Namespace', 'prod'), undefined)
  })

  test('takes a Namespace with all that the source had in it, Processes included', async () => {
    const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: prod\n'
    const process = processManifest('p').replace('name: p', 'name: p\n  namespace: prod')
    world.origin('web').set({ 'n.yaml': namespace, 'p.yaml': process, 'b.yaml': map('b') })
    await world.create('web', { prune: true })
    await world.settle()
    await drop()
    await world.env.clock.advance(20_000)
    await world.settle()
    assert.equal(await world.find('Namespace', 'prod'), undefined)
  })

  for (const why of ['PathNotFound', 'NoManifests', 'a file without an object'] as const)
    test(`is kept until somebody confirms it when that is all: ${why}`, async () => {
      await applied()
      const empty = (): void => {
        if (why === 'a file without an object') world.origin('web').set({ 'a.yaml': '# nothing\n' })
        else world.origin('web').fail(why)
      }
      empty()
      await world.settle()
      const both = { a: 'one', b: 'one' }
      assert.deepEqual(await world.values(), both)
      const source = await world.source('web')
      assert.match(
        world.conditionOf(source, 'Ready'),
        /^False PruneNeedsConfirmation: .*2 objects would be removed: pmk sync web --confirm-prune$/,
      )
      assert.match(world.conditionOf(source, 'Stalled'), /^True/)
      const { token = '', objects } = source.status?.pendingPrune ?? {}
      assert.equal(objects, 2)
      assert.equal((await world.events('PruneNeedsConfirmation')).length, 1)

      await world.annotate('web', { 'pmk.dev/confirm-prune': `${token}0` })
      await world.settle()
      assert.deepEqual(await world.values(), both, 'another token confirms nothing')

      await world.annotate('web', { 'pmk.dev/confirm-prune': token })
      await world.settle()
      assert.deepEqual(await world.values(), {})
      const after = (await world.source('web')).status
      assert.equal(after?.pendingPrune, undefined)
      assert.deepEqual(after?.inventory, [])

      // The same once more: what was confirmed then was for that time.
      world.origin('web').set({ 'a.yaml': map('a'), 'b.yaml': map('b') })
      await world.settle()
      assert.deepEqual(await world.values(), both)
      empty()
      await world.settle()
      assert.deepEqual(await world.values(), both, 'an old token confirms nothing')
      assert.equal(await world.ready('web'), 'False PruneNeedsConfirmation')
    })

  test('is kept when the source comes back before anybody confirms', async () => {
    await applied()
    world.origin('web').fail('PathNotFound')
    await world.settle()
    world.origin('web').set({ 'a.yaml': map('a'), 'b.yaml': map('b') })
    await world.settle()
    assert.equal(await world.ready('web'), 'True Applied')
    assert.equal((await world.source('web')).status?.pendingPrune, undefined)
  })

  test('is kept, and nothing can be confirmed, when the files can not be read', async () => {
    await applied()
    world.origin('web').fail('PathUnreadable', '/srv: permission denied')
    await world.settle()
    assert.equal(await world.ready('web'), 'False PathUnreadable')
    const { status } = await world.source('web')
    assert.equal(status?.pendingPrune, undefined)
    assert.deepEqual(status?.errors, ['/srv: /srv: permission denied'])
    assert.deepEqual(await world.values(), { a: 'one', b: 'one' })
  })

  test('needs no confirmation where nothing would be removed', async () => {
    await applied({ prune: false })
    world.origin('web').fail('NoManifests')
    await world.settle()
    assert.equal(await world.ready('web'), 'False NoManifests')
    assert.deepEqual(await world.values(), { a: 'one', b: 'one' })
  })

  test('goes with the source when its deletionPolicy is Prune, but for what is kept', async () => {
    await applied({ deletionPolicy: 'Prune' })
    await patch({ metadata: { annotations: { 'pmk.dev/prune': 'disabled' } } })
    await world.env.client.for('ManifestSource').delete({ name: 'web' })
    await world.settle()
    assert.deepEqual(await world.values(), { a: 'one' })
    assert.equal(labelsOf(await world.find('ConfigMap', 'a')), '')
    await assert.rejects(world.source('web'), /not found/)
    assert.equal(world.origin('web').discarded, 1)
  })

  test('is left as it is, and free, when its deletionPolicy is Orphan', async () => {
    await applied({ prune: true, deletionPolicy: 'Orphan' })
    await world.env.client.for('ManifestSource').delete({ name: 'web' })
    await world.settle()
    assert.deepEqual(await world.values(), { a: 'one', b: 'one' })
    assert.equal(labelsOf(await world.find('ConfigMap', 'a')), '')
    await assert.rejects(world.source('web'), /not found/)
  })

  test('keeps a source that prunes at its end until its objects are gone, and says for what it waits', async () => {
    world.origin('web').set({ 'a.yaml': map('a', 'one', { extra: '\n  finalizers: [example.org/wait]' }), 'b.yaml': map('b') })
    await world.create('web', { deletionPolicy: 'Prune' })
    await world.settle()
    await world.env.client.for('ManifestSource').delete({ name: 'web' })
    await world.settle()
    assert.equal((await world.source('web')).status?.message, 'Waits for ConfigMap default/a to be gone')
    await patch({ metadata: { finalizers: null } })
    await world.settle()
    await assert.rejects(world.source('web'), /not found/)
    assert.deepEqual(await world.values(), {})
  })

  test('gives back what a deleted source kept on disk, also when the server started only then', async () => {
    await applied({})
    await world.change('web', { suspend: true })
    await world.settle()
    await world.env.restartControllers()
    await world.env.client.for('ManifestSource').delete({ name: 'web' })
    await world.settle()
    assert.equal(world.origin('web').discarded, 1)
  })
})
