import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { labelsOf, map, processManifest, SourceWorld } from '../../support/source-world.ts'

describe('drift', () => {
  let world: SourceWorld
  beforeEach(async () => {
    world = await SourceWorld.start()
  })
  afterEach(() => world.stop())

  const applied = async (spec: object = {}): Promise<void> => {
    world.origin('web').set({ 'a.yaml': map('a', 'one', { extra: '\n  labels: {tier: front}' }), 'b.yaml': map('b') })
    await world.create('web', spec)
    await world.settle()
    assert.equal(await world.ready('web'), 'True Applied')
  }
  const patch = (manager: string, value: object): Promise<unknown> =>
    world.env.clientOf(manager).for('ConfigMap').patch({ name: 'a' }, { type: 'merge', value })

  const CHANGES: readonly { readonly title: string; readonly act: () => Promise<unknown>; readonly told: string }[] = [
    {
      title: 'a field that somebody changed',
      act: () => world.edit('kubectl-edit', 'a', { value: 'theirs' }),
      told: 'ConfigMap default/a: data.value (kubectl-edit)',
    },
    {
      title: 'a field that somebody took away',
      act: () => patch('kubectl-patch', { data: { value: null, more: 'x' } }),
      told: 'ConfigMap default/a: data.value (kubectl-patch)',
    },
    {
      title: 'labels, its own included',
      act: () => patch('kubectl-label', { metadata: { labels: { tier: 'back', 'pmk.dev/source': 'nobody' } } }),
      told: 'ConfigMap default/a: metadata.labels.tier, metadata.labels["pmk.dev/source"] (kubectl-label)',
    },
    {
      title: 'what several managers changed',
      act: async () => {
        await world.edit('one', 'a', { value: 'theirs' })
        await patch('two', { metadata: { labels: { tier: 'back' } } })
      },
      told: 'ConfigMap default/a: data.value, metadata.labels.tier (one, two)',
    },
    {
      title: 'an object that was deleted',
      act: () => world.env.client.for('ConfigMap').delete({ name: 'a' }),
      told: 'ConfigMap default/a was deleted',
    },
  ]

  for (const { title, act, told } of CHANGES) {
    test(`is put back at once: ${title}`, async () => {
      await applied()
      await world.change('web', { suspend: true })
      await world.settle()
      await act()
      await world.change('web', { suspend: false })
      await world.settle()
      const object = await world.find('ConfigMap', 'a')
      assert.equal(object?.data?.value, 'one')
      assert.equal(labelsOf(object), 'pmk.dev/source-namespace=default pmk.dev/source=web tier=front')
      const events = await world.events('DriftRestored')
      assert.deepEqual(
        events.filter(({ involvedObject }) => involvedObject.kind === 'ManifestSource').map(({ message }) => message),
        [told],
      )
      const about = events.filter(({ involvedObject }) => involvedObject.kind === 'ConfigMap')
      assert.deepEqual(
        about.map(({ involvedObject }) => involvedObject.uid),
        [object?.metadata.uid],
      )
      assert.match(about[0]?.message ?? '', /^ManifestSource default\/web (put back|made it anew)/)
      assert.equal(world.conditionOf(await world.source('web'), 'Drifted'), 'False AsApplied')
    })

    test(`is only told of: ${title}`, async () => {
      await applied({ drift: 'Report' })
      await act()
      await world.settle()
      const before = await world.find('ConfigMap', 'a')
      await world.env.clock.advance(300_000)
      const source = await world.source('web')
      assert.match(world.conditionOf(source, 'Drifted'), /^True DriftFound/)
      if (!title.startsWith('what several')) assert.equal(world.conditionOf(source, 'Drifted'), `True DriftFound: ${told}`)
      assert.match(world.conditionOf(source, 'Ready'), /^True Applied/)
      assert.deepEqual(await world.find('ConfigMap', 'a'), before, 'it is left as it is')
      assert.equal((await world.events('DriftFound')).length, 1)
      assert.equal(source.status?.inventory?.includes('configmaps/default/a'), true)
    })
  }

  test('that is only told of goes with the next content, with pmk sync, and by hand', async () => {
    await applied({ drift: 'Report' })
    const drift = async (): Promise<void> => {
      await world.edit('kubectl-edit', 'a', { value: 'theirs' })
      await world.settle()
      assert.match(world.conditionOf(await world.source('web'), 'Drifted'), /^True/)
    }
    const isGone = async (): Promise<void> => {
      await world.settle()
      assert.equal((await world.values()).a, 'one')
      assert.equal(world.conditionOf(await world.source('web'), 'Drifted'), 'False AsApplied')
    }
    await drift()
    await world.edit('kubectl-edit', 'a', { value: 'one' })
    await isGone()
    await drift()
    await world.annotate('web', { 'pmk.dev/sync-requested': '1' })
    await isGone()
    assert.equal((await world.source('web')).status?.lastHandledSync, '1')
    await drift()
    world.origin('web').set({ 'a.yaml': map('a', 'one', { extra: '\n  labels: {tier: front}' }), 'b.yaml': map('b', 'two') })
    await isGone()
    assert.equal((await world.values()).b, 'two')
  })

  test('that was there before the server started is told of, and what was never applied is no drift', async () => {
    await applied({ drift: 'Report' })
    const restarted = world.env.restartControllers()
    await world.edit('kubectl-edit', 'a', { value: 'theirs' })
    await restarted
    await world.settle()
    assert.match(
      world.conditionOf(await world.source('web'), 'Drifted'),
      /^True DriftFound: ConfigMap default\/a: data.value \(kubectl-edit\)$/,
    )
    assert.equal((await world.values()).a, 'theirs')
  })

  test('leaves alone what the manifests do not name', async () => {
    await applied()
    await patch('kubectl-edit', { data: { more: 'x' }, metadata: { labels: { extra: 'x' }, annotations: { note: 'x' } } })
    await world.settle()
    const object = await world.find('ConfigMap', 'a')
    assert.equal(object?.data?.more, 'x')
    assert.equal(object?.metadata.labels?.extra, 'x')
    assert.deepEqual(await world.events('DriftRestored'), [])
  })

  test('of a field whose value somebody else set to the same is none', async () => {
    await applied()
    const value = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { value: 'one' } }
    await world.env.client.for('ConfigMap').patch({ name: 'a' }, { type: 'apply', value, force: true }, { fieldManager: 'kubectl' })
    await world.settle()
    assert.deepEqual(await world.events('DriftRestored'), [])
  })

  test('of a program that insists on its value is put back a few times at once, then with each interval', async () => {
    await applied({ interval: '1m' })
    let writes = 0
    const insist = async (): Promise<void> => {
      if ((await world.values()).a === 'theirs') return
      writes += 1
      await world.edit('autoscaler', 'a', { value: 'theirs' })
    }
    for (let n = 0; n < 50; n++) {
      await insist()
      await world.env.clock.advance(200)
    }
    assert.ok(writes >= 4 && writes <= 8, `${writes} writes in 10 seconds`)
    await world.env.clock.advance(60_000)
    assert.match((await world.source('web')).status?.notes?.join() ?? '', /^ConfigMap default\/a was changed again and again/)
    assert.ok(writes <= 8)
    await world.env.clock.advance(120_000)
    assert.equal((await world.values()).a, 'one', 'it is put back in the end')
    await world.env.clock.advance(120_000)
    assert.equal((await world.source('web')).status?.notes, undefined)
  })

  test('of many objects is told in one Event of the source', async () => {
    const files = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`${n}.yaml`, map(`m${n}`)]))
    world.origin('web').set(files)
    await world.create('web')
    await world.settle()
    await world.change('web', { suspend: true })
    await world.settle()
    for (let n = 0; n < 30; n++) await world.edit('kubectl-edit', `m${n}`, { value: 'theirs' })
    await world.change('web', { suspend: false })
    await world.settle()
    const events = (await world.events('DriftRestored')).filter(({ involvedObject }) => involvedObject.kind === 'ManifestSource')
    assert.equal(events.length, 1)
    assert.match(events[0]?.message ?? '', /^ConfigMap default\/m0: data.value \(kubectl-edit\); .*; and 25 more objects$/)
    assert.equal(await world.ready('web'), 'True Applied')
  })

  test('of a Process that was stopped is put back when its manifest says Running, and left when it says nothing', async () => {
    world.origin('web').set({ 'p.yaml': processManifest('named', '  desiredState: Running\n'), 'q.yaml': processManifest('open') })
    await world.create('web')
    await world.settle()
    for (const name of ['named', 'open'])
      await world.env
        .clientOf('pmk-stop')
        .for('Process')
        .patch({ name }, { type: 'merge', value: { spec: { desiredState: 'Stopped' } } })
    await world.settle()
    assert.equal((await world.env.process('named')).spec.desiredState, 'Running')
    assert.equal((await world.env.process('open')).spec.desiredState, 'Stopped')
    const told = (await world.events('DriftRestored')).filter(({ involvedObject }) => involvedObject.kind === 'Process')
    assert.deepEqual(
      told.map(({ involvedObject, message }) => `${involvedObject.name}: ${message}`),
      ['named: ManifestSource default/web put back spec.desiredState, changed by pmk-stop'],
    )
  })
})
