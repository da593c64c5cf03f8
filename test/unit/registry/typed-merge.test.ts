import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonSchema } from '../../../src/api/scheme.ts'
import { deepFreeze } from '../../../src/base/json.ts'
import { formatFieldPath } from '../../../src/registry/field-path.ts'
import { EMPTY_SET, type FieldSet, pathsOf } from '../../../src/registry/field-set.ts'
import { prune } from '../../../src/registry/prune.ts'
import { compare, fieldsOf, merge, SAME } from '../../../src/registry/typed-merge.ts'

const text: JsonSchema = { type: 'string' }
const nested: JsonSchema = {
  type: 'object',
  properties: {
    leaf: text,
    atomicList: { type: 'array', items: text },
    atomicMap: { type: 'object', 'x-kubernetes-map-type': 'atomic', additionalProperties: text },
    set: { type: 'array', 'x-kubernetes-list-type': 'set', items: text },
    map: { type: 'object', additionalProperties: text },
    structs: { type: 'object', additionalProperties: { type: 'object', properties: { x: text, y: text } } },
    items: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: { type: 'object', properties: { name: text, value: text, more: { type: 'object', properties: { z: text } } } },
    },
    ports: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['port', 'protocol'],
      items: { type: 'object', properties: { port: { type: 'integer' }, protocol: { type: 'string', default: 'TCP' }, name: text } },
    },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  },
}
const schema: JsonSchema = { ...nested, properties: { ...nested.properties, inner: nested } }

const pathsIn = (set: FieldSet): string[] => pathsOf(set).map(formatFieldPath)

describe('fieldsOf', () => {
  const table: [object, ...string[]][] = [
    [{ leaf: 'a' }, '.leaf'],
    [{ leaf: null, map: null, items: null, inner: null }, '.inner', '.items', '.leaf', '.map'],
    [{ map: {}, inner: {}, structs: {} }, '.inner', '.map', '.structs'],
    [{ items: [], set: [] }],
    [{ inner: { leaf: 'a' } }, '.inner.leaf'],
    [{ inner: { map: {} } }, '.inner.map'],
    [{ atomicList: ['a'], atomicMap: { a: 'b' } }, '.atomicList', '.atomicMap'],
    [{ atomicList: [], atomicMap: {} }, '.atomicList', '.atomicMap'],
    [{ map: { a: '1', b: '2' } }, '.map.a', '.map.b'],
    [{ structs: { a: { x: '1' }, b: {} } }, '.structs.a', '.structs.b', '.structs.a.x'],
    [{ set: ['b', 'a'] }, '.set[="a"]', '.set[="b"]'],
    [{ items: [{ name: 'a', more: { z: '1' } }] }, '.items[name="a"]', '.items[name="a"].name', '.items[name="a"].more.z'],
    [{ ports: [{ port: 80 }] }, '.ports[port=80,protocol="TCP"]', '.ports[port=80,protocol="TCP"].port'],
    [{ free: { a: { b: [1, { c: 2 }] }, d: 1 } }, '.free.a', '.free.d', '.free.a.b'],
  ]
  for (const [value, ...expected] of table) {
    it(`of ${JSON.stringify(value)}`, () => assert.deepEqual(pathsIn(fieldsOf(schema, value)), expected))
  }
})

describe('merge', () => {
  const table: [object, object, object][] = [
    [{ leaf: 'a' }, { leaf: 'b' }, { leaf: 'b' }],
    [{ leaf: 'a', inner: { leaf: 'x' } }, { inner: { map: { a: '1' } } }, { leaf: 'a', inner: { leaf: 'x', map: { a: '1' } } }],
    [{ leaf: 'a', map: { a: '1' } }, { leaf: null, map: { a: null, b: '2' } }, { map: { b: '2' } }],
    [{}, { inner: { leaf: null, map: { a: '1' } } }, { inner: { map: { a: '1' } } }],
    [{ atomicList: ['a', 'b'] }, { atomicList: ['c'] }, { atomicList: ['c'] }],
    [{ atomicMap: { a: '1' } }, { atomicMap: { b: '2' } }, { atomicMap: { b: '2' } }],
    [{ set: ['a', 'b'] }, { set: ['c', 'b'] }, { set: ['a', 'c', 'b'] }],
    [{ set: ['a', 'b', 'c'] }, { set: ['c', 'a'] }, { set: ['b', 'c', 'a'] }],
    [{ set: ['a', 'b', 'c', 'd'] }, { set: ['d', 'x', 'b'] }, { set: ['a', 'c', 'd', 'x', 'b'] }],
    [{ set: [] }, { set: ['a'] }, { set: ['a'] }],
    [{ set: ['a'] }, { set: [] }, { set: ['a'] }],
    [
      {
        items: [
          { name: 'a', value: '1' },
          { name: 'b', value: '1' },
        ],
      },
      { items: [{ name: 'b', value: '2' }, { name: 'c' }] },
      { items: [{ name: 'a', value: '1' }, { name: 'b', value: '2' }, { name: 'c' }] },
    ],
    [
      { ports: [{ port: 80, protocol: 'TCP' }] },
      { ports: [{ port: 80, name: 'x' }] },
      { ports: [{ port: 80, protocol: 'TCP', name: 'x' }] },
    ],
    [{ free: { a: { b: 1 }, l: [1, 2] } }, { free: { a: { c: 2 }, l: [3] } }, { free: { a: { b: 1, c: 2 }, l: [3] } }],
    [{ free: { a: 1 } }, { free: { a: { b: 1 } } }, { free: { a: { b: 1 } } }],
  ]
  for (const [live, config, expected] of table) {
    it(`of ${JSON.stringify(live)} with ${JSON.stringify(config)}`, () => {
      const merged = merge(schema, deepFreeze(live), deepFreeze(config))
      assert.deepEqual(merged, expected)
      assert.equal(merge(schema, merged, config), merged, 'a second time changes nothing')
    })
  }
})

