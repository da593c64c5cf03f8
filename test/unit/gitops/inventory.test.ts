import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ApiObject } from '../../../src/api/object.ts'
import { definitionOf, keptDefinitions } from '../../../src/api/scheme.ts'
import { desiredOf } from '../../../src/gitops/desired.ts'
import { inventoryId, isListed, nameOf, parseInventoryId } from '../../../src/gitops/inventory.ts'
import { released } from '../../../src/gitops/release.ts'
import { tooLarge } from '../../../src/gitops/too-large.ts'
import { fieldManagerOf } from '../../../src/gitops/well-known.ts'
import type { Placed } from '../../../src/manifest/apply.ts'

describe('an inventory', () => {
  test('names an object of each kind, and says again which it was', () => {
    for (const definition of keptDefinitions) {
      const ref = definition.scope === 'Cluster' ? { name: 'some.name' } : { namespace: 'prod', name: 'some.name' }
      const id = inventoryId(definition, ref)
      assert.deepEqual(parseInventoryId(id), { definition, ref }, id)
      assert.equal(nameOf(id), `${definition.kind} ${definition.scope === 'Cluster' ? '' : 'prod/'}some.name`)
    }
    assert.equal(inventoryId(definitionOf('Process'), { namespace: 'prod', name: 'web' }), 'processes.pmk.dev/prod/web')
    assert.equal(inventoryId(definitionOf('Namespace'), { name: 'prod' }), 'namespaces//prod')
  })

  for (const id of ['', 'nothing', 'nothings.example.org/a/b', 'configmaps/default/', 'configmaps'])
    test(`takes ${JSON.stringify(id)} for nothing that it knows, and names it as it is`, () => {
      assert.equal(parseInventoryId(id), undefined)
      assert.equal(nameOf(id), id)
    })

  test('is asked for an object', () => {
    const inventory = ['configmaps/default/a']
    assert.deepEqual(
      [isListed(inventory, 'configmaps/default/a'), isListed(inventory, 'b'), isListed(undefined, 'a')],
      [true, false, false],
    )
  })

  test('has a bound', () => {
    const snapshot = { revision: 'r', files: [], problems: [], notes: [] }
    const many = (count: number, length: number): ReturnType<typeof desiredOf> =>
      desiredOf(
        Array.from({ length: count }, (_, n) => placed(`${n}`.padStart(length, 'a'))),
        { namespace: 'default', name: 'web' },
      )
    assert.equal(tooLarge(many(20_000, 10), snapshot), undefined)
    assert.match(tooLarge(many(20_001, 10), snapshot)?.message ?? '', /^Nothing was changed\. 20001 objects .* make several of it$/)
    assert.equal(tooLarge(many(10_000, 250), snapshot)?.reason, 'TooLarge')
  })
})

describe('a field manager of a source', () => {
  test('names it, and is never longer than a field manager may be', () => {
    assert.equal(fieldManagerOf({ namespace: 'default', name: 'web' }), 'source:default/web')
    const long = { namespace: 'n'.repeat(63), name: 's'.repeat(63) }
    assert.ok(fieldManagerOf(long).length <= 128)
    assert.notEqual(fieldManagerOf(long), fieldManagerOf({ ...long, name: `${'s'.repeat(62)}x` }))
  })
})

describe('an object that is given free', () => {
  test('keeps all but the labels and the manager of its source', () => {
    const metadata = {
      name: 'a',
      uid: 'u',
      labels: { 'pmk.dev/source': 'web', 'pmk.dev/source-namespace': 'default', tier: 'front' },
      managedFields: [
        { manager: 'source:default/web', operation: 'Apply' },
        { manager: 'source:default/other', operation: 'Apply' },
        { manager: 'kubectl', operation: 'Update' },
      ],
    }
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: 'b' } } as unknown as ApiObject
    const free = released(object, { namespace: 'default', name: 'web' })
    assert.deepEqual(free.metadata.labels, { tier: 'front' })
    assert.deepEqual(
      free.metadata.managedFields?.map(({ manager }) => manager),
      ['pmk-released', 'source:default/other', 'kubectl'],
    )
    assert.deepEqual({ ...free, metadata }, object)
    const only = released(
      { ...object, metadata: { ...object.metadata, labels: { 'pmk.dev/source': 'web' } } },
      { namespace: 'default', name: 'web' },
    )
    assert.equal('labels' in only.metadata, false)
  })
})

function placed(name: string): Placed {
  const definition = definitionOf('ConfigMap')
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } }
  const origin = { file: 'a.yaml', line: 1, lineOf: () => 1 }
  return { manifest: { definition, name, namespace: 'default', object, origin }, ref: { name, namespace: 'default' }, value: object }
}
