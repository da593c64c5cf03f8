import assert from 'node:assert/strict'
import test from 'node:test'
import { definitionOf } from '../../../src/api/scheme.ts'
import { ApiError, hasReason } from '../../../src/api/status.ts'
import type { WriteContext } from '../../../src/registry/registry.ts'
import { createRegistry } from '../../../src/registry/resource-registry.ts'
import { context, testRegistry } from './support.ts'

const PROCESSES = definitionOf('Process')
const WEB = { namespace: 'default', name: 'web' }
const web = { apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: WEB, spec: { command: ['true'] } } as const
const body = (value: unknown, duplicates: readonly string[] = []) => ({ value, duplicates })

test('bodies of another kind, version, name or namespace are refused', async () => {
  const { registry } = await testRegistry()
  const refused = async (value: unknown, message: RegExp): Promise<void> => {
    await assert.rejects(registry.create(PROCESSES, 'default', body(value), context), (err) => {
      assert.ok(err instanceof ApiError)
      assert.equal(err.status.code, 400)
      assert.match(err.message, message)
      return true
    })
  }
  await refused('text', /cannot be handled as a Process: the body must be one JSON object/)
  await refused([web], /must be one JSON object/)
  await refused({ ...web, kind: 'Job' }, /cannot be handled as a Process: kind is "Job"/)
  await refused({ ...web, kind: undefined }, /kind is missing/)
  await refused({ ...web, apiVersion: 'pmk.dev/v2' }, /the API version in the data \(pmk\.dev\/v2\) does not match/)
  await refused({ ...web, metadata: { name: 'web', namespace: 'other' } }, /namespace of the provided object does not match/)
  await refused({ ...web, metadata: { name: 'web', resourceVersion: '5' } }, /resourceVersion should not be set/)
  const made = await registry.create(PROCESSES, 'default', body(web), context)
  const renamed = { ...made, metadata: { ...made.metadata, name: 'other' } }
  await assert.rejects(registry.update(PROCESSES, WEB, body(renamed), context), /the name of the object \(other\) does not match/)
})

test('an object without any name is Invalid', async () => {
  const { registry } = await testRegistry()
  const created = registry.create(PROCESSES, 'default', body({ ...web, metadata: {} }), context)
  await assert.rejects(created, /metadata\.name: Required value: name or generateName is required/)
})

test('unknown fields and duplicate keys are refused, warned of or ignored, as asked', async () => {
  const warnings: string[] = []
  const asked = (fieldValidation: WriteContext['fieldValidation']): WriteContext => ({
    ...context,
    fieldValidation,
    warn: (text) => warnings.push(text),
  })
  const value = { ...web, spec: { ...web.spec, bogus: 1 } }
  for (const fieldValidation of ['Strict', 'Warn', 'Ignore'] as const) {
    warnings.length = 0
    const { registry } = await testRegistry()
    const made = await registry
      .create(PROCESSES, 'default', body(value, ['spec.command']), asked(fieldValidation))
      .catch((err: unknown) => err)
    if (fieldValidation === 'Strict') {
      assert.ok(made instanceof ApiError)
      assert.equal(made.status.code, 400)
      assert.match(made.message, /strict decoding error: unknown field "spec\.bogus", duplicate field "spec\.command"$/)
    } else {
      assert.deepEqual(warnings, fieldValidation === 'Warn' ? ['unknown field "spec.bogus"', 'duplicate field "spec.command"'] : [])
      assert.doesNotMatch(JSON.stringify(made), /bogus/)
    }
  }
})

test('a dry run of any verb leaves the store byte for byte as it was', async () => {
  const { registry, store } = await testRegistry()
  const made = await registry.create(PROCESSES, 'default', body(web), context)
  const dry: WriteContext = { ...context, dryRun: true }
  const dump = async (): Promise<string> => JSON.stringify([store.revision(), await store.range('')])
  const before = await dump()
  const scaled = { type: 'merge', value: { spec: { replicas: 5 } } } as const
  const other = { ...web, metadata: { name: 'other', namespace: 'default' } }
  await registry.create(PROCESSES, 'default', body(other), dry)
  await registry.update(PROCESSES, WEB, body({ ...made, spec: { ...made, command: ['false'] } }), { ...dry, fieldValidation: 'Ignore' })
  await registry.update(PROCESSES, WEB, body({ ...made, status: { replicas: 1 } }), dry, 'status')
  await registry.patch(PROCESSES, WEB, scaled, [], dry)
  await registry.patch(PROCESSES, WEB, { type: 'apply', value: web, force: true }, [], { ...dry, fieldManager: 'other' })
  await registry.patch(PROCESSES, { ...WEB, name: 'third' }, { type: 'apply', value: { ...web, metadata: {} } }, [], dry)
  assert.equal((await registry.patchScale(PROCESSES, WEB, scaled, [], dry)).spec.replicas, 5)
  await registry.delete(PROCESSES, WEB, {}, dry)
  await registry.deleteCollection(PROCESSES, { namespace: 'default' }, {}, dry)
  assert.equal(await dump(), before)
})

