import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ApiObject, New } from '../../src/api/object.ts'
import { ApiError, hasReason, type StatusReason } from '../../src/api/status.ts'
import type { WatchEvent } from '../../src/api/watch-event.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { Client, Ref, WatchOptions } from '../../src/client/client.ts'
import type { ConfigMap, Instance, Process } from '../../src/generated/types.ts'
import { eventually } from '../support/eventually.ts'

export interface ClientHarness {
  /** Of an empty server, with a field manager that is called `conformance`. */
  readonly client: Client
  /** Ends everything and removes what is left. */
  readonly dispose: () => Promise<void>
}

type It = (title: string, fn: (client: Client) => Promise<void>) => void

/** The contract of Client: every implementation passes it. */
export function describeClient(name: string, open: () => Promise<ClientHarness>): void {
  const it: It = (title, fn) => {
    test(title, { timeout: 60_000 }, async () => {
      const { client, dispose } = await open()
      try {
        await fn(client)
      } finally {
        await dispose()
      }
    })
  }
  describe(name, () => {
    describe('creating and reading', () => describeReads(it))
    describe('changing', () => describeChanges(it))
    describe('patching', () => describePatches(it))
    describe('applying', () => describeApply(it))
    describe('deleting', () => describeDeletes(it))
    describe('dry runs', () => describeDryRuns(it))
    describe('lists in pages', () => describePages(it))
    describe('watching', () => describeWatches(it))
  })
}

function describeReads(it: It): void {
  it('a created object has a uid, a time, generation 1, a resourceVersion, its defaults and its finalizer', async (client) => {
    const made = await client.for('Process').create(process('web'))
    assert.match(made.metadata.uid, /^[0-9a-f-]{36}$/)
    assert.match(made.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    assert.match(made.metadata.resourceVersion, /^[1-9][0-9]*$/)
    assert.equal(made.metadata.generation, 1)
    assert.equal(made.metadata.namespace, 'default')
    assert.deepEqual(made.metadata.finalizers, ['pmk.dev/stop'])
    assert.equal(made.spec.replicas, 1)
    assert.equal(made.spec.stopSignal, 'TERM')
    assert.deepEqual(await client.for('Process').get(refOf(made)), made)
    assert.deepEqual((await client.for('Process').list({ namespace: 'default' })).items, [made])
  })

  it('what the server sets can not be brought along, and the status of a new object is dropped', async (client) => {
    const made = await client.for('Process').create({
      ...process('web'),
      metadata: { name: 'web', namespace: 'default', uid: 'mine', generation: 7, creationTimestamp: '2001-01-01T00:00:00Z' },
      status: { replicas: 5 },
    } as New<Process>)
    assert.notEqual(made.metadata.uid, 'mine')
    assert.equal(made.metadata.generation, 1)
    assert.notEqual(made.metadata.creationTimestamp, '2001-01-01T00:00:00Z')
    assert.equal(made.status, undefined)
  })

  it('a name is generated from its prefix', async (client) => {
    const metadata = { generateName: 'web-', namespace: 'default' }
    const made = await client.for('ConfigMap').create({ apiVersion: 'v1', kind: 'ConfigMap', metadata })
    assert.match(made.metadata.name, /^web-[b-df-hj-np-tv-z2-9]{5}$/)
  })

  it('a second object of the same name is refused, and so is one in a namespace that is not there', async (client) => {
    await client.for('ConfigMap').create(configMap('one'))
    const twice = await failure(client.for('ConfigMap').create(configMap('one')), 'AlreadyExists')
    assert.equal(twice.message, 'configmaps "one" already exists')
    const nowhere = await failure(client.for('ConfigMap').create(configMap('one', {}, 'nowhere')), 'NotFound')
    assert.equal(nowhere.message, 'namespaces "nowhere" not found')
  })

  it('an object that is not there is NotFound, with its name and its resource', async (client) => {
    const err = await failure(client.for('Process').get({ namespace: 'default', name: 'web' }), 'NotFound')
    assert.equal(err.message, 'processes.pmk.dev "web" not found')
    assert.deepEqual(err.status.details, { name: 'web', group: 'pmk.dev', kind: 'processes' })
  })

  it('bad fields are refused with one cause for each', async (client) => {
    const spec = { replicas: -1, livenessProbe: {} }
    const err = await failure(client.for('Process').create({ ...process('web'), spec } as New<Process>), 'Invalid')
    assert.deepEqual(err.status.details?.causes?.map((cause) => cause.field).sort(), ['spec.replicas'])
    const rules = await failure(client.for('Process').create({ ...process('web'), spec: { livenessProbe: {} } }), 'Invalid')
    assert.deepEqual(rules.status.details?.causes?.map((cause) => cause.field).sort(), ['spec.command', 'spec.livenessProbe'])
    assert.equal(rules.status.details?.kind, 'Process')
  })

  it('lists are sorted, and selected by namespace, labels and fields', async (client) => {
    await client.for('Namespace').create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } })
    const maps = client.for('ConfigMap')
    for (const name of ['b', 'a', 'c']) await maps.create(configMap(name, { color: name === 'c' ? 'red' : 'blue' }))
    await maps.create(configMap('a', { color: 'red' }, 'other'))
    assert.deepEqual(names(await maps.list()), ['default/a', 'default/b', 'default/c', 'other/a'])
    assert.deepEqual(names(await maps.list({ namespace: 'other' })), ['other/a'])
    assert.deepEqual(names(await maps.list({ namespace: 'nowhere' })), [])
    assert.deepEqual(names(await maps.list({ labelSelector: 'color=red' })), ['default/c', 'other/a'])
    assert.deepEqual(names(await maps.list({ labelSelector: 'color notin (red)' })), ['default/a', 'default/b'])
    assert.deepEqual(names(await maps.list({ fieldSelector: 'metadata.name=a,metadata.namespace!=other' })), ['default/a'])
    await failure(maps.list({ labelSelector: 'color==(' }), 'BadRequest')
    await failure(maps.list({ fieldSelector: 'data.x=1' }), 'BadRequest')
  })
}

