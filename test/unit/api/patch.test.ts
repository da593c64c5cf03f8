import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { applyJsonPatch, applyMergePatch } from '../../../src/api/patch.ts'
import { ApiError } from '../../../src/api/status.ts'
import { deepFreeze } from '../../../src/base/json.ts'

const document = deepFreeze({ a: 1, list: [1, 2, 3], map: { 'x/y': 1, 'm~n': 2 }, nothing: null })
const codeOf = (run: () => unknown): number | undefined => {
  try {
    run()
  } catch (err) {
    if (err instanceof ApiError) return err.status.code
    throw err
  }
  return undefined
}

describe('applyJsonPatch', () => {
  const table: [string, unknown[], unknown][] = [
    ['adds', [{ op: 'add', path: '/b', value: { c: 1 } }], { ...document, b: { c: 1 } }],
    [
      'adds into what it added',
      [
        { op: 'add', path: '/b', value: {} },
        { op: 'add', path: '/b/c', value: 1 },
      ],
      { ...document, b: { c: 1 } },
    ],
    ['replaces by adding', [{ op: 'add', path: '/a', value: null }], { ...document, a: null }],
    ['inserts into a list', [{ op: 'add', path: '/list/1', value: 9 }], { ...document, list: [1, 9, 2, 3] }],
    [
      'appends to a list',
      [
        { op: 'add', path: '/list/-', value: 9 },
        { op: 'add', path: '/list/4', value: 8 },
      ],
      { ...document, list: [1, 2, 3, 9, 8] },
    ],
    [
      'removes',
      [
        { op: 'remove', path: '/list/0' },
        { op: 'remove', path: '/a' },
      ],
      { list: [2, 3], map: document.map, nothing: null },
    ],
    [
      'replaces',
      [
        { op: 'replace', path: '/map/x~1y', value: 5 },
        { op: 'replace', path: '/nothing', value: 1 },
      ],
      { ...document, map: { 'x/y': 5, 'm~n': 2 }, nothing: 1 },
    ],
    ['moves', [{ op: 'move', from: '/map/m~0n', path: '/b' }], { a: 1, list: [1, 2, 3], map: { 'x/y': 1 }, nothing: null, b: 2 }],
    [
      'copies',
      [
        { op: 'copy', from: '/list', path: '/b' },
        { op: 'add', path: '/b/-', value: 4 },
      ],
      { ...document, b: [1, 2, 3, 4] },
    ],
    [
      'tests whatever the order of keys',
      [
        { op: 'test', path: '/map', value: { 'm~n': 2, 'x/y': 1 } },
        { op: 'test', path: '/nothing', value: null },
      ],
      document,
    ],
    ['replaces the whole', [{ op: 'replace', path: '', value: { z: 1 } }], { z: 1 }],
    [
      'takes a constructor for a key like any other',
      [{ op: 'add', path: '/map/constructor', value: 1 }],
      { ...document, map: { ...document.map, constructor: 1 } },
    ],
  ]
  for (const [title, operations, expected] of table) {
    it(title, () => {
      const before = structuredClone(document)
      assert.deepEqual(applyJsonPatch(document, deepFreeze(operations)), expected)
      assert.deepEqual(document, before)
    })
  }

  const failures: [string, unknown, number][] = [
    ['what is no list', { op: 'add' }, 400],
    ['what is no operation', ['x'], 400],
    ['an unknown op', [{ op: '_get', path: '/a' }], 400],
    ['an inherited op', [{ op: 'toString', path: '/a' }], 400],
    ['a path without slash', [{ op: 'remove', path: 'a' }], 400],
    ['a bad escape', [{ op: 'remove', path: '/~2' }], 400],
    ['add without a value', [{ op: 'add', path: '/a' }], 400],
    ['move without from', [{ op: 'move', path: '/a' }], 400],
    ['removal of everything', [{ op: 'remove', path: '' }], 400],
    ['a failing test', [{ op: 'test', path: '/a', value: 2 }], 422],
    ['a test of what is not there', [{ op: 'test', path: '/zzz', value: 2 }], 422],
    ['a missing parent', [{ op: 'add', path: '/x/y', value: 2 }], 422],
    ['a parent that is a number', [{ op: 'add', path: '/a/y', value: 2 }], 422],
    ['removal of nothing', [{ op: 'remove', path: '/zzz' }], 422],
    ['replacement of nothing', [{ op: 'replace', path: '/zzz', value: 1 }], 422],
    ['an index past the end', [{ op: 'add', path: '/list/4', value: 1 }], 422],
    ['an index with a leading zero', [{ op: 'replace', path: '/list/01', value: 1 }], 422],
    ['removal of the end of a list', [{ op: 'remove', path: '/list/-' }], 422],
    ['a move from nowhere', [{ op: 'move', from: '/zzz', path: '/a' }], 422],
    ['a move into itself', [{ op: 'move', from: '/map', path: '/map/x' }], 422],
    ['__proto__', [{ op: 'add', path: '/__proto__/polluted', value: 1 }], 400],
    ['__proto__ as a source', [{ op: 'copy', from: '/__proto__', path: '/a' }], 400],
    ['an inherited constructor', [{ op: 'add', path: '/constructor/polluted', value: 1 }], 422],
    ['a constructor of a list', [{ op: 'add', path: '/list/constructor/polluted', value: 1 }], 422],
    ['too many operations', Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: 1 })), 413],
    [
      'copies that grow',
      [
        { op: 'add', path: '/b', value: ['x'.repeat(1000)] },
        ...Array.from({ length: 40 }, () => ({ op: 'copy', from: '/b', path: '/b/-' })),
      ],
      413,
    ],
  ]
  for (const [title, operations, code] of failures) {
    it(`refuses ${title} with ${code}`, () => {
      assert.equal(
        codeOf(() => applyJsonPatch(document, operations)),
        code,
      )
      assert.equal(({} as Record<string, unknown>).polluted ?? (Object as unknown as Record<string, unknown>).polluted, undefined)
    })
  }
})

// It was a 500: the library throws a TypeError of its own for this pointer.
it('a JSON patch takes constructor and prototype for keys like any other', () => {
  const operations = [
    { op: 'add', path: '/constructor', value: {} },
    { op: 'add', path: '/constructor/prototype', value: { polluted: 1 } },
  ]
  assert.deepEqual(JSON.stringify(applyJsonPatch({}, operations)), '{"constructor":{"prototype":{"polluted":1}}}')
  assert.equal(({} as { polluted?: unknown }).polluted, undefined)
})

describe('applyMergePatch', () => {
  // The examples of RFC 7386, appendix A.
  const table: [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]
  for (const [target, patch, expected] of table) {
    it(`makes ${JSON.stringify(expected)} of ${JSON.stringify(target)} and ${JSON.stringify(patch)}`, () => {
      assert.deepEqual(applyMergePatch(deepFreeze(target), deepFreeze(patch)), expected)
    })
  }

  it('takes __proto__ for a key like any other', () => {
    const result = applyMergePatch({}, JSON.parse('{"__proto__":{"polluted":1}}')) as object
    assert.deepEqual(Object.keys(result), ['__proto__'])
    assert.equal(({} as { polluted?: unknown }).polluted, undefined)
    assert.equal(Object.getPrototypeOf(result), Object.prototype)
  })
})