test('scale answers the replicas, owns them as a subresource, and is locked by a version', async () => {
  const { registry } = await testRegistry()
  const made = await registry.create(PROCESSES, 'default', body(web), { ...context, fieldManager: 'maker' })
  const scale = await registry.getScale(PROCESSES, WEB)
  assert.deepEqual(scale, {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name: 'web',
      namespace: 'default',
      uid: made.metadata.uid,
      resourceVersion: made.metadata.resourceVersion,
      creationTimestamp: made.metadata.creationTimestamp,
    },
    spec: { replicas: 1 },
    status: { replicas: 0 },
  })
  const updated = await registry.updateScale(PROCESSES, WEB, body({ ...scale, spec: { replicas: 3 } }), {
    ...context,
    fieldManager: 'scaler',
  })
  assert.equal(updated.spec.replicas, 3)
  const { metadata } = await registry.get(PROCESSES, WEB)
  assert.equal(metadata.generation, 2)
  const entry = metadata.managedFields?.find(({ subresource }) => subresource === 'scale')
  assert.equal(entry?.manager, 'scaler')
  assert.deepEqual(entry?.fieldsV1, { 'f:spec': { 'f:replicas': {} } })
  const stale = registry.updateScale(PROCESSES, WEB, body({ ...scale, spec: { replicas: 4 } }), context)
  await assert.rejects(stale, (err) => hasReason(err, 'Conflict'))
  const same = await registry.updateScale(PROCESSES, WEB, body(updated), context)
  assert.equal(same.metadata.resourceVersion, updated.metadata.resourceVersion)
  for (const replicas of [-1, 1.5, 'many', null]) {
    const err = await registry
      .updateScale(PROCESSES, WEB, body({ ...updated, spec: { replicas } }), context)
      .catch((caught: unknown) => caught)
    assert.ok(err instanceof ApiError)
    assert.equal(err.status.code, 422)
    assert.match(err.message, /^Scale\.autoscaling "web" is invalid: spec\.replicas: /)
  }
})

test('an applied Scale belongs to its manager, and conflicts with another', async () => {
  const { registry } = await testRegistry()
  await registry.create(PROCESSES, 'default', body(web), context)
  const value = { kind: 'Scale', apiVersion: 'autoscaling/v1', metadata: { name: 'web' }, spec: { replicas: 2 } }
  const apply = (replicas: number, fieldManager: string) =>
    registry.patchScale(PROCESSES, WEB, { type: 'apply', value: { ...value, spec: { replicas } } }, [], { ...context, fieldManager })
  await assert.rejects(apply(2, 'one'), (err) => hasReason(err, 'Conflict'), 'the creator owns the default too')
  const forced = await registry.patchScale(PROCESSES, WEB, { type: 'apply', value, force: true }, [], { ...context, fieldManager: 'one' })
  assert.equal(forced.spec.replicas, 2)
  await assert.rejects(apply(3, 'two'), (err) => hasReason(err, 'Conflict'))
  assert.equal((await apply(4, 'one')).spec.replicas, 4)
})

test('a kind that can not be scaled has no scale', async () => {
  const { registry } = await testRegistry()
  await assert.rejects(registry.getScale(definitionOf('Namespace'), { name: 'default' }), (err) => hasReason(err, 'NotFound'))
})

test('an apply with a uid or a version means an object that must be there', async () => {
  const { registry } = await testRegistry()
  for (const lock of [{ uid: 'x' }, { resourceVersion: '5' }]) {
    const applied = registry.patch(PROCESSES, WEB, { type: 'apply', value: { ...web, metadata: { ...WEB, ...lock } } }, [], context)
    await assert.rejects(applied, (err) => hasReason(err, 'Conflict'))
  }
  const named = registry.patch(PROCESSES, { ...WEB, name: 'other' }, { type: 'apply', value: web }, [], context)
  await assert.rejects(named, /the name of the object \(web\) does not match the name on the URL \(other\)/)
})

