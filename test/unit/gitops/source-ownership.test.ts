import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { labelsOf, map, SourceWorld } from '../../support/source-world.ts'

const OF_WEB = 'pmk.dev/source-namespace=default pmk.dev/source=web'

describe('two sources that name the same object', () => {
  let world: SourceWorld
  beforeEach(async () => {
    world = await SourceWorld.start()
    await world.env.client.for('Namespace').create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'prod' } })
  })
  afterEach(() => world.stop())

  /** `web` has it first, then `other` comes, which lives in another namespace. */
  const contest = async (spec: object = {}): Promise<void> => {
    world.origin('web').set({ 'a.yaml': map('a') })
    await world.create('web', spec)
    await world.settle()
    world.origin('other', 'prod').set({ 'x.yaml': map('x'), 'dir/a.yaml': map('a', 'two', { namespace: 'default' }) })
    await world.create('other', spec, 'prod')
    await world.settle()
  }

  test('are told of with both names, file and line, and do not fight', async () => {
    await contest()
    const { status } = await world.source('other', 'prod')
    assert.equal(
      status?.message,
      'Nothing was changed. dir/a.yaml:1: ConfigMap default/a is kept by ManifestSource default/web, and prod/other names it, too; take it out of one of the two',
    )
    assert.equal(await world.ready('web'), 'True Applied')
    const { resourceVersion } = (await world.find('ConfigMap', 'a'))?.metadata ?? {}
    await world.env.clock.advance(600_000)
    const object = await world.find('ConfigMap', 'a')
    assert.equal(object?.metadata.resourceVersion, resourceVersion)
    assert.equal(labelsOf(object), OF_WEB)
    assert.deepEqual(await world.values('prod'), {})
  })

  test('come to it at the same moment, and one of them gets it', async () => {
    const names = ['one', 'two', 'three', 'four']
    for (const name of names) {
      world.origin(name).set({ 'a.yaml': map('a', name) })
      await world.create(name)
    }
    await world.settle()
    const ready = await Promise.all(names.map((name) => world.ready(name)))
    assert.deepEqual(ready.toSorted(), ['False InvalidManifests', 'False InvalidManifests', 'False InvalidManifests', 'True Applied'])
    const winner = names[ready.indexOf('True Applied')] ?? ''
    assert.deepEqual(await world.values(), { a: winner })
    const { resourceVersion } = (await world.find('ConfigMap', 'a'))?.metadata ?? {}
    await world.env.clock.advance(600_000)
    assert.equal((await world.find('ConfigMap', 'a'))?.metadata.resourceVersion, resourceVersion, 'it stays so')
    for (const name of names)
      assert.deepEqual((await world.source(name)).status?.inventory ?? [], name === winner ? ['configmaps/default/a'] : [])
  })

  const HANDOVERS: readonly { readonly title: string; readonly spec?: object; readonly act: () => Promise<unknown> }[] = [
    { title: 'the first no longer names it', act: async () => world.origin('web').set({ 'b.yaml': map('b') }) },
    {
      title: 'the first no longer names it and prunes it',
      spec: { prune: true },
      act: async () => world.origin('web').set({ 'b.yaml': map('b') }),
    },
    { title: 'the first is deleted', act: () => world.env.client.for('ManifestSource').delete({ name: 'web' }) },
    {
      title: 'the first is deleted with all that it had',
      spec: { deletionPolicy: 'Prune' },
      act: () => world.env.client.for('ManifestSource').delete({ name: 'web' }),
    },
  ]
  for (const { title, spec, act } of HANDOVERS)
    test(`hand it over at once when ${title}`, async () => {
      await contest(spec)
      await act()
      await world.settle()
      assert.equal(await world.ready('other', 'prod'), 'True Applied')
      const object = await world.find('ConfigMap', 'a')
      assert.equal(object?.data?.value, 'two')
      assert.equal(labelsOf(object), 'pmk.dev/source-namespace=prod pmk.dev/source=other')
      assert.deepEqual((await world.source('other', 'prod')).status?.inventory, ['configmaps/default/a', 'configmaps/prod/x'])
    })

  test('leave the second without a prune of what the first has', async () => {
    await contest({ prune: true })
    world.origin('other', 'prod').set({ 'x.yaml': map('x') })
    await world.settle()
    assert.equal(await world.ready('other', 'prod'), 'True Applied')
    assert.equal(labelsOf(await world.find('ConfigMap', 'a')), OF_WEB)
  })
})

describe('labels that somebody forges', () => {
  let world: SourceWorld
  beforeEach(async () => {
    world = await SourceWorld.start()
    for (const name of ['web', 'other']) {
      world.origin(name).set({ 'a.yaml': map(name) })
      await world.create(name, { prune: true })
    }
    await world.settle()
  })
  afterEach(() => world.stop())

  const label = (name: string, source: string | null): Promise<unknown> =>
    world.env
      .clientOf('kubectl-label')
      .for('ConfigMap')
      .patch(
        { name },
        { type: 'merge', value: { metadata: { labels: { 'pmk.dev/source': source, 'pmk.dev/source-namespace': source && 'default' } } } },
      )

  for (const source of ['other', 'nobody', null])
    test(`do not keep an object from its source: ${source ?? 'none'}`, async () => {
      await label('web', source)
      await world.settle()
      assert.equal(labelsOf(await world.find('ConfigMap', 'web')), OF_WEB)
      assert.equal(await world.ready('web'), 'True Applied')
      assert.equal(await world.ready('other'), 'True Applied')
      world.origin('web').set({ 'b.yaml': map('b') })
      await world.settle()
      assert.equal(await world.find('ConfigMap', 'web'), undefined, 'and it is still pruned')
    })

  test('do not make a source prune what it never applied', async () => {
    const maps = world.env.client.for('ConfigMap')
    await maps.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'theirs' }, data: { value: 'theirs' } })
    await label('theirs', 'web')
    await world.settle()
    world.origin('web').set({ 'b.yaml': map('b') })
    await world.settle()
    assert.equal((await world.values()).theirs, 'theirs')
    await world.env.client.for('ManifestSource').patch({ name: 'web' }, { type: 'merge', value: { spec: { deletionPolicy: 'Prune' } } })
    await world.env.client.for('ManifestSource').delete({ name: 'web' })
    await world.settle()
    assert.equal((await world.values()).theirs, 'theirs')
  })

  test('do not keep another source from an object that the first never applied', async () => {
    const maps = world.env.client.for('ConfigMap')
    await maps.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'theirs' }, data: { value: 'theirs' } })
    await label('theirs', 'web')
    world.origin('other').set({ 'a.yaml': map('other'), 't.yaml': map('theirs', 'mine') })
    await world.settle()
    assert.equal(await world.ready('other'), 'True Applied')
    assert.equal((await world.values()).theirs, 'mine')
  })
})
