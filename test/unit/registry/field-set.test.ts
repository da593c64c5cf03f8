import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '../../../src/base/random.ts'
import { compareElements, formatFieldPath, keyElement, parseElement, valueElement } from '../../../src/registry/field-path.ts'
import {
  difference,
  EMPTY_SET,
  equalSets,
  type FieldSet,
  fieldSet,
  fromFieldsV1,
  intersection,
  isEmptySet,
  LEAF_SET,
  pathsOf,
  toFieldsV1,
  union,
} from '../../../src/registry/field-set.ts'

const setOf = (...paths: string[]): FieldSet =>
  paths.reduce(
    (set, path) =>
      union(
        set,
        path
          .split(' ')
          .reverse()
          .reduce((below, element) => fieldSet(false, [[element, below]]), LEAF_SET),
      ),
    EMPTY_SET,
  )
const textsOf = (set: FieldSet): string[] => pathsOf(set).map((path) => path.join(' '))

describe('path elements', () => {
  const table: [string, string | undefined, string?][] = [
    ['f:name', 'f:name', '.name'],
    ['f:', 'f:', '.'],
    ['f:example.com/a', 'f:example.com/a', '.example.com/a'],
    ['i:12', 'i:12', '[12]'],
    ['i:-1', undefined],
    ['i:x', undefined],
    ['v:"x"', 'v:"x"', '[="x"]'],
    ['v: 1', 'v:1', '[=1]'],
    ['v:x', undefined],
    ['k:{"name":"A"}', 'k:{"name":"A"}', '[name="A"]'],
    ['k:{"port": 80, "a":true}', 'k:{"a":true,"port":80}', '[a=true,port=80]'],
    ['k:{}', undefined],
    ['k:[]', undefined],
    ['k:{', undefined],
    ['f: with  spaces ', 'f: with  spaces ', '. with  spaces '],
    ['f:größe', 'f:größe', '.größe'],
    ['v:null', 'v:null', '[=null]'],
    ['v:3.14', 'v:3.14', '[=3.14]'],
    ['v:false', 'v:false', '[=false]'],
    ['v:{"b":1,"a":[2]}', 'v:{"a":[2],"b":1}', '[={"a":[2],"b":1}]'],
    ['v:"\\u0061" ', 'v:"a"', '[="a"]'],
    ['k:{"n":null}', 'k:{"n":null}', '[n=null]'],
    ['k:{"n":"a 😀"}', 'k:{"n":"a 😀"}', '[n="a 😀"]'],
    ['k:{"a":"b","c":1,"d":1.5,"e":true}', 'k:{"a":"b","c":1,"d":1.5,"e":true}', '[a="b",c=1,d=1.5,e=true]'],
    ['x:a', undefined],
    ['', undefined],
    ['f', undefined],
    ['v', undefined],
    ['name', undefined],
    ['i:', undefined],
    ['i:1.5', undefined],
    ['i: 0', undefined],
    ['i:0 ', undefined],
    ['v:', undefined],
    ['v:"\\x41"', undefined],
    ['v:{"a":1} {"b":2}', undefined],
    ['v:{"a":1} more', undefined],
    ['k:{"a":b}', undefined],
    ['k:{"a":1} {"b":2}', undefined],
  ]
  for (const [text, element, path] of table) {
    it(`read ${text || 'nothing'} as ${element ?? 'no element'}`, () => {
      assert.equal(parseElement(text), element)
      if (element !== undefined) assert.equal(formatFieldPath([element]), path)
    })
  }

  it('come as fields, items by key, items of sets and indexes, numbers by their size', () => {
    const sorted = ['f:a', 'f:b', 'k:{"a":1}', 'k:{"a":2}', 'k:{"a":2,"b":1}', 'k:{"a":10}', 'k:{"b":1}', 'v:2', 'v:10', 'i:2', 'i:10']
    assert.deepEqual([...sorted].reverse().sort(compareElements), sorted)
    assert.deepEqual(['v:"b"', 'v:"a"'].sort(compareElements), ['v:"a"', 'v:"b"'])
  })

  it('are equal whatever the order of the keys they were made of', () => {
    assert.equal(keyElement({ b: 1, a: 'x' }), keyElement({ a: 'x', b: 1 }))
    assert.equal(valueElement('a'), 'v:"a"')
  })
})