test('an apply is validated, defaulted and normalized like any other write', async () => {
  const { registry } = await testRegistry()
  const apply = (spec: object) => registry.patch(PROCESSES, WEB, { type: 'apply', value: { ...web, spec } }, [], context)
  await assert.rejects(apply({}), /spec\.command: Required value/)
  await assert.rejects(apply({ command: ['true'], replicas: -1 }), /spec\.replicas: Invalid value: -1/)
  await assert.rejects(apply({ command: ['true'], bogus: 1 }), (err) => hasReason(err, 'BadRequest'))
  const { object, created } = await apply({ command: ['true'], stopSignal: 'SIGINT' })
  assert.equal(created, true)
  assert.deepEqual((object as unknown as { spec: { stopSignal: string } }).spec.stopSignal, 'INT')
  assert.deepEqual(object.metadata.finalizers, ['pmk.dev/stop'])
  const again = await apply({ command: ['true'], stopSignal: 'SIGINT' })
  assert.deepEqual(again, { object, created: false })
})

test('an applied status changes nothing else and is owned apart', async () => {
  const { registry } = await testRegistry()
  const made = await registry.create(PROCESSES, 'default', body(web), { ...context, fieldManager: 'maker' })
  const value = { ...web, spec: { command: ['false'] }, status: { replicas: 2, reason: 'Running' } }
  const { object } = await registry.patch(PROCESSES, WEB, { type: 'apply', value }, [], { ...context, fieldManager: 'agent' }, 'status')
  assert.deepEqual({ ...object, metadata: undefined, status: undefined }, { ...made, metadata: undefined, status: undefined })
  assert.equal(object.metadata.generation, 1)
  const entry = object.metadata.managedFields?.find(({ manager }) => manager === 'agent')
  assert.equal(entry?.subresource, 'status')
  assert.deepEqual(entry?.fieldsV1, { 'f:status': { 'f:reason': {}, 'f:replicas': {} } })
  const less = { ...web, status: { replicas: 2 } }
  const shrunk = await registry.patch(PROCESSES, WEB, { type: 'apply', value: less }, [], { ...context, fieldManager: 'agent' }, 'status')
  assert.deepEqual((shrunk.object as unknown as { status: unknown }).status, { replicas: 2 })
})

test('who gave an object may go on changing what is theirs', async () => {
  const { client } = await testRegistry()
  const data: Record<string, string> = { a: '1' }
  const made = await client.for('ConfigMap').create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one' }, data })
  data.a = '2'
  assert.deepEqual(made.data, { a: '1' })
  assert.deepEqual((await client.for('ConfigMap').get({ name: 'one' })).data, { a: '1' })
})

test('keys such as __proto__ and constructor are data like any other, also after a restart', async () => {
  const { client, store, clock } = await testRegistry()
  const metadata = { name: 'one', annotations: JSON.parse('{"constructor":"x"}') as Record<string, string> }
  const data = JSON.parse('{"__proto__":"p","constructor":"c"}') as Record<string, string>
  const made = await client.for('ConfigMap').create({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data })
  assert.equal(JSON.stringify(made.data), '{"__proto__":"p","constructor":"c"}')
  const restarted = await createRegistry({ store, clock })
  const read = await restarted.get(definitionOf('ConfigMap'), { namespace: 'default', name: 'one' })
  assert.equal(JSON.stringify(read), JSON.stringify({ ...made, metadata: read.metadata }))
  assert.deepEqual(read, made)
})

test('what an older version stored is read with the defaults of today, and keeps its version', async () => {
  const { client, store, clock } = await testRegistry()
  const made = await client.for('Process').create(web)
  const key = '/pmk.dev/processes/default/web'
  const { replicas: _, backoff: _backoff, ...spec } = made.spec
  const { resourceVersion, ...metadata } = made.metadata
  const kv = await store.put(key, JSON.stringify({ ...made, metadata, spec }), Number(resourceVersion))
  const restarted = await createRegistry({ store, clock })
  const read = await restarted.get(PROCESSES, WEB)
  assert.deepEqual(read, { ...made, metadata: { ...made.metadata, resourceVersion: String(kv.modRevision) } })
  assert.ok(Object.isFrozen(read.metadata.finalizers))
})

