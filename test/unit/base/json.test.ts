import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { canonicalJson, deepFreeze, isJsonObject, jsonEqual, sortKeys } from '../../../src/base/json.ts'

describe('jsonEqual', () => {
  const equal: [unknown, unknown][] = [
    [1, 1],
    ['a', 'a'],
    [null, null],
    [
      [1, [2]],
      [1, [2]],
    ],
    [
      { a: 1, b: { c: [] } },
      { b: { c: [] }, a: 1 },
    ],
    [{ a: 1, b: undefined }, { a: 1 }],
    [{ a: 1 }, { a: 1, b: undefined }],
  ]
  const different: [unknown, unknown][] = [
    [1, '1'],
    [0, false],
    [null, {}],
    [[], {}],
    [
      [1, 2],
      [2, 1],
    ],
    [[1], [1, 2]],
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, { a: 1, b: 2 }],
    [{ a: null }, {}],
    [{ toString: 1 }, {}],
    [{}, { constructor: 1 }],
  ]
  for (const [a, b] of equal) it(`finds ${JSON.stringify(a)} and ${JSON.stringify(b)} equal`, () => assert.equal(jsonEqual(a, b), true))
  for (const [a, b] of different) {
    it(`tells ${JSON.stringify(a)} from ${JSON.stringify(b)}`, () => assert.deepEqual([jsonEqual(a, b), jsonEqual(b, a)], [false, false]))
  }
})

describe('canonicalJson', () => {
  it('is one text whatever the order of keys, of numbers used as keys too', () => {
    assert.equal(canonicalJson({ b: [{ z: 1, a: null }], a: 'x"' }), '{"a":"x\\"","b":[{"a":null,"z":1}]}')
    assert.equal(canonicalJson({ 10: 1, 9: 2, a: undefined }), '{"10":1,"9":2}')
  })
})

describe('sortKeys', () => {
  it('sorts at every level and leaves lists in order', () => {
    assert.equal(JSON.stringify(sortKeys({ b: [{ z: 1, a: 2 }, 3], a: undefined, _: 'x' })), '{"_":"x","b":[{"a":2,"z":1},3]}')
  })
})

describe('deepFreeze', () => {
  it('freezes everything below, and only JSON objects are objects', () => {
    const value = deepFreeze({ a: [{ b: 1 }] })
    assert.deepEqual([Object.isFrozen(value), Object.isFrozen(value.a), Object.isFrozen(value.a[0])], [true, true, true])
    assert.deepEqual([{}, [], null, 'x'].map(isJsonObject), [true, false, false, false])
  })
})
