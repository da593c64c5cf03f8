import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { ApiObject } from '../../../src/api/object.ts'
import { apiError } from '../../../src/api/status.ts'
import type { Client, ResourceClient } from '../../../src/client/client.ts'
import { labelsOf, map, processManifest, SourceWorld } from '../../support/source-world.ts'

const LABELS = 'pmk.dev/source-namespace=default pmk.dev/source=web'
const BAD = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: bad\ndaat: {}\n'

describe('a source', () => {
  let world: SourceWorld
  beforeEach(async () => {
    world = await SourceWorld.start()
  })
  afterEach(() => world.stop())

  test('applies what its files say, with its labels, and says so', async () => {
    world.origin('web').set({ 'a.yaml': map('a'), 'b.yaml': `${map('b')}---\n${map('c')}` })
    await world.create('web')
    await world.settle()
    assert.deepEqual(await world.values(), { a: 'one', b: 'one', c: 'one' })
    assert.equal(labelsOf(await world.find('ConfigMap', 'a')), LABELS)
    const source = await world.source('web')
    const { status } = source
    assert.equal(status?.message, 'Applied 3 objects of 2 files at sha256:0000000000')
    assert.deepEqual(status?.inventory, ['configmaps/default/a', 'configmaps/default/b', 'configmaps/default/c'])
    assert.equal(status?.objects, 3)
    assert.equal(status?.files, 2)
    assert.equal(status?.appliedRevision, world.origin('web').revision)
    assert.equal(status?.attemptedRevision, world.origin('web').revision)
    assert.match(world.conditionOf(source, 'Ready'), /^True Applied/)
    assert.equal(world.conditionOf(source, 'Reconciling'), 'False Idle')
    assert.equal(world.conditionOf(source, 'Stalled'), 'False Idle')
    const messages = (await world.events()).map(({ message }) => message)
    assert.deepEqual(messages, ['Applied sha256:0000000000: 3 created, 0 configured, 0 pruned'])
  })

  test('writes nothing while nothing changes', async () => {
    world.origin('web').set({ 'a.yaml': map('a') })
    await world.create('web', { interval: '10s' })
    await world.settle()
    const { resourceVersion } = (await world.source('web')).metadata
    const map1 = await world.find('ConfigMap', 'a')
    const { fetches } = world.origin('web')
    await world.env.clock.advance(60_000)
    assert.equal((await world.source('web')).metadata.resourceVersion, resourceVersion)
    assert.equal((await world.find('ConfigMap', 'a'))?.metadata.resourceVersion, map1?.metadata.resourceVersion)
    assert.ok(world.origin('web').fetches > fetches, 'it goes on looking')
    assert.equal((await world.events()).length, 1)
  })

  test('changes nothing when one object is wrong, and names its file, line and fault', async () => {
    world.origin('web').set({ 'a.yaml': map('a') })
    await world.create('web', { prune: true })
    await world.settle()
    world.origin('web').set({ 'b.yaml': map('b'), 'c/bad.yaml': `${map('c')}---\n${BAD}` })
    await world.settle()
    assert.deepEqual(await world.values(), { a: 'one' })
    const source = await world.source('web')
    assert.equal(source.status?.message, 'Nothing was changed. c/bad.yaml:12: unknown field "daat" (did you mean data?)')
    assert.deepEqual(source.status?.errors, ['c/bad.yaml:12: unknown field "daat" (did you mean data?)'])
    assert.match(world.conditionOf(source, 'Ready'), /^False InvalidManifests/)
    assert.match(world.conditionOf(source, 'Stalled'), /^True InvalidManifests/)
    assert.notEqual(source.status?.appliedRevision, source.status?.attemptedRevision)
    assert.deepEqual(source.status?.inventory, ['configmaps/default/a'])
    const [told, ...others] = await world.events('InvalidManifests')
    assert.equal(told?.message, source.status?.message)
    assert.deepEqual(others, [])
    await world.env.clock.advance(300_000)
    assert.equal((await world.events('InvalidManifests'))[0]?.count, 1, 'it is told once')

    world.origin('web').set({ 'b.yaml': map('b') })
    await world.settle()
    assert.equal(await world.ready('web'), 'True Applied')
    assert.deepEqual(await world.values(), { b: 'one' })
    assert.equal((await world.source('web')).status?.errors, undefined)
  })

  const FAULTS: readonly { readonly title: string; readonly files: Readonly<Record<string, string>>; readonly error: RegExp }[] = [
    { title: 'a file that is no YAML', files: { 'bad.yaml': 'a: [' }, error: /^bad\.yaml:\d+: invalid YAML/ },
    { title: 'an unknown kind', files: { 'bad.yaml': 'apiVersion: v1\nkind: Nothing\nmetadata: {name: a}\n' }, error: /no kind "Nothing"/ },
    {
      title: 'a kind that pmk makes itself',
      files: { 'bad.yaml': 'apiVersion: pmk.dev/v1\nkind: Instance\nmetadata: {name: a}\n' },
      error: /^bad\.yaml:1: Instances are made from a Process/,
    },
    {
      title: 'a kind that is a question',
      files: { 'bad.yaml': 'apiVersion: authorization.k8s.io/v1\nkind: SelfSubjectAccessReview\nmetadata: {name: a}\nspec: {}\n' },
      error: /it can only be asked for/,
    },
    {
      title: 'an object in two files',
      files: { 'x.yaml': map('x', 'one'), 'y.yaml': map('x', 'two', { namespace: 'default' }) },
      error: /^y\.yaml:1: ConfigMap default\/x is also in x\.yaml:1; keep one$/,
    },
    {
      title: 'a namespace that is not there',
      files: { 'bad.yaml': map('x', 'one', { namespace: 'nowhere' }) },
      error: /namespaces "nowhere" not found/,
    },
    {
      title: 'what the server refuses',
      files: { 'bad.yaml': processManifest('x', '  replicas: -1\n') },
      error: /^bad\.yaml:7: spec\.replicas: /,
    },
  ]
  for (const { title, files, error } of FAULTS)
    for (const partial of [false, true])
      test(`with ${title} ${partial ? 'applies the others when it is partial' : 'applies nothing'}`, async () => {
        world.origin('web').set({ 'good.yaml': map('good'), ...files })
        await world.create('web', { partial, prune: true })
        await world.settle()
        assert.deepEqual(await world.values(), partial ? { good: 'one' } : {})
        const { status } = await world.source('web')
        assert.equal(status?.errors?.length, 1, JSON.stringify(status?.errors))
        assert.match(status?.errors?.[0] ?? '', error)
        assert.equal(status?.reason, partial ? 'PartiallyApplied' : 'InvalidManifests')
        assert.deepEqual(status?.inventory ?? [], partial ? ['configmaps/default/good'] : [])
        assert.equal(status?.appliedRevision, undefined)
      })

  test('prunes nothing while it is partial and something is wrong', async () => {
    world.origin('web').set({ 'a.yaml': map('a'), 'b.yaml': map('b') })
    await world.create('web', { partial: true, prune: true })
    await world.settle()
    world.origin('web').set({ 'a.yaml': map('a', 'two'), 'b.yaml': '[' })
    await world.settle()
    assert.deepEqual(await world.values(), { a: 'two', b: 'one' })
    assert.deepEqual((await world.source('web')).status?.inventory, ['configmaps/default/a', 'configmaps/default/b'])
  })

  test('applies what others need first, and brings namespaces along', async () => {
    const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: prod\n'
    world.origin('web').set({ 'a.yaml': map('a', 'one', { namespace: 'prod' }), 'z.yaml': namespace })
    await world.create('web')
    await world.settle()
    assert.deepEqual(await world.values('prod'), { a: 'one' })
    assert.deepEqual((await world.source('web')).status?.inventory, ['configmaps/prod/a', 'namespaces//prod'])
  })

  test('checks the schema of what lies in a namespace that comes along, before anything is written', async () => {
    const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: prod\n'
    world.origin('web').set({ 'a.yaml': BAD.replace('name: bad', 'name: bad\n  namespace: prod'), 'z.yaml': namespace })
    await world.create('web')
    await world.settle()
    assert.equal(await world.ready('web'), 'False InvalidManifests')
    assert.equal(await world.find('Namespace', 'prod'), undefined)
  })

  test('puts what names no namespace into targetNamespace', async () => {
    await world.env.client.for('Namespace').create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'prod' } })
    world.origin('web').set({ 'a.yaml': map('a') })
    await world.create('web', { targetNamespace: 'prod' })
    await world.settle()
    assert.deepEqual(await world.values('prod'), { a: 'one' })
    assert.deepEqual(await world.values(), {})
  })

  test('adopts an object that a person made, and takes the fields that it names', async () => {
    const apply = (value: object) =>
      world.env.client.for('ConfigMap').patch({ name: 'a' }, { type: 'apply', value }, { fieldManager: 'kubectl' })
    await apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { value: 'theirs', more: 'kept' } })
    world.origin('web').set({ 'a.yaml': map('a') })
    await world.create('web')
    await world.settle()
    assert.equal(await world.ready('web'), 'True Applied')
    const object = await world.find('ConfigMap', 'a')
    assert.deepEqual(object?.data, { value: 'one', more: 'kept' })
    assert.equal(labelsOf(object), LABELS)
    assert.deepEqual(await world.events('DriftRestored'), [], 'that is no drift')
  })

  test('may apply another source, and its objects come after it', async () => {
    world.origin('inner').set({ 'a.yaml': map('a') })
    world
      .origin('web')
      .set({ 'inner.yaml': 'apiVersion: pmk.dev/v1\nkind: ManifestSource\nmetadata: {name: inner}\nspec: {path: /inner}\n' })
    await world.create('web')
    await world.settle()
    assert.equal(await world.ready('inner'), 'True Applied')
    assert.equal(labelsOf(await world.source('inner')), LABELS)
    assert.equal(labelsOf(await world.find('ConfigMap', 'a')), LABELS.replace('web', 'inner'))
    const { resourceVersion } = (await world.source('web')).metadata
    await world.env.clock.advance(120_000)
    assert.equal((await world.source('web')).metadata.resourceVersion, resourceVersion, 'the status of the inner one is no drift')
  })

  test('applies again when variables change, also when that was while the server was down', async () => {
    const settings = (value: string) => ({
      apiVersion: 'v1' as const,
      kind: 'ConfigMap' as const,
      metadata: { name: 'settings' },
      data: { VALUE: value },
    })
    await world.env.client.for('ConfigMap').create(settings('red'))
    world.origin('web').set({ 'a.yaml': map('a', `\${VALUE}`) })
    await world.create('web', {
      substitute: { from: [{ kind: 'ConfigMap', name: 'settings', optional: false }], values: {} },
      drift: 'Report',
    })
    await world.settle()
    assert.equal((await world.values()).a, 'red')
    await world.edit('person', 'settings', { VALUE: 'green' })
    await world.settle()
    assert.equal((await world.values()).a, 'green')
    const restarted = world.env.restartControllers()
    await world.edit('person', 'settings', { VALUE: 'blue' })
    await restarted
    await world.settle()
    assert.equal((await world.values()).a, 'blue')
    assert.deepEqual(await world.events('DriftFound'), [])
    await world.env.client.for('ConfigMap').delete({ name: 'settings' })
    await world.settle()
    assert.equal(await world.ready('web'), 'False VariablesNotFound')
    assert.equal((await world.values()).a, 'blue')
  })

  test('does nothing while it is suspended, and goes on afterwards', async () => {
    world.origin('web').set({ 'a.yaml': map('a') })
    await world.create('web')
    await world.settle()
    await world.change('web', { suspend: true })
    await world.settle()
    world.origin('web').set({ 'a.yaml': map('a', 'two'), 'b.yaml': map('b') })
    await world.edit('person', 'a', { value: 'theirs' })
    await world.env.clock.advance(120_000)
    assert.deepEqual(await world.values(), { a: 'theirs' })
    assert.equal(await world.ready('web'), 'True Suspended')
    await world.change('web', { suspend: false })
    await world.settle()
    assert.deepEqual(await world.values(), { a: 'two', b: 'one' })
    assert.equal(await world.ready('web'), 'True Applied')
  })

  test('tells when a pass takes longer than its timeout, and goes on with the next', async () => {
    const origin = world.origin('web')
    origin.set({ 'a.yaml': map('a') })
    let open = (): void => {}
    origin.gate = new Promise((resolve) => {
      open = resolve
    })
    await world.create('web', { timeout: '5s', interval: '10s' })
    await world.env.clock.advance(5_000)
    assert.equal(await world.ready('web'), 'False TimedOut')
    open()
    await world.env.clock.advance(10_000)
    await world.settle()
    assert.equal(await world.ready('web'), 'True Applied')
    assert.deepEqual(await world.values(), { a: 'one' })
  })

  test('waits for an object that is being deleted to be gone, and makes it anew then', async () => {
    await world.env.client
      .for('ConfigMap')
      .create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', finalizers: ['example.org/wait'] } })
    await world.env.client.for('ConfigMap').delete({ name: 'a' })
    world.origin('web').set({ 'a.yaml': map('a') })
    await world.create('web', { drift: 'Report' })
    await world.settle()
    assert.equal(await world.ready('web'), 'False WaitingForDeletion')
    await world.env.client.for('ConfigMap').patch({ name: 'a' }, { type: 'merge', value: { metadata: { finalizers: null } } })
    await world.env.clock.advance(60_000)
    await world.settle()
    assert.equal(await world.ready('web'), 'True Applied')
    assert.deepEqual(await world.values(), { a: 'one' })
  })

  test('tells once of what the server refuses only when it is written, however often it is tried', async () => {
    let isDown = true
    const refusing = (client: Client): Client => ({
      for: (kind) => {
        const inner = client.for(kind)
        return {
          ...bound(inner),
          patch: async (ref, patch, options = {}) => {
            if (isDown && kind === 'ConfigMap' && options.dryRun !== true) throw apiError('Forbidden', 'the quota is used up')
            return await inner.patch(ref, patch, options)
          },
        }
      },
    })
    await world.stop()
    world = await SourceWorld.start({ wrapSource: refusing })
    world.origin('web').set({ 'a.yaml': map('a') })
    await world.create('web', { interval: '10s' })
    await world.env.clock.advance(60_000)
    assert.equal((await world.source('web')).status?.message, 'Nothing was changed. a.yaml:1: the quota is used up')
    assert.deepEqual(
      (await world.events('InvalidManifests')).map(({ count }) => count),
      [1],
    )
    isDown = false
    await world.env.clock.advance(10_000)
    assert.equal(await world.ready('web'), 'True Applied')
  })
})

function bound<T extends ApiObject>(client: ResourceClient<T>): ResourceClient<T> {
  return {
    get: client.get.bind(client),
    list: client.list.bind(client),
    watch: client.watch.bind(client),
    create: client.create.bind(client),
    update: client.update.bind(client),
    updateStatus: client.updateStatus.bind(client),
    patch: client.patch.bind(client),
    delete: client.delete.bind(client),
  }
}