test('a replacement by a client that knows no managedFields changes nothing when it says the same', async () => {
  const { registry } = await testRegistry()
  const made = await registry.create(PROCESSES, 'default', body(web), context)
  const { managedFields, ...metadata } = JSON.parse(JSON.stringify(made.metadata))
  assert.ok(managedFields)
  const same = await registry.update(PROCESSES, WEB, body({ ...made, metadata }), { ...context, fieldManager: 'other' })
  assert.equal(same, made)
})

test('managedFields in another order say nothing new', async () => {
  const { registry } = await testRegistry()
  await registry.create(PROCESSES, 'default', body(web), { ...context, fieldManager: 'one' })
  const labels = { type: 'merge', value: { metadata: { labels: { a: 'b' } } } } as const
  const { object } = await registry.patch(PROCESSES, WEB, labels, [], { ...context, fieldManager: 'two' })
  const managedFields = object.metadata.managedFields?.toReversed()
  assert.equal(managedFields?.length, 2)
  const same = await registry.update(PROCESSES, WEB, body({ ...object, metadata: { ...object.metadata, managedFields } }), context)
  assert.equal(same, object)
})

test('the default namespace is there from the start, once', async () => {
  const { store, clock, registry } = await testRegistry()
  const before = registry.resourceVersion()
  await createRegistry({ store, clock })
  assert.equal(registry.resourceVersion(), before)
  assert.equal((await registry.get(definitionOf('Namespace'), { name: 'default' })).metadata.name, 'default')
})

test('a Revision keeps its template, and its number may grow', async () => {
  const { client } = await testRegistry()
  const revisions = client.for('Revision')
  const spec = { process: 'web', template: { command: ['true'] } }
  const made = await revisions.create({ apiVersion: 'pmk.dev/v1', kind: 'Revision', metadata: { name: 'web-1' }, revision: 1, spec })
  const again = await revisions.update({ ...made, revision: 2 })
  assert.equal(again.revision, 2)
  await assert.rejects(revisions.update({ ...again, spec: { ...again.spec, template: { command: ['false'] } } }), /spec: .*immutable/)
})

test('a Process and an index stay with their Instance', async () => {
  const { client } = await testRegistry()
  const instances = client.for('Instance')
  const spec = { process: 'web', index: 0, nodeName: 'here', revision: 'web-1', template: { command: ['true'] } }
  const made = await instances.create({ apiVersion: 'pmk.dev/v1', kind: 'Instance', metadata: { name: 'web-0' }, spec } as never)
  await assert.rejects(instances.update({ ...made, spec: { ...made.spec, index: 1 } }), /spec\.index: .*immutable/)
  const bad = { ...made, spec: { ...made.spec, template: { ...made.spec.template, script: 'date' } } }
  await assert.rejects(instances.update(bad), /spec\.template\.script: Forbidden/)
})

test('an object of Kubernetes itself needs no kind in a body, and a time may be written another way', async () => {
  const { registry, client } = await testRegistry()
  const maps = definitionOf('ConfigMap')
  const made = await registry.create(maps, 'default', body({ metadata: { name: 'typed' } }), context)
  assert.equal(made.kind, 'ConfigMap')
  assert.equal(made.apiVersion, 'v1')
  const { creationTimestamp } = made.metadata
  const at = (time: string) => body({ metadata: { name: 'typed', creationTimestamp: time }, data: { time } })
  const ref = { namespace: 'default', name: 'typed' }
  for (const time of [creationTimestamp.replace('Z', '.000Z'), creationTimestamp.replace('Z', '+00:00')]) {
    const next = await registry.update(maps, ref, at(time), context)
    assert.equal(next.metadata.creationTimestamp, creationTimestamp)
  }
  await assert.rejects(registry.update(maps, ref, at('2001-01-01T00:00:00Z'), context), /creationTimestamp: .*immutable/)
  await assert.rejects(registry.create(maps, 'default', body({ kind: 'Secret', metadata: { name: 'x' } }), context), /kind is "Secret"/)
  await assert.rejects(
    registry.create(definitionOf('Process'), 'default', body({ metadata: { name: 'x' }, spec: { command: ['x'] } }), context),
    /kind is missing/,
  )
  await client.for('ConfigMap').delete({ name: 'typed' })
})
