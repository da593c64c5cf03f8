import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { definitionOf } from '../../../src/api/scheme.ts'
import { hasReason } from '../../../src/api/status.ts'
import { applyStrategicMerge } from '../../../src/api/strategic-merge.ts'
import { deepFreeze } from '../../../src/base/json.ts'

const { schema } = definitionOf('ConfigMap')
const owner = { apiVersion: 'v1', kind: 'A', name: 'a', uid: 'u' }
const target = deepFreeze({
  metadata: { name: 'c', labels: { a: '1', b: '2' }, finalizers: ['x/1', 'x/2'], ownerReferences: [owner] },
  data: { a: '1', b: '2' },
})

describe('applyStrategicMerge', () => {
  const table: [string, object, object][] = [
    ['merges maps and removes by null', { data: { a: null, c: '3' } }, { ...target, data: { b: '2', c: '3' } }],
    ['replaces a map', { data: { $patch: 'replace', z: '1' } }, { ...target, data: { z: '1' } }],
    ['deletes a map', { data: { $patch: 'delete' } }, { metadata: target.metadata }],
    ['merges a map when told to', { data: { $patch: 'merge', z: '1' } }, { ...target, data: { a: '1', b: '2', z: '1' } }],
    ['retains only some keys', { data: { $retainKeys: ['b', 'c'], c: '3' } }, { ...target, data: { b: '2', c: '3' } }],
    [
      'unites sets, whatever order is set',
      { metadata: { finalizers: ['x/3', 'x/1', 'x/3'], '$setElementOrder/finalizers': ['x/3'] } },
      { ...target, metadata: { ...target.metadata, finalizers: ['x/1', 'x/2', 'x/3'] } },
    ],
    [
      'deletes from sets and adds to them in one go',
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['x/1'], finalizers: ['x/3'] } },
      { ...target, metadata: { ...target.metadata, finalizers: ['x/2', 'x/3'] } },
    ],
    [
      'merges items by key',
      {
        metadata: {
          ownerReferences: [
            { uid: 'u', controller: true },
            { ...owner, uid: 'v' },
          ],
        },
      },
      {
        ...target,
        metadata: {
          ...target.metadata,
          ownerReferences: [
            { ...owner, controller: true },
            { ...owner, uid: 'v' },
          ],
        },
      },
    ],
    [
      'deletes an item by key',
      {
        metadata: {
          ownerReferences: [
            { uid: 'u', $patch: 'delete' },
            { uid: 'none', $patch: 'delete' },
          ],
        },
      },
      { ...target, metadata: { ...target.metadata, ownerReferences: [] } },
    ],
    [
      'replaces all items',
      { metadata: { ownerReferences: [{ $patch: 'replace' }, { ...owner, uid: 'w' }] } },
      { ...target, metadata: { ...target.metadata, ownerReferences: [{ ...owner, uid: 'w' }] } },
    ],
    ['drops nulls of what is new', { binaryData: { a: null, b: 'YQ==' } }, { ...target, binaryData: { b: 'YQ==' } }],
  ]
  for (const [title, patch, expected] of table) {
    it(title, () => {
      const before = structuredClone(target)
      assert.deepEqual(applyStrategicMerge(schema, target, deepFreeze(patch)), expected)
      assert.deepEqual(target, before)
    })
  }

  for (const patch of [
    [],
    { data: { $patch: 'twist' } },
    { data: { $retainKeys: 'a' } },
    { $unknown: 1 },
    { metadata: { ownerReferences: [{ name: 'no uid' }] } },
    { metadata: { '$deleteFromPrimitiveList/finalizers': 'x' } },
  ]) {
    it(`refuses ${JSON.stringify(patch)}`, () => {
      assert.throws(
        () => applyStrategicMerge(schema, target, patch),
        (err) => hasReason(err, 'BadRequest'),
      )
    })
  }
})
