import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiObject } from '../../../src/api/object.ts'
import { type Column, definitionOf, definitions } from '../../../src/api/scheme.ts'
import { type Cell, compileColumn } from '../../../src/apiserver/column.ts'
import { tableFormat, tableJson } from '../../../src/apiserver/table.ts'
import { age } from '../../../src/base/age.ts'

const NOW = '2026-01-10T00:00:00Z'

const object = {
  apiVersion: 'pmk.dev/v1',
  kind: 'Process',
  metadata: {
    name: 'web',
    uid: 'u',
    resourceVersion: '7',
    generation: 1,
    creationTimestamp: '2026-01-04T21:00:00Z',
    labels: { 'example.org/a.b': 'c' },
  },
  spec: { replicas: 3, command: ['sh', '-c', 'true'], script: '', suspend: false },
  status: { readyReplicas: 0, kind: 'Process', items: [{ a: 1 }, { b: 2 }], ready: [true] },
  data: { one: '1', two: '2' },
} as unknown as ApiObject

const cells: readonly { readonly type: Column['type']; readonly value: string; readonly expect: Cell }[] = [
  { type: 'string', value: '{status.readyReplicas:-}/{spec.replicas}', expect: '0/3' },
  { type: 'string', value: '{status.missing:0}/{spec.replicas}', expect: '0/3' },
  { type: 'string', value: '{status.missing}/{spec.replicas}', expect: '/3' },
  { type: 'string', value: '{status.missing}', expect: null },
  { type: 'string', value: '{status.missing:Pending}', expect: 'Pending' },
  { type: 'string', value: '{status.missing:a:b}', expect: 'a:b' },
  { type: 'string', value: '{spec.command}', expect: 'sh -c true' },
  { type: 'string', value: '{spec.script|spec.command}', expect: 'sh -c true' },
  { type: 'string', value: '{spec.command|spec.script}', expect: 'sh -c true' },
  { type: 'string', value: '{spec.script|spec.nothing:none}', expect: 'none' },
  { type: 'string', value: '{status.kind.lower}/{metadata.name}', expect: 'process/web' },
  { type: 'string', value: '{status.items}', expect: '{"a":1} {"b":2}' },
  { type: 'string', value: '{spec.suspend}', expect: 'false' },
  { type: 'string', value: '{spec.command.1}', expect: '-c' },
  { type: 'string', value: '{spec.command.3:none}', expect: 'none' },
  { type: 'string', value: '{spec.command.map}', expect: null },
  { type: 'string', value: '{status.ready.0.number:0}/1', expect: '1/1' },
  { type: 'string', value: '{spec.suspend.number}', expect: '0' },
  { type: 'string', value: '{metadata.name.deeper}', expect: null },
  { type: 'string', value: '{metadata.labels[example.org/a.b]}', expect: 'c' },
  { type: 'string', value: '{metadata.labels[example.org/b]|metadata.labels[example.org/a.b]}-{spec.replicas}', expect: 'c-3' },
  { type: 'string', value: '{metadata.labels[example.org/b]:none}', expect: 'none' },
  { type: 'string', value: '{spec.constructor}', expect: null },
  { type: 'integer', value: '{data.length}', expect: 2 },
  { type: 'integer', value: '{spec.command.length}', expect: 3 },
  { type: 'integer', value: '{nothing.length}', expect: 0 },
  { type: 'integer', value: '{spec.replicas}', expect: 3 },
  { type: 'integer', value: '{status.missing:0}', expect: 0 },
  { type: 'integer', value: '{status.missing}', expect: null },
  { type: 'integer', value: '{metadata.name}', expect: null },
  { type: 'boolean', value: '{spec.suspend}', expect: false },
  { type: 'boolean', value: '{spec.missing}', expect: null },
  { type: 'date', value: '{metadata.creationTimestamp}', expect: '5d3h' },
  { type: 'date', value: '{status.startedAt}', expect: null },
]
for (const { type, value, expect } of cells) {
  test(`a column ${value} of type ${type} shows ${JSON.stringify(expect)}`, () => {
    assert.equal(compileColumn({ name: 'X', type, value, description: '' })(object, NOW), expect)
  })
}