describe('FieldsV1', () => {
  it('is sorted and says with a dot that a node is a member beside what is below it', () => {
    const set = setOf('f:spec f:b', 'f:spec f:a k:{"name":"A"}', 'f:spec f:a k:{"name":"A"} f:value', 'f:metadata')
    assert.equal(
      JSON.stringify(toFieldsV1(set)),
      '{"f:metadata":{},"f:spec":{"f:a":{"k:{\\"name\\":\\"A\\"}":{".":{},"f:value":{}}},"f:b":{}}}',
    )
  })

  it('reads as empty when it is empty', () => {
    const set = fromFieldsV1({})
    assert.ok(set !== undefined && isEmptySet(set))
  })

  const deep = (depth: number): object => (depth === 0 ? {} : { 'f:a': deep(depth - 1) })
  for (const [title, fields] of [
    ['text', 'x'],
    ['a list', []],
    ['null', null],
    ['a step without a sort', { 'f:b': {}, plain: {} }],
    ['a value that is no object', { 'f:a': 1 }],
    ['depth without end', deep(10_000)],
  ] as const) {
    it(`is not ${title}`, () => assert.equal(fromFieldsV1(fields), undefined))
  }
})

it('FieldsV1 of a later version is read without the steps that are not known yet', () => {
  const set = fromFieldsV1({ 'f:a': { 'q:later': {}, 'f:b': {} }, 'q:a': { 'f:b': {} } })
  assert.ok(set !== undefined)
  assert.deepEqual(textsOf(set), ['f:a f:b'])
})

describe('field sets', () => {
  it('unite, subtract and intersect member by member', () => {
    const a = setOf('f:a', 'f:a f:b', 'f:c')
    const b = setOf('f:a', 'f:c f:d')
    assert.deepEqual(textsOf(union(a, b)), ['f:a', 'f:c', 'f:a f:b', 'f:c f:d'])
    assert.deepEqual(textsOf(difference(a, b)), ['f:c', 'f:a f:b'])
    assert.deepEqual(textsOf(intersection(a, b)), ['f:a'])
  })

  it('obey the laws of sets, give back an argument when they can, and survive FieldsV1', () => {
    const random = seededRandom(7)
    const element = (): string => ['f:a', 'f:b', 'k:{"n":"x"}', 'v:1', 'i:0'][Math.floor(random() * 5)] ?? ''
    const path = (): string => Array.from({ length: 1 + Math.floor(random() * 3) }, element).join(' ')
    for (let round = 0; round < 500; round++) {
      const left = Array.from({ length: Math.floor(random() * 8) }, path)
      const right = Array.from({ length: Math.floor(random() * 8) }, path)
      const a = setOf(...left)
      const b = setOf(...right)
      const expect = (set: FieldSet, wanted: string[]): void => assert.deepEqual(textsOf(set).sort(), [...new Set(wanted)].sort())
      expect(union(a, b), [...left, ...right])
      expect(
        difference(a, b),
        left.filter((one) => !right.includes(one)),
      )
      expect(
        intersection(a, b),
        left.filter((one) => right.includes(one)),
      )
      assert.equal(union(a, intersection(a, b)), a)
      assert.equal(difference(a, difference(b, a)), a)
      assert.equal(equalSets(union(a, b), union(b, a)), true)
      assert.equal(equalSets(a, b), isEmptySet(difference(a, b)) && isEmptySet(difference(b, a)))
      const again = fromFieldsV1(JSON.parse(JSON.stringify(toFieldsV1(a))))
      assert.ok(again !== undefined && equalSets(again, a))
    }
  })
})