describe('compare', () => {
  const table: [object, object, { added?: string[]; removed?: string[]; modified?: string[] }][] = [
    [{ leaf: 'a' }, { leaf: 'a' }, {}],
    [{ leaf: 'a' }, { leaf: 'b' }, { modified: ['.leaf'] }],
    [{}, { inner: { leaf: 'a', map: { a: '1' } } }, { added: ['.inner', '.inner.leaf', '.inner.map', '.inner.map.a'] }],
    [{ items: [{ name: 'a' }] }, {}, { removed: ['.items', '.items[name="a"]', '.items[name="a"].name'] }],
    [{ set: ['a', 'b'] }, { set: ['b', 'c'] }, { added: ['.set[="c"]'], removed: ['.set[="a"]'] }],
    [{ set: ['a', 'b'] }, { set: ['b', 'a'] }, {}],
    [
      { items: [{ name: 'a', value: '1' }] },
      { items: [{ name: 'a', value: '2' }, { name: 'b' }] },
      { added: ['.items[name="b"]', '.items[name="b"].name'], modified: ['.items[name="a"].value'] },
    ],
    [{ atomicList: ['a'] }, { atomicList: ['a', 'b'] }, { modified: ['.atomicList'] }],
    [{ atomicMap: { a: '1', b: '2' } }, { atomicMap: { b: '2', a: '1' } }, {}],
    [{ free: { a: 1 } }, { free: { a: { b: 1 } } }, { added: ['.free.a.b'], modified: ['.free.a'] }],
    [{ map: {} }, { map: {} }, {}],
    [{ map: { a: '1' } }, { map: {} }, { removed: ['.map.a'] }],
  ]
  for (const [a, b, { added = [], removed = [], modified = [] }] of table) {
    it(`of ${JSON.stringify(a)} with ${JSON.stringify(b)}`, () => {
      const result = compare(schema, a, b)
      assert.deepEqual([pathsIn(result.added), pathsIn(result.removed), pathsIn(result.modified)], [added, removed, modified])
      if (added.length + removed.length + modified.length === 0) assert.equal(result, SAME)
      const back = compare(schema, b, a)
      assert.deepEqual([pathsIn(back.removed), pathsIn(back.added), pathsIn(back.modified)], [added, removed, modified])
    })
  }
})

describe('prune', () => {
  const table: [string, object, object, object, object][] = [
    ['takes away what nobody keeps', { leaf: 'a', map: { a: '1', b: '2' } }, { leaf: 'a', map: { a: '1' } }, {}, { map: { b: '2' } }],
    ['takes a map away that gets empty', { map: { a: '1' } }, { map: { a: '1' } }, {}, {}],
    ['keeps a map that somebody said to be there', { map: { a: '1' } }, { map: { a: '1' } }, { map: {} }, { map: {} }],
    [
      'keeps what others said',
      { inner: { leaf: 'a', map: { a: '1', b: '2' } } },
      { inner: { leaf: 'a', map: { a: '1', b: '2' } } },
      { inner: { map: { b: '2' } } },
      { inner: { map: { b: '2' } } },
    ],
    ['takes an object away with the defaults in it', { inner: { leaf: 'a', atomicList: ['default'] } }, { inner: { leaf: 'a' } }, {}, {}],
    [
      'keeps the defaults of an object that others keep',
      { inner: { leaf: 'a', atomicList: ['d'], map: { a: '1' } } },
      { inner: { leaf: 'a' } },
      { inner: { map: { a: '1' } } },
      { inner: { atomicList: ['d'], map: { a: '1' } } },
    ],
    [
      'takes items of sets and lists',
      { set: ['a', 'b'], items: [{ name: 'a' }, { name: 'b', value: 'default' }] },
      { set: ['a'], items: [{ name: 'b' }] },
      {},
      { set: ['b'], items: [{ name: 'a' }] },
    ],
    [
      'keeps the key of an item of which something is kept',
      { items: [{ name: 'a', value: '1', more: { z: '1' } }] },
      { items: [{ name: 'a', value: '1', more: { z: '1' } }] },
      { items: [{ name: 'a', more: { z: '1' } }] },
      { items: [{ name: 'a', more: { z: '1' } }] },
    ],
    [
      'works where nothing is known of the structure',
      { free: { a: { b: 1, c: 2 } } },
      { free: { a: { b: 1 } } },
      {},
      { free: { a: { c: 2 } } },
    ],
  ]
  for (const [title, value, last, kept, expected] of table) {
    it(title, () => {
      const result = prune(schema, deepFreeze(value), fieldsOf(schema, last), fieldsOf(schema, kept))
      assert.deepEqual(result, expected)
      assert.equal(prune(schema, result, EMPTY_SET, EMPTY_SET), result)
    })
  }
})