function describeChanges(it: It): void {
  it('a change of the spec raises the generation; labels and status do not', async (client) => {
    const processes = client.for('Process')
    const made = await processes.create(process('web'))
    const labelled = await processes.update({ ...made, metadata: { ...made.metadata, labels: { app: 'x' } } })
    assert.equal(labelled.metadata.generation, 1)
    const scaled = await processes.update({ ...labelled, spec: { ...labelled.spec, replicas: 3 } })
    assert.equal(scaled.metadata.generation, 2)
    const reported = await processes.updateStatus({ ...scaled, status: { replicas: 3 } })
    assert.equal(reported.metadata.generation, 2)
    assert.equal(reported.status?.replicas, 3)
    assert.ok(Number(reported.metadata.resourceVersion) > Number(scaled.metadata.resourceVersion))
  })

  it('spec and status have their own ways in and leave each other alone', async (client) => {
    const processes = client.for('Process')
    const made = await processes.create(process('web'))
    const reported = await processes.updateStatus({ ...made, spec: { ...made.spec, replicas: 9 }, status: { replicas: 1 } })
    assert.equal(reported.spec.replicas, 1)
    const updated = await processes.update({ ...reported, spec: { ...reported.spec, replicas: 2 }, status: { replicas: 8 } })
    assert.equal(updated.spec.replicas, 2)
    assert.equal(updated.status?.replicas, 1)
  })

  it('an update of an older version is a Conflict, one without a version is Invalid for our own kinds', async (client) => {
    const processes = client.for('Process')
    const made = await processes.create(process('web'))
    const newer = await processes.update({ ...made, spec: { ...made.spec, replicas: 2 } })
    const stale = await failure(processes.update({ ...made, spec: { ...made.spec, replicas: 3 } }), 'Conflict')
    assert.match(stale.message, /^Operation cannot be fulfilled on processes\.pmk\.dev "web": the object has been modified; please apply/)
    await failure(processes.updateStatus({ ...made, status: {}, spec: made.spec }), 'Conflict')
    const { resourceVersion: _, ...metadata } = newer.metadata
    const without = await failure(processes.update({ ...newer, metadata } as unknown as Process), 'Invalid')
    assert.deepEqual(
      without.status.details?.causes?.map((cause) => cause.field),
      ['metadata.resourceVersion'],
    )
  })

  it('a write that changes nothing keeps the resourceVersion', async (client) => {
    const processes = client.for('Process')
    const made = await processes.create(process('web'))
    const { resourceVersion } = made.metadata
    assert.equal((await processes.update(made)).metadata.resourceVersion, resourceVersion)
    const same = await processes.patch(refOf(made), { type: 'merge', value: { spec: { replicas: 1 } } })
    assert.equal(same.metadata.resourceVersion, resourceVersion)
    const reported = await processes.updateStatus({ ...made, status: { replicas: 1 } })
    const again = await processes.updateStatus({ ...reported, status: { replicas: 1 } })
    assert.equal(again.metadata.resourceVersion, reported.metadata.resourceVersion)
  })

  it('an object under another uid is somebody else, and metadata of the server can not be changed', async (client) => {
    const processes = client.for('Process')
    const made = await processes.create(process('web'))
    await failure(processes.update({ ...made, metadata: { ...made.metadata, uid: 'another' } }), 'Conflict')
    const moved = { ...made, metadata: { ...made.metadata, creationTimestamp: '2001-01-01T00:00:00Z' } }
    await failure(processes.update(moved), 'Invalid')
    await failure(processes.update({ ...made, metadata: { ...made.metadata, name: 'gone' } }), 'NotFound')
  })

  it('texts of a Secret become data, and an immutable one stays as it is', async (client) => {
    const secrets = client.for('Secret')
    const made = await secrets.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'db', namespace: 'default' },
      stringData: { password: 'hunter2' },
      immutable: true,
    })
    assert.deepEqual(made.data, { password: Buffer.from('hunter2').toString('base64') })
    assert.equal(made.stringData, undefined)
    const err = await failure(secrets.update({ ...made, data: { password: 'eA==' } }), 'Invalid')
    assert.doesNotMatch(JSON.stringify(err.status), /hunter2|eA==/)
  })
}

