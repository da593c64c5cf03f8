import assert from 'node:assert/strict'
import test from 'node:test'
import type { ApiObject } from '../../../src/api/object.ts'
import { definitionOf } from '../../../src/api/scheme.ts'
import { Codec } from '../../../src/registry/codec.ts'
import type { KeyValue } from '../../../src/storage/store.ts'
import { testRegistry } from './support.ts'

const MAPS = definitionOf('ConfigMap')

function record(codec: Codec, revision: number, data: Readonly<Record<string, string>>, name = 'one'): KeyValue {
  const metadata = { name, namespace: 'default', uid: 'u', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z', resourceVersion: '7' }
  const value = codec.encode(MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data } as ApiObject)
  return { key: `/core/configmaps/default/${name}`, value, createRevision: 1, modRevision: revision }
}

test('a stored text has no resourceVersion of its own: its revision is the version', () => {
  const codec = new Codec()
  const kv = record(codec, 42, {})
  assert.doesNotMatch(kv.value, /resourceVersion/)
  assert.equal(codec.decode(MAPS, kv).metadata.resourceVersion, '42')
})

test('a text is parsed once, however often it is asked for', () => {
  const codec = new Codec()
  const [old, now] = [record(codec, 2, { n: '1' }), record(codec, 3, { n: '2' })]
  const first = codec.decode(MAPS, old)
  const second = codec.decode(MAPS, now)
  assert.equal(codec.decode(MAPS, now), second)
  assert.equal(codec.decodePast(MAPS, old), first, 'what was replaced is kept for watchers that are behind')
  assert.equal(codec.decodeDeleted(MAPS, now, 9), codec.decodeDeleted(MAPS, now, 9))
  assert.deepEqual(codec.decodeDeleted(MAPS, now, 9), { ...second, metadata: { ...second.metadata, resourceVersion: '9' } })
})

test('what was just written is given out as it was written, without parsing it', () => {
  const codec = new Codec()
  const kv = { ...record(codec, 5, {}), value: 'this is no JSON' }
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one' }, data: { a: 'b' } } as unknown as ApiObject
  const stored = codec.stored(MAPS, kv, object)
  assert.equal(codec.decode(MAPS, kv), stored)
  assert.equal(stored.metadata.resourceVersion, '5')
})

test('the objects that are kept are bounded by what there is and by a little history', () => {
  const codec = new Codec()
  const records = Array.from({ length: 2_000 }, (_, n) => record(codec, n + 1, { n: String(n) }))
  const first = records[0] as KeyValue
  const object = codec.decode(MAPS, first)
  for (const kv of records) codec.decode(MAPS, kv)
  assert.notEqual(codec.decodePast(MAPS, first), object, 'long past, so parsed again')
  assert.deepEqual(codec.decodePast(MAPS, first), object)
})

test('equal owners and equal parts of different objects are one in memory, before a restart and after it', async () => {
  const { client, store } = await testRegistry()
  for (const name of ['one', 'two']) {
    await client.for('Process').create({ apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name }, spec: { command: ['true'] } })
  }
  const [one, two] = (await client.for('Process').list()).items
  assert.equal(one?.metadata.managedFields?.[0]?.fieldsV1, two?.metadata.managedFields?.[0]?.fieldsV1)
  const codec = new Codec()
  const page = await store.range('/pmk.dev/processes/')
  const [first, second] = page.items.map((kv) => codec.decode(definitionOf('Process'), kv) as typeof one)
  assert.deepEqual([first, second], [one, two])
  assert.equal(first?.metadata.managedFields?.[0]?.fieldsV1, second?.metadata.managedFields?.[0]?.fieldsV1)
  assert.equal(first?.spec.backoff, second?.spec.backoff)
  assert.ok(Object.isFrozen(first?.spec.backoff) && Object.isFrozen(first?.spec))
})
