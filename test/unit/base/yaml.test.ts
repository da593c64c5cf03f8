import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseYaml, stringifyYaml, YamlError } from '../../../src/base/yaml.ts'

test('each document has its value and where it begins', () => {
  const documents = parseYaml('# first\na: 1\n---\n---\nb: [x, y]\n')
  assert.deepEqual(
    documents.map(({ value }) => value),
    [{ a: 1 }, undefined, { b: ['x', 'y'] }],
  )
  assert.deepEqual(documents[0]?.position, { line: 2, column: 1 })
  assert.deepEqual(documents[2]?.position, { line: 5, column: 1 })
})

test('the position of a field is where its key is written, and of a missing one where its parent is', () => {
  const [document] = parseYaml('spec:\n  env:\n    - name: A\n    - name: B\n      value: x\n')
  assert.deepEqual(document?.positionOf(['spec', 'env', 1, 'value']), { line: 5, column: 7 })
  assert.deepEqual(document?.positionOf(['spec', 'env', 1]), { line: 4, column: 7 })
  assert.deepEqual(document?.positionOf(['spec', 'command']), { line: 1, column: 1 })
  assert.deepEqual(document?.positionOf(['spec', 'env', 7]), { line: 2, column: 3 })
})

test('duplicate keys are told with path and place, and the last value counts', () => {
  const [document] = parseYaml('a: 1\nb:\n  - c: 1\n    c: 2\na: 3\n')
  assert.deepEqual(document?.value, { a: 3, b: [{ c: 2 }] })
  assert.deepEqual(document?.duplicates, [
    { path: 'b[0].c', position: { line: 4, column: 5 } },
    { path: 'a', position: { line: 5, column: 1 } },
  ])
})

test('JSON is read as what it is', () => {
  const [document] = parseYaml('{"a": {"b": [1, null, "x"]}}')
  assert.deepEqual(document?.value, { a: { b: [1, null, 'x'] } })
})

test('anchors, aliases and merge keys are resolved', () => {
  const [document] = parseYaml('base: &base {a: 1, b: 2}\nmore:\n  <<: *base\n  b: 3\n')
  assert.deepEqual(document?.value, { base: { a: 1, b: 2 }, more: { a: 1, b: 3 } })
  assert.deepEqual(document?.duplicates, [])
})

test('a key called __proto__ is an own key', () => {
  const value = parseYaml('__proto__: {polluted: true}\n')[0]?.value as Record<string, unknown>
  assert.deepEqual(Object.keys(value), ['__proto__'])
  assert.equal(({} as Record<string, unknown>).polluted, undefined)
})

const mistakes: readonly { readonly text: string; readonly line: number }[] = [
  { text: 'a: 1\nb: [1, 2\n', line: 3 },
  { text: 'a: b: c\n', line: 1 },
  { text: 'a: 1\n\tb: 2\n', line: 2 },
  { text: 'a: *nowhere\n', line: 1 },
]
for (const { text, line } of mistakes) {
  test(`${JSON.stringify(text)} is a mistake in line ${line}`, () => {
    assert.throws(
      () => parseYaml(text),
      (err) => err instanceof YamlError && err.position.line === line && !err.message.includes('\n'),
    )
  })
}

test('an alias inside of what it stands for is a mistake, one beside it is not', () => {
  for (const text of ['name: &a [*a]\n', 'a: &a {b: {c: [1, *a]}}\n']) {
    assert.throws(
      () => parseYaml(text),
      (err) => err instanceof YamlError && /an alias stands inside/.test(err.message),
    )
  }
  assert.deepEqual(parseYaml('a: &a [1]\nb: [*a, *a]\n')[0]?.value, { a: [1], b: [[1], [1]] })
})

test('aliases that would grow beyond all bounds are a mistake', () => {
  const levels = ['a: &a [x, x, x, x, x, x, x, x, x, x]']
  for (const [name, next] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh'].map((pair) => [...pair])) {
    levels.push(`${next}: &${next} [${Array.from({ length: 10 }, () => `*${name}`).join(', ')}]`)
  }
  assert.throws(() => parseYaml(levels.join('\n')), YamlError)
})

for (const [what, unit] of [
  ['flow lists', '['],
  ['flow maps', '{a: '],
  ['block lists', '- '],
  ['keys', '? '],
] as const) {
  test(`${what} that are nested too deeply are a mistake, and harm nothing else`, () => {
    assert.throws(
      () => parseYaml(unit.repeat(100_000)),
      (err) => err instanceof YamlError && /nested/.test(err.message),
    )
  })
}

test('ordinary nesting is no mistake', () => {
  const depth = 40
  const text = Array.from({ length: depth }, (_, level) => `${'  '.repeat(level)}a:`).join('\n')
  assert.equal(parseYaml(`${text} end`).length, 1)
  assert.equal(parseYaml(`${'['.repeat(depth)}${']'.repeat(depth)}`).length, 1)
})

test('what is written reads back the same', () => {
  const value = {
    text: 'a long line '.repeat(30),
    list: ['yes', 'no', '1', '1.0', ''],
    nested: { a: null, b: true, c: 1.5 },
    many: 'a\nb\n',
  }
  assert.deepEqual(parseYaml(stringifyYaml(value))[0]?.value, value)
})

// It was a 500 of the server and a crash of the command line: the library throws an Error without a class for it.
test('a merge of what is no map is a mistake of the text', () => {
  assert.throws(() => parseYaml('a: &a [1]\nb:\n  <<: x\n'), YamlError)
})