function describePatches(it: It): void {
  it('a merge patch changes what it names and null removes', async (client) => {
    const maps = client.for('ConfigMap')
    await maps.create({ ...configMap('one'), data: { a: '1', b: '2' } })
    const patched = await maps.patch(ref('one'), { type: 'merge', value: { data: { a: null, c: '3' } } })
    assert.deepEqual(patched.data, { b: '2', c: '3' })
  })

  it('a JSON patch is carried out in order, and a failing test leaves everything as it was', async (client) => {
    const maps = client.for('ConfigMap')
    const made = await maps.create({ ...configMap('one'), data: { a: '1' } })
    const test = { op: 'test', path: '/data/a', value: '1' }
    const patched = await maps.patch(ref('one'), { type: 'json', operations: [test, { op: 'replace', path: '/data/a', value: '2' }] })
    assert.deepEqual(patched.data, { a: '2' })
    const failing = { type: 'json', operations: [{ op: 'remove', path: '/data/a' }, test] } as const
    await failure(maps.patch(ref('one'), failing), 'Invalid')
    assert.deepEqual((await maps.get(refOf(made))).data, { a: '2' })
  })

  it('a patch that names a resourceVersion holds only for that one', async (client) => {
    const maps = client.for('ConfigMap')
    const made = await maps.create(configMap('one'))
    const locked = { metadata: { resourceVersion: made.metadata.resourceVersion } }
    await maps.patch(ref('one'), { type: 'merge', value: { ...locked, data: { a: '1' } } })
    await failure(maps.patch(ref('one'), { type: 'merge', value: { ...locked, data: { a: '2' } } }), 'Conflict')
  })

  it('forty patches of one object at the same time all succeed', async (client) => {
    const maps = client.for('ConfigMap')
    await maps.create(configMap('one'))
    const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`)
    await Promise.all(keys.map((key) => maps.patch(ref('one'), { type: 'merge', value: { data: { [key]: 'x' } } })))
    assert.deepEqual(Object.keys((await maps.get(ref('one'))).data ?? {}).sort(), keys.sort())
  })

  it('unknown fields are refused when asked to be strict, and the status is patched by its own way', async (client) => {
    const processes = client.for('Process')
    await processes.create(process('web'))
    const bogus = { type: 'merge', value: { spec: { bogus: 1 } } } as const
    const err = await failure(processes.patch(ref('web'), bogus, { fieldValidation: 'Strict' }), 'Invalid')
    assert.match(err.message, /unknown field "spec\.bogus"/)
    const value = { spec: { replicas: 5 }, status: { replicas: 4 } }
    const patched = await processes.patch(ref('web'), { type: 'merge', value }, { subresource: 'status' })
    assert.equal(patched.spec.replicas, 1)
    assert.equal(patched.status?.replicas, 4)
  })

  it('scale changes the replicas and raises the generation', async (client) => {
    const processes = client.for('Process')
    await processes.create(process('web'))
    const four = { type: 'merge', value: { spec: { replicas: 4 } } } as const
    const tried = await processes.patch(ref('web'), four, { subresource: 'scale', dryRun: true })
    assert.deepEqual([tried.kind, tried.spec.replicas], ['Process', 1])
    const scaled = await processes.patch(ref('web'), four, { subresource: 'scale' })
    assert.deepEqual(scaled, await processes.get(ref('web')))
    assert.equal(scaled.spec.replicas, 4)
    assert.equal(scaled.metadata.generation, 2)
    const negative = processes.patch(ref('web'), { type: 'merge', value: { spec: { replicas: -1 } } }, { subresource: 'scale' })
    await failure(negative, 'Invalid')
  })
}

function describeApply(it: It): void {
  const applied = (value: object, force?: boolean) => ({ type: 'apply', value, ...(force === undefined ? {} : { force }) }) as const

  it('applying creates what is not there and then changes it', async (client) => {
    const processes = client.for('Process')
    const made = await processes.patch(ref('web'), applied(process('web')), { fieldManager: 'one' })
    assert.equal(made.metadata.generation, 1)
    const entry = made.metadata.managedFields?.find(({ manager }) => manager === 'one')
    assert.equal(entry?.operation, 'Apply')
    const same = await processes.patch(ref('web'), applied(process('web')), { fieldManager: 'one' })
    assert.equal(same.metadata.resourceVersion, made.metadata.resourceVersion)
    const spec = { ...process('web').spec, replicas: 2 }
    const changed = await processes.patch(ref('web'), applied({ ...process('web'), spec }), { fieldManager: 'one' })
    assert.equal(changed.spec.replicas, 2)
    assert.equal(changed.metadata.generation, 2)
  })

  it('what is no longer applied goes, and back to its default', async (client) => {
    const processes = client.for('Process')
    const spec = { ...process('web').spec, replicas: 2, description: 'A shop' }
    await processes.patch(ref('web'), applied({ ...process('web'), spec }), { fieldManager: 'one' })
    const less = await processes.patch(ref('web'), applied(process('web')), { fieldManager: 'one' })
    assert.equal(less.spec.replicas, 1)
    assert.equal(less.spec.description, undefined)
  })

  it('fields of another manager conflict, and force takes them', async (client) => {
    const maps = client.for('ConfigMap')
    const map = (a: string): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one' }, data: { a } })
    await maps.patch(ref('one'), applied(map('1')), { fieldManager: 'one' })
    const err = await failure(maps.patch(ref('one'), applied(map('2')), { fieldManager: 'two' }), 'Conflict')
    assert.equal(err.message, 'Apply failed with 1 conflict: conflict with "one": .data.a')
    assert.deepEqual(err.status.details?.causes, [{ reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.a' }])
    const forced = await maps.patch(ref('one'), applied(map('2'), true), { fieldManager: 'two' })
    assert.deepEqual(forced.data, { a: '2' })
    await maps.patch(ref('one'), applied({ ...map('2'), data: {} }), { fieldManager: 'one' })
    assert.deepEqual((await maps.get(ref('one'))).data, { a: '2' })
  })

  it('an update takes fields over without asking, and says so in managedFields', async (client) => {
    const maps = client.for('ConfigMap')
    const value = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one' }, data: { a: '1', b: '1' } }
    const made = await maps.patch(ref('one'), applied(value), { fieldManager: 'one' })
    const updated = await maps.update({ ...made, data: { a: '2', b: '1' } }, { fieldManager: 'two' })
    const owners = Object.fromEntries((updated.metadata.managedFields ?? []).map((entry) => [entry.manager, entry.fieldsV1]))
    assert.deepEqual(owners, { one: { 'f:data': { 'f:b': {} } }, two: { 'f:data': { 'f:a': {} } } })
  })
}

function describeDeletes(it: It): void {
  it('an object without finalizers is gone at once', async (client) => {
    const made = await client.for('ConfigMap').create(configMap('one'))
    assert.equal(await client.for('ConfigMap').delete(refOf(made)), undefined)
    await failure(client.for('ConfigMap').get(refOf(made)), 'NotFound')
    await failure(client.for('ConfigMap').delete(refOf(made)), 'NotFound')
  })

  it('finalizers keep an object, which takes no new ones, until the last is removed', async (client) => {
    const processes = client.for('Process')
    const made = await processes.create(process('web'))
    const deleted = await processes.delete(refOf(made))
    assert.ok(deleted?.metadata.deletionTimestamp !== undefined)
    assert.equal(deleted.metadata.generation, 2)
    const again = await processes.delete(refOf(made))
    assert.equal(again?.metadata.resourceVersion, deleted.metadata.resourceVersion)
    const finalizers = [...(deleted.metadata.finalizers ?? []), 'example.com/more']
    await failure(processes.update({ ...deleted, metadata: { ...deleted.metadata, finalizers } }), 'Invalid')
    const last = await processes.update({ ...deleted, metadata: { ...deleted.metadata, finalizers: [] } })
    assert.equal(last.metadata.uid, made.metadata.uid)
    await failure(processes.get(refOf(made)), 'NotFound')
  })

  it('a grace period can be made shorter and never longer', async (client) => {
    const processes = client.for('Process')
    await processes.create(process('web'))
    assert.equal((await processes.delete(ref('web'), { gracePeriodSeconds: 30 }))?.metadata.deletionGracePeriodSeconds, 30)
    assert.equal((await processes.delete(ref('web'), { gracePeriodSeconds: 60 }))?.metadata.deletionGracePeriodSeconds, 30)
    assert.equal((await processes.delete(ref('web'), { gracePeriodSeconds: 0 }))?.metadata.deletionGracePeriodSeconds, 0)
  })

  it('the policy of propagation becomes a finalizer', async (client) => {
    const maps = client.for('ConfigMap')
    for (const name of ['front', 'orphans', 'back']) await maps.create(configMap(name))
    assert.deepEqual((await maps.delete(ref('front'), { propagation: 'Foreground' }))?.metadata.finalizers, ['foregroundDeletion'])
    assert.deepEqual((await maps.delete(ref('orphans'), { propagation: 'Orphan' }))?.metadata.finalizers, ['orphan'])
    assert.equal(await maps.delete(ref('back'), { propagation: 'Background' }), undefined)
  })

  it('a deletion can be bound to a uid and to a version', async (client) => {
    const maps = client.for('ConfigMap')
    const made = await maps.create(configMap('one'))
    await failure(maps.delete(ref('one'), { uid: 'another' }), 'Conflict')
    await failure(maps.delete(ref('one'), { resourceVersion: '1' }), 'Conflict')
    const { uid, resourceVersion } = made.metadata
    assert.equal(await maps.delete(ref('one'), { uid, resourceVersion }), undefined)
  })

  it('owner references are kept, and only one owner can be the controller', async (client) => {
    const owner = await client.for('Process').create(process('web'))
    const reference = { apiVersion: 'pmk.dev/v1', kind: 'Process', name: 'web', uid: owner.metadata.uid, controller: true }
    const made = await client.for('ConfigMap').create({
      ...configMap('one'),
      metadata: { name: 'one', namespace: 'default', ownerReferences: [{ ...reference, blockOwnerDeletion: true }] },
    })
    assert.deepEqual(made.metadata.ownerReferences, [{ ...reference, blockOwnerDeletion: true }])
    const ownerReferences = [reference, { ...reference, uid: 'another' }]
    await failure(client.for('ConfigMap').update({ ...made, metadata: { ...made.metadata, ownerReferences } }), 'Invalid')
  })

  it('a namespace is terminating until it is empty and its finalizer is removed; default stays', async (client) => {
    const namespaces = client.for('Namespace')
    await failure(namespaces.delete({ name: 'default' }), 'Forbidden')
    const made = await namespaces.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } })
    assert.equal(made.status?.phase, 'Active')
    await client.for('ConfigMap').create(configMap('one', {}, 'shop'))
    const going = await namespaces.delete({ name: 'shop' })
    assert.ok(going)
    assert.equal(going.status?.phase, 'Terminating')
    const err = await failure(client.for('ConfigMap').create(configMap('two', {}, 'shop')), 'Forbidden')
    assert.equal(err.status.details?.causes?.[0]?.reason, 'NamespaceTerminating')
    await failure(namespaces.update({ ...going, spec: { finalizers: [] } }), 'Conflict')
    await client.for('ConfigMap').delete({ namespace: 'shop', name: 'one' })
    await namespaces.update({ ...going, spec: { finalizers: [] } })
    await failure(namespaces.get({ name: 'shop' }), 'NotFound')
  })
}

function describeDryRuns(it: It): void {
  it('every verb answers as if it were done, and nothing is stored', async (client) => {
    const processes = client.for('Process')
    const made = await processes.create(process('web'))
    const before = await processes.list()
    const created = await processes.create(process('other'), { dryRun: true })
    assert.ok(created.metadata.uid)
    assert.equal(created.metadata.resourceVersion, undefined)
    const updated = await processes.update({ ...made, spec: { ...made.spec, replicas: 2 } }, { dryRun: true })
    assert.equal(updated.spec.replicas, 2)
    assert.equal(updated.metadata.generation, 2)
    const reported = await processes.updateStatus({ ...made, status: { replicas: 1 } }, { dryRun: true })
    assert.equal(reported.status?.replicas, 1)
    const merge = { type: 'merge', value: { spec: { replicas: 3 } } } as const
    assert.equal((await processes.patch(ref('web'), merge, { dryRun: true })).spec.replicas, 3)
    const apply = { type: 'apply', value: process('third') } as const
    assert.equal((await processes.patch(ref('third'), apply, { dryRun: true })).metadata.name, 'third')
    assert.ok((await processes.delete(ref('web'), { dryRun: true }))?.metadata.deletionTimestamp)
    await failure(processes.create(process('web'), { dryRun: true }), 'AlreadyExists')
    assert.deepEqual(await processes.list(), before)
  })
}

function describePages(it: It): void {
  it('a list in pages under changes is the state of its first page', async (client) => {
    const maps = client.for('ConfigMap')
    for (let index = 0; index < 10; index++) await maps.create(configMap(`map-${index}`, { parity: index % 2 === 0 ? 'even' : 'odd' }))
    for (const labelSelector of [undefined, 'parity=even']) {
      const options = labelSelector === undefined ? {} : { labelSelector }
      const whole = await maps.list(options)
      const pages: string[] = []
      let page = await maps.list({ ...options, limit: 3 })
      for (let step = 0; ; step++) {
        assert.equal(page.resourceVersion, whole.resourceVersion)
        pages.push(...page.items.map((item) => `${item.metadata.name}@${item.metadata.resourceVersion}`))
        if (page.continue === undefined) break
        await maps.patch(ref(`map-${9 - step}`), { type: 'merge', value: { data: { step: `${labelSelector} ${step}` } } })
        page = await maps.list({ ...options, limit: 3, continue: page.continue })
      }
      assert.deepEqual(
        pages,
        whole.items.map((item) => `${item.metadata.name}@${item.metadata.resourceVersion}`),
      )
    }
  })

  it('a token that is none, or is one of another list, is refused', async (client) => {
    for (const name of ['a', 'b']) await client.for('ConfigMap').create(configMap(name))
    const page = await client.for('ConfigMap').list({ limit: 1 })
    assert.ok(page.continue)
    await failure(client.for('Secret').list({ limit: 1, continue: page.continue }), 'BadRequest')
    await failure(client.for('ConfigMap').list({ limit: 1, continue: 'nonsense' }), 'BadRequest')
  })
}

function describeWatches(it: It): void {
  it('a watch gives the present state, says where it ends, and goes on with each change', async (client) => {
    const processes = client.for('Process')
    const made = await processes.create(process('web'))
    const watch = open(client, 'Process', {})
    assert.deepEqual(await watch.next(), { type: 'ADDED', object: made })
    const end = await watch.next()
    assert.ok(end.type === 'BOOKMARK' && end.initialEventsEnd === true)
    const changed = await processes.patch(ref('web'), { type: 'merge', value: { spec: { replicas: 2 } } })
    assert.deepEqual(await watch.next(), { type: 'MODIFIED', object: changed })
    const deleted = await processes.delete(ref('web'))
    assert.deepEqual(await watch.next(), { type: 'MODIFIED', object: deleted })
    await processes.patch(ref('web'), { type: 'merge', value: { metadata: { finalizers: null } } })
    const gone = await watch.next()
    assert.ok(gone.type === 'DELETED')
    assert.equal(gone.object.metadata.uid, made.metadata.uid)
    assert.ok(Number(gone.object.metadata.resourceVersion) > Number(deleted?.metadata.resourceVersion))
    await watch.close()
  })

  it('a watch from a resourceVersion gives what came after it and nothing else', async (client) => {
    const maps = client.for('ConfigMap')
    await maps.create(configMap('old'))
    const { resourceVersion } = await maps.list()
    const made = await maps.create(configMap('new'))
    const watch = open(client, 'ConfigMap', { resourceVersion })
    assert.deepEqual(await watch.next(), { type: 'ADDED', object: made })
    await watch.close()
  })

  it('what enters a selection is ADDED, what leaves it is DELETED as it was, and the rest is not seen', async (client) => {
    const maps = client.for('ConfigMap')
    await maps.create(configMap('one', { color: 'red' }))
    await maps.create(configMap('two', { color: 'blue' }))
    const { resourceVersion } = await maps.list()
    const watch = open(client, 'ConfigMap', { resourceVersion, labelSelector: 'color=red' })
    const paint = (name: string, color: string): Promise<ConfigMap> =>
      maps.patch(ref(name), { type: 'merge', value: { metadata: { labels: { color } } } })
    await paint('two', 'green')
    const entered = await paint('two', 'red')
    assert.deepEqual(await watch.next(), { type: 'ADDED', object: entered })
    const left = await paint('one', 'blue')
    const event = await watch.next()
    assert.ok(event.type === 'DELETED')
    assert.equal(event.object.metadata.labels?.color, 'red')
    assert.equal(event.object.metadata.resourceVersion, left.metadata.resourceVersion)
    await maps.delete(ref('one'))
    const stayed = await maps.patch(ref('two'), { type: 'merge', value: { data: { a: '1' } } })
    assert.deepEqual(await watch.next(), { type: 'MODIFIED', object: stayed })
    await watch.close()
  })

  it('a watch by a field sees only the one', async (client) => {
    const instances = client.for('Instance')
    const { resourceVersion } = await instances.list()
    const watch = open(client, 'Instance', { resourceVersion, fieldSelector: 'spec.nodeName=here' })
    await instances.create(instance('web-0', 'there'))
    const made = await instances.create(instance('web-1', 'here'))
    assert.deepEqual(await watch.next(), { type: 'ADDED', object: made })
    await watch.close()
  })

  it('a watch ends quietly with its signal, and says what is wrong with its question', async (client) => {
    const watch = open(client, 'ConfigMap', {})
    assert.equal((await watch.next()).type, 'BOOKMARK')
    await watch.close()
    await failure(open(client, 'ConfigMap', { labelSelector: '=' }).next(), 'BadRequest')
    await failure(open(client, 'ConfigMap', { resourceVersion: 'x' }).next(), 'BadRequest')
  })

  it('watches with selectors, broken off and resumed at random, agree with a model under random writers', async (client) => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    try {
      await agreeWithModel(client, seed)
    } catch (err) {
      throw new Error(`seed ${seed}`, { cause: err })
    }
  })
}

/** Who sees what: the model has the same question as the server, in a form that can't share a mistake with it. */
const VIEWS: readonly { readonly options: Omit<WatchOptions, 'signal'>; readonly sees: (map: ConfigMap) => boolean }[] = [
  { options: {}, sees: () => true },
  { options: { namespace: 'other' }, sees: (map) => map.metadata.namespace === 'other' },
  { options: { labelSelector: 'color=red' }, sees: (map) => map.metadata.labels?.color === 'red' },
  { options: { labelSelector: 'color!=red', namespace: 'default' }, sees: seesPaleDefault },
  { options: { fieldSelector: 'metadata.name=m1' }, sees: (map) => map.metadata.name === 'm1' },
]

function seesPaleDefault(map: ConfigMap): boolean {
  return map.metadata.namespace === 'default' && map.metadata.labels?.color !== 'red'
}

async function agreeWithModel(client: Client, seed: number): Promise<void> {
  const random = seededRandom(seed)
  const maps = client.for('ConfigMap')
  await client.for('Namespace').create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } })
  const start = (await maps.list()).resourceVersion
  const stop = new AbortController()
  const seen = VIEWS.map(() => [] as WatchEvent<ConfigMap>[])
  const watchers = VIEWS.map(({ options }, index) =>
    follow(client, { ...options, resourceVersion: start }, seen[index] ?? [], random, stop.signal),
  )
  const written = new Set<string>()
  let removed = 0
  const note = (map: ConfigMap): void => {
    written.add(map.metadata.resourceVersion)
  }
  const remove = async (target: Ref): Promise<void> => {
    await maps.delete(target)
    removed += 1
  }
  const write = async (): Promise<void> => {
    const target = { name: `m${Math.floor(random() * 4)}`, namespace: random() < 0.5 ? 'default' : 'other' }
    const color = ['red', 'blue', 'green'][Math.floor(random() * 3)] ?? 'red'
    try {
      const dice = random()
      if (dice < 0.35) note(await maps.create(configMap(target.name, { color }, target.namespace)))
      else if (dice < 0.6) await remove(target)
      else if (dice < 0.8) note(await maps.patch(target, { type: 'merge', value: { metadata: { labels: { color } } } }))
      else note(await maps.patch(target, { type: 'merge', value: { data: { n: String(random()) } } }))
    } catch (err) {
      if (!hasReason(err, 'NotFound') && !hasReason(err, 'AlreadyExists') && !hasReason(err, 'Conflict')) throw err
    }
  }
  const writer = async (): Promise<void> => {
    for (let count = 0; count < 60; count++) await write()
  }
  await Promise.all([writer(), writer(), writer(), writer()])
  // Something that each view sees tells it that it has seen everything before.
  for (const namespace of ['default', 'other']) await remove({ name: 'm1', namespace }).catch(ignoreNotFound)
  const marks = [await maps.create(mark('m1', 'blue', 'default')), await maps.create(mark('m1', 'red', 'other'))]
  const last = marks.map((map) => map.metadata.resourceVersion)
  const isMark = (event: WatchEvent<ConfigMap>): boolean => event.type === 'ADDED' && last.includes(event.object.metadata.resourceVersion)
  const wanted = VIEWS.map(({ sees }) => marks.filter(sees).length)
  await eventually(() =>
    assert.deepEqual(
      seen.map((events) => events.filter(isMark).length),
      wanted,
    ),
  )
  stop.abort()
  await Promise.all(watchers)
  const [everything = []] = seen
  for (const [index, { sees }] of VIEWS.entries()) {
    assert.deepEqual((seen[index] ?? []).map(brief), selected(everything, sees).map(brief), `view ${index}`)
  }
  const told = new Set(everything.flatMap((event) => (event.type === 'BOOKMARK' ? [] : [event.object.metadata.resourceVersion])))
  assert.deepEqual(
    [...written].filter((version) => !told.has(version)),
    [],
    'writes that were not told',
  )
  assert.equal(everything.filter(({ type }) => type === 'DELETED').length, removed)
  const finals = replay(everything)
  assert.deepEqual((await maps.list()).items, finals)
}

/** Watches, and breaks off now and then to go on from the last version seen. */
async function follow(
  client: Client,
  options: Omit<WatchOptions, 'signal'>,
  into: WatchEvent<ConfigMap>[],
  random: () => number,
  signal: AbortSignal,
): Promise<void> {
  let resourceVersion = options.resourceVersion ?? ''
  while (!signal.aborted) {
    const part = new AbortController()
    const cut = (): void => part.abort()
    signal.addEventListener('abort', cut, { once: true })
    let left = 1 + Math.floor(random() * 40)
    for await (const event of client.for('ConfigMap').watch({ ...options, resourceVersion, signal: part.signal })) {
      resourceVersion = event.type === 'BOOKMARK' ? event.resourceVersion : event.object.metadata.resourceVersion
      if (event.type === 'BOOKMARK') continue
      into.push(event)
      left -= 1
      if (left === 0) break
    }
    part.abort()
    signal.removeEventListener('abort', cut)
  }
}

/** What a view must have seen, from what a watch of everything saw. */
function selected(events: readonly WatchEvent<ConfigMap>[], sees: (map: ConfigMap) => boolean): WatchEvent<ConfigMap>[] {
  const now = new Map<string, ConfigMap>()
  return events.flatMap((event): WatchEvent<ConfigMap>[] => {
    if (event.type === 'BOOKMARK') return []
    const key = keyOf(event.object)
    const prev = now.get(key)
    if (event.type === 'DELETED') now.delete(key)
    else now.set(key, event.object)
    const did = prev !== undefined && sees(prev)
    const does = event.type !== 'DELETED' && sees(event.object)
    if (does) return [{ type: did ? 'MODIFIED' : 'ADDED', object: event.object }]
    if (!did) return []
    const { resourceVersion } = event.object.metadata
    return [{ type: 'DELETED', object: { ...prev, metadata: { ...prev.metadata, resourceVersion } } }]
  })
}

/** The state that the events lead to. Each must be possible after the one before, and later than it. */
function replay(events: readonly WatchEvent<ConfigMap>[]): readonly ConfigMap[] {
  const now = new Map<string, ConfigMap>()
  let revision = 0
  for (const event of events) {
    if (event.type === 'BOOKMARK') continue
    assert.ok(Number(event.object.metadata.resourceVersion) > revision, 'revisions grow')
    revision = Number(event.object.metadata.resourceVersion)
    const key = keyOf(event.object)
    assert.equal(now.has(key), event.type !== 'ADDED', `${event.type} of ${key}`)
    if (event.type === 'DELETED') now.delete(key)
    else now.set(key, event.object)
  }
  return [...now.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, map]) => map)
}

function brief(event: WatchEvent<ConfigMap>): unknown {
  return event.type === 'BOOKMARK' ? event.type : [event.type, event.object]
}

function keyOf({ metadata }: ApiObject): string {
  return `${metadata.namespace}/${metadata.name}`
}

interface OpenWatch<T> {
  /** The next event but for bookmarks in between. */
  next(): Promise<WatchEvent<T>>
  /** Ends it; fails if it doesn't end quietly. */
  close(): Promise<void>
}

function open<K extends 'Process' | 'ConfigMap' | 'Instance'>(
  client: Client,
  kind: K,
  options: Omit<WatchOptions, 'signal'>,
): OpenWatch<K extends 'Process' ? Process : K extends 'ConfigMap' ? ConfigMap : Instance> {
  type T = K extends 'Process' ? Process : K extends 'ConfigMap' ? ConfigMap : Instance
  const end = new AbortController()
  const events = (client.for(kind).watch({ ...options, signal: end.signal }) as AsyncIterable<WatchEvent<T>>)[Symbol.asyncIterator]()
  return {
    async next() {
      for (;;) {
        const { value, done } = await events.next()
        if (done === true) throw new Error('the watch ended')
        if (value.type !== 'BOOKMARK' || value.initialEventsEnd === true) return value
      }
    },
    async close() {
      end.abort()
      while ((await events.next()).done !== true);
    },
  }
}

async function failure(call: Promise<unknown>, reason: StatusReason): Promise<ApiError> {
  try {
    await call
  } catch (err) {
    if (!(err instanceof ApiError)) throw err
    assert.equal(err.status.reason, reason, err.message)
    return err
  }
  throw new assert.AssertionError({ message: `expected a failure with reason ${reason}` })
}

function ignoreNotFound(err: unknown): void {
  if (!hasReason(err, 'NotFound')) throw err
}

function names({ items }: { readonly items: readonly ApiObject[] }): readonly string[] {
  return items.map(keyOf)
}

function ref(name: string): { readonly namespace: string; readonly name: string } {
  return { namespace: 'default', name }
}

function refOf({ metadata }: ApiObject): { readonly namespace: string; readonly name: string } {
  return { namespace: metadata.namespace ?? 'default', name: metadata.name }
}

function process(name: string): New<Process> {
  return { apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name, namespace: 'default' }, spec: { command: ['sleep', '60'] } }
}

function configMap(name: string, labels: Readonly<Record<string, string>> = {}, namespace = 'default'): New<ConfigMap> {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels } }
}

function mark(name: string, color: string, namespace: string): New<ConfigMap> {
  return { ...configMap(name, { color }, namespace), data: { mark: 'true' } }
}

function instance(name: string, nodeName: string): New<Instance> {
  const template = { command: ['sleep', '60'] as const } as unknown as Instance['spec']['template']
  const spec = { process: 'web', index: 0, nodeName, revision: 'web-1', template }
  return { apiVersion: 'pmk.dev/v1', kind: 'Instance', metadata: { name, namespace: 'default' }, spec }
}
