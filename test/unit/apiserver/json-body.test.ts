import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJson } from '../../../src/apiserver/json-body.ts'
import { seededRandom } from '../../../src/base/random.ts'

const rows: readonly { readonly text: string; readonly duplicates: readonly string[] }[] = [
  { text: '{"a":1,"b":2}', duplicates: [] },
  { text: '{"a":1,"a":2}', duplicates: ['a'] },
  { text: '{"a":1,"a":2,"a":3}', duplicates: ['a'] },
  { text: '{"spec":{"x":1,"y":2,"x":3}}', duplicates: ['spec.x'] },
  { text: '{"spec":{"env":[{"name":"A"},{"name":"B","name":"C"}]}}', duplicates: ['spec.env[1].name'] },
  { text: '[{"op":"add","op":"remove"}]', duplicates: ['[0].op'] },
  { text: '{"a":{"a":{"a":1}}}', duplicates: [] },
  { text: '{"a":"b","c":"a","b":["a","a"]}', duplicates: [] },
  { text: '{"a\\u0062":1,"ab":2}', duplicates: ['ab'] },
  { text: '{"q\\"":1,"q\\"":2}', duplicates: ['q"'] },
  { text: '{"a\\\\":1,"b":"\\\\","a\\\\":2}', duplicates: ['a\\'] },
  { text: '{"a":"{\\"x\\":1,\\"x\\":2}"}', duplicates: [] },
  { text: '{"__proto__":1,"__proto__":2}', duplicates: ['__proto__'] },
  { text: ' { "a" : [ ] , "a" : { } } ', duplicates: ['a'] },
  { text: '{"a":[1,[2,{"b":0,"b":0}]]}', duplicates: ['a[1][1].b'] },
]
for (const { text, duplicates } of rows) {
  test(`${text} has ${duplicates.length === 0 ? 'no duplicate' : `the duplicate ${duplicates.join(', ')}`}`, () => {
    const parsed = parseJson(text)
    assert.deepEqual(parsed.duplicates, duplicates)
    assert.deepEqual(parsed.value, JSON.parse(text))
  })
}

test('a key called __proto__ is an own key and changes no prototype', () => {
  const value = parseJson('{"__proto__":{"polluted":true},"constructor":{"prototype":1}}').value as Record<string, unknown>
  assert.deepEqual(Object.keys(value), ['__proto__', 'constructor'])
  assert.equal(Object.getPrototypeOf(value), Object.prototype)
  assert.equal(({} as Record<string, unknown>).polluted, undefined)
})

for (const text of ['', '{', '{"a":1,}', '{"a":1}}', "{'a':1}", '{"a":"\n"}', 'nul']) {
  test(`${JSON.stringify(text)} is a SyntaxError`, () => assert.throws(() => parseJson(text), SyntaxError))
}

test('what is nested too deeply is a SyntaxError, however large it is', () => {
  assert.throws(() => parseJson('['.repeat(500_000) + ']'.repeat(500_000)), SyntaxError)
  assert.throws(() => parseJson(`${'{"a":'.repeat(1_000)}1${'}'.repeat(1_000)}`), /nested more than/)
  assert.deepEqual(parseJson('['.repeat(100) + ']'.repeat(100)).duplicates, [])
})

test('random documents parse as JSON.parse does, and exactly the keys written twice are told', () => {
  const seed = 20_261_122
  const random = seededRandom(seed)
  for (let round = 0; round < 3_000; round++) {
    const { text, duplicates } = randomDocument(random)
    const parsed = parseJson(text)
    assert.deepEqual(parsed.value, JSON.parse(text), `seed ${seed}, round ${round}: ${text}`)
    assert.deepEqual([...parsed.duplicates].sort(), [...new Set(duplicates)].sort(), `seed ${seed}, round ${round}: ${text}`)
  }
})

test('cutting or changing a random byte gives either what JSON.parse gives or a SyntaxError', () => {
  const random = seededRandom(7)
  for (let round = 0; round < 3_000; round++) {
    const { text } = randomDocument(random)
    const at = Math.floor(random() * text.length)
    const broken =
      random() < 0.5 ? text.slice(0, at) : text.slice(0, at) + '{}[],:"\\ x'.charAt(Math.floor(random() * 10)) + text.slice(at + 1)
    let expected: unknown
    try {
      expected = JSON.parse(broken)
    } catch {
      assert.throws(() => parseJson(broken), SyntaxError)
      continue
    }
    assert.deepEqual(parseJson(broken).value, expected)
  }
})

/** Writes a document key by key, so that it is known which keys were written twice. */
function randomDocument(random: () => number): { readonly text: string; readonly duplicates: readonly string[] } {
  const duplicates: string[] = []
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const space = (): string => pick(['', '', ' ', '\n\t'])
  const value = (path: string, depth: number): string => {
    const sort = depth > 4 ? 0 : random()
    if (sort < 0.4) return pick(['1', '-2.5e3', 'true', 'null', '""', '"a"', '"\\""', '"\\\\"', '"{\\"a\\":1}"', '"ü,:[]{}"'])
    const count = Math.floor(random() * 5)
    if (sort < 0.65) {
      return `[${space()}${Array.from({ length: count }, (_, index) => value(`${path}[${index}]`, depth + 1)).join(`${space()},`)}${space()}]`
    }
    const seen = new Set<string>()
    const fields = Array.from({ length: count }, () => {
      const key = pick(['a', 'b', 'c', 'name', '__proto__', 'a"', 'b\\', 'ü'])
      const child = path === '' ? key : `${path}.${key}`
      if (seen.has(key)) duplicates.push(child)
      seen.add(key)
      const written = random() < 0.2 && key === 'a' ? '"\\u0061"' : JSON.stringify(key)
      return `${space()}${written}${space()}:${space()}${value(child, depth + 1)}`
    })
    return `{${fields.join(',')}${space()}}`
  }
  return { text: value('', 0), duplicates }
}