for (const value of ['{', '{a', 'a}', '{}', '{a b}', '{a?b}', '{a[b}']) {
  test(`the column template ${value} is refused`, () => {
    assert.throws(() => compileColumn({ name: 'X', type: 'string', value, description: '' }), /can't read/)
  })
}

test('the columns of every kind can be read and show something for an object that has nothing', () => {
  for (const definition of definitions) {
    const bare = { apiVersion: definition.apiVersion, kind: definition.kind, metadata: object.metadata } as ApiObject
    for (const column of definition.columns)
      assert.doesNotThrow(() => compileColumn(column)(bare, NOW), `${definition.kind} ${column.name}`)
  }
})

const ages: readonly [seconds: number, expect: string][] = [
  [-5, '0s'],
  [0, '0s'],
  [119, '119s'],
  [120, '2m'],
  [150, '2m30s'],
  [599, '9m59s'],
  [600, '10m'],
  [10_799, '179m'],
  [10_800, '3h'],
  [12_000, '3h20m'],
  [28_800, '8h'],
  [172_799, '47h'],
  [172_800, '2d'],
  [183_600, '2d3h'],
  [691_200, '8d'],
  [63_072_000, '2y'],
  [63_072_000 + 86_400 * 3, '2y3d'],
  [315_360_000, '10y'],
]
for (const [seconds, expect] of ages) {
  test(`${seconds} seconds ago is ${expect}`, () => {
    const now = '2026-06-01T00:00:00.000Z'
    assert.equal(age(new Date(Date.parse(now) - seconds * 1_000).toISOString(), now), expect)
  })
}

test('a time that is none has an age that says so', () => assert.equal(age('never', NOW), '<invalid>'))

test('a table has the name first, one row an object and the metadata of each', () => {
  const table = JSON.parse(
    textOf(
      tableFormat(definitionOf('Process')),
      [object],
      { resourceVersion: '9', continue: 'more' },
      { version: 'v1', include: 'Metadata', now: NOW },
    ),
  )
  assert.equal(table.kind, 'Table')
  assert.equal(table.apiVersion, 'meta.k8s.io/v1')
  assert.deepEqual(table.metadata, { resourceVersion: '9', continue: 'more' })
  assert.deepEqual(
    table.columnDefinitions.map((column: { name: string; priority: number }) => [column.name, column.priority]),
    [
      ['Name', 0],
      ['Ready', 0],
      ['Status', 0],
      ['Restarts', 0],
      ['Age', 0],
      ['Up-to-date', 1],
      ['Revision', 1],
      ['Source', 1],
      ['Command', 1],
    ],
  )
  assert.equal(table.columnDefinitions[0].format, 'name')
  assert.deepEqual(table.rows[0].cells, ['web', '0/3', 'Pending', 0, '5d3h', 0, null, null, 'sh -c true'])
  assert.deepEqual(table.rows[0].object, { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata })
})

test('a table holds whole objects, or none, when asked to', () => {
  const format = tableFormat(definitionOf('Process'))
  const options = { version: 'v1beta1', now: NOW } as const
  const whole = JSON.parse(textOf(format, [object], { resourceVersion: '9' }, { ...options, include: 'Object' }))
  const none = JSON.parse(textOf(format, [object], { resourceVersion: '9' }, { ...options, include: 'None', withoutColumns: true }))
  assert.equal(whole.apiVersion, 'meta.k8s.io/v1beta1')
  assert.deepEqual(whole.rows[0].object, object)
  assert.equal(none.rows[0].object, null)
  assert.equal(none.columnDefinitions, null)
})

test('a table of many rows comes in pieces, which make one document', () => {
  const format = tableFormat(definitionOf('Process'))
  const objects = Array.from({ length: 300 }, (_, n) => ({ ...object, metadata: { ...object.metadata, name: `p${n}` } }))
  const text = tableJson(format, objects, { resourceVersion: '9' }, { version: 'v1', now: NOW, include: 'None' })
  assert.notEqual(typeof text, 'string')
  assert.deepEqual(
    JSON.parse([...text].join('')).rows.map((row: { cells: readonly unknown[] }) => row.cells[0]),
    objects.map(({ metadata }) => metadata.name),
  )
})

function textOf(...args: Parameters<typeof tableJson>): string {
  return [...tableJson(...args)].join('')
}
