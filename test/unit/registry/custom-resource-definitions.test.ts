import assert from 'node:assert/strict'
import { test } from 'node:test'
import { definitionOf, definitions } from '../../../src/api/scheme.ts'
import { hasReason } from '../../../src/api/status.ts'
import { isJsonObject, type JsonObject } from '../../../src/base/json.ts'
import type { CustomResourceDefinition } from '../../../src/generated/types.ts'
import { createRegistry } from '../../../src/registry/resource-registry.ts'
import { type TestedRegistry, testRegistry } from './support.ts'

const CRDS = definitionOf('CustomResourceDefinition')

async function definitionsOf({ registry }: TestedRegistry): Promise<readonly CustomResourceDefinition[]> {
  return (await registry.list(CRDS, {})).items as readonly CustomResourceDefinition[]
}

test('there is a definition of each kind of pmk.dev, sorted by name, and of none of Kubernetes’ own', async () => {
  const tested = await testRegistry()
  const names = (await definitionsOf(tested)).map(({ metadata }) => metadata.name)
  const expected = definitions.filter(({ group }) => group === 'pmk.dev').map(({ plural }) => `${plural}.pmk.dev`)
  assert.deepEqual(names, expected.sort())
})

test('a definition tells names, scope, subresources and those columns that show a field as it is', async () => {
  const tested = await testRegistry()
  const { metadata, spec, status } = (await tested.registry.get(CRDS, { name: 'processes.pmk.dev' })) as CustomResourceDefinition
  const namespace = await tested.client.for('Namespace').get({ name: 'default' })
  assert.equal(metadata.creationTimestamp, namespace.metadata.creationTimestamp)
  assert.match(metadata.uid, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.deepEqual(spec.names, {
    plural: 'processes',
    singular: 'process',
    kind: 'Process',
    listKind: 'ProcessList',
    shortNames: definitionOf('Process').shortNames,
    categories: ['all', 'pmk'],
  })
  assert.equal(`${spec.group} ${spec.scope}`, 'pmk.dev Namespaced')
  const [version] = spec.versions
  assert.deepEqual(version?.subresources, {
    status: {},
    scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' },
  })
  const columns = (version?.additionalPrinterColumns ?? []).map(({ name, type, jsonPath }) => `${name} ${type} ${jsonPath}`)
  assert.ok(columns.includes('Age date .metadata.creationTimestamp') && columns.includes('Status string .status.reason'))
  assert.ok(columns.includes('Source string .metadata.labels.pmk\\.dev/source'), 'the key of a label is one step')
  assert.ok(!columns.some((column) => column.startsWith('Ready ')), 'a column of two fields has no JSONPath')
  assert.deepEqual(
    status.conditions.map(({ type, status }) => `${type}=${status}`),
    ['NamesAccepted=True', 'Established=True'],
  )
})

test('the schemas are structural: one type for each node, or a word for any', async () => {
  for (const { metadata, spec } of await definitionsOf(await testRegistry())) {
    const schema = spec.versions[0]?.schema.openAPIV3Schema as JsonObject
    assert.deepEqual((schema.properties as JsonObject).metadata, { type: 'object' })
    walk(schema, metadata.name)
  }
})

function walk(node: JsonObject, path: string): void {
  const isAny = node['x-kubernetes-int-or-string'] === true || node['x-kubernetes-preserve-unknown-fields'] === true
  assert.ok(isAny || typeof node.type === 'string', `${path} has no type`)
  assert.ok(!('oneOf' in node) && !('anyOf' in node) && !('allOf' in node) && !('$ref' in node), `${path} has alternatives`)
  assert.ok(node.properties === undefined || node.additionalProperties === undefined, `${path} has both sorts of properties`)
  for (const [name, child] of Object.entries((node.properties ?? {}) as JsonObject)) walk(child as JsonObject, `${path}.${name}`)
  if (isJsonObject(node.items)) walk(node.items, `${path}[]`)
  if (isJsonObject(node.additionalProperties)) walk(node.additionalProperties, `${path}{}`)
  if (node.type === 'array') assert.ok(isJsonObject(node.items), `${path} has no items`)
}

test('definitions are selected by name, and none that isn’t there is found', async () => {
  const { registry } = await testRegistry()
  const { items } = await registry.list(CRDS, { fieldSelector: 'metadata.name=nodes.pmk.dev' })
  assert.deepEqual(
    items.map(({ metadata }) => metadata.name),
    ['nodes.pmk.dev'],
  )
  assert.equal((await registry.list(CRDS, { labelSelector: 'a=b' })).items.length, 0)
  await assert.rejects(registry.get(CRDS, { name: 'pods.pmk.dev' }), (err) => hasReason(err, 'NotFound'))
})

test('a list has the version of the store, so that a watch from it is told nothing', async () => {
  const tested = await testRegistry()
  await tested.client.for('ConfigMap').create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default' } })
  const list = await tested.registry.list(CRDS, {})
  assert.equal(list.resourceVersion, tested.registry.resourceVersion())
  assert.ok(list.items.every(({ metadata }) => Number(metadata.resourceVersion) <= Number(list.resourceVersion)))
  const stop = new AbortController()
  const watching = tested.registry.watch(CRDS, { resourceVersion: list.resourceVersion }, stop.signal)[Symbol.asyncIterator]().next()
  stop.abort()
  assert.equal((await watching).done, true)
})

test('a watch from nothing begins with all of them and says when that is over', async () => {
  const tested = await testRegistry()
  const expected = (await definitionsOf(tested)).length
  const stop = new AbortController()
  const seen: string[] = []
  for await (const event of tested.registry.watch(CRDS, { allowWatchBookmarks: true }, stop.signal)) {
    seen.push(event.type)
    if (event.type === 'BOOKMARK') stop.abort()
  }
  assert.deepEqual(seen, [...Array.from({ length: expected }, () => 'ADDED'), 'BOOKMARK'])
})

test('who watched before the server was started anew has to list again: its kinds may be others now', async () => {
  const { store, clock, client, registry } = await testRegistry()
  const before = registry.resourceVersion()
  await client.for('ConfigMap').create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default' } })
  const next = await createRegistry({ store, clock })
  const stop = new AbortController()
  const events = next.watch(CRDS, { resourceVersion: before }, stop.signal)[Symbol.asyncIterator]()
  await assert.rejects(events.next(), (err) => hasReason(err, 'Expired'))
  stop.abort()
  const [first] = (await next.list(CRDS, {})).items
  const [known] = (await registry.list(CRDS, {})).items
  assert.equal(first?.metadata.uid, known?.metadata.uid)
})
