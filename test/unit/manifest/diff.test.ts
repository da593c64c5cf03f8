import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../../src/base/random.ts'
import { findChanges } from '../../../src/manifest/changes.ts'
import { groupByOrder } from '../../../src/manifest/order.ts'
import { parseManifests } from '../../../src/manifest/parse.ts'
import { unifiedDiff } from '../../../src/manifest/unified-diff.ts'

function diff(from: readonly string[], to: readonly string[]): string {
  return unifiedDiff(
    { name: 'a', text: from.map((line) => `${line}\n`).join('') },
    { name: 'b', text: to.map((line) => `${line}\n`).join('') },
  )
}

test('a unified diff has three lines around each change and joins those that touch', () => {
  const lines = Array.from({ length: 20 }, (_, at) => `line ${at + 1}`)
  const changed = lines.toSpliced(4, 1, 'five').toSpliced(15, 1)
  assert.equal(
    diff(lines, changed),
    [
      '--- a',
      '+++ b',
      '@@ -2,7 +2,7 @@',
      ' line 2',
      ' line 3',
      ' line 4',
      '-line 5',
      '+five',
      ' line 6',
      ' line 7',
      ' line 8',
      '@@ -13,7 +13,6 @@',
      ' line 13',
      ' line 14',
      ' line 15',
      '-line 16',
      ' line 17',
      ' line 18',
      ' line 19',
      '',
    ].join('\n'),
  )
})

test('what is new is all plus, what is the same is nothing', () => {
  assert.equal(diff([], ['x', 'y']), '--- a\n+++ b\n@@ -0,0 +1,2 @@\n+x\n+y\n')
  assert.equal(diff(['x'], []), '--- a\n+++ b\n@@ -1 +0,0 @@\n-x\n')
  assert.equal(diff(['x'], ['x']), '')
})

test('a diff applied to the one text gives the other, and is as short as can be', () => {
  const seed = 20_261_122
  const random = seededRandom(seed)
  const pick = (): readonly string[] => Array.from({ length: Math.floor(random() * 30) }, () => 'abcd'.charAt(Math.floor(random() * 4)))
  for (let round = 0; round < 300; round++) {
    const from = pick()
    const to = pick()
    const text = diff(from, to)
    assert.deepEqual(patched(from, text), to, `seed ${seed}, round ${round}`)
    const edits = text === '' ? 0 : text.split('\n').filter((line) => /^[-+](?![-+])/.test(line)).length
    assert.equal(edits, from.length + to.length - 2 * longestCommon(from, to), `seed ${seed}, round ${round}`)
  }
})

/** What `patch` would make of it. */
function patched(from: readonly string[], text: string): readonly string[] {
  const out: string[] = []
  let at = 0
  for (const line of text.split('\n').slice(2)) {
    const hunk = /^@@ -(\d+)(?:,(\d+))? /.exec(line)
    if (hunk !== null) {
      const start = Number(hunk[1]) - (hunk[2] === '0' ? 0 : 1)
      while (at < start) out.push(from[at++] ?? '')
    } else if (line.startsWith(' ')) {
      assert.equal(from[at], line.slice(1))
      out.push(from[at++] ?? '')
    } else if (line.startsWith('-')) {
      assert.equal(from[at++], line.slice(1))
    } else if (line.startsWith('+')) {
      out.push(line.slice(1))
    }
  }
  return [...out, ...from.slice(at)]
}

function longestCommon(a: readonly string[], b: readonly string[]): number {
  let last = new Array<number>(b.length + 1).fill(0)
  for (const x of a) {
    const row = [0]
    for (const [j, y] of b.entries()) row.push(x === y ? (last[j] ?? 0) + 1 : Math.max(last[j + 1] ?? 0, row[j] ?? 0))
    last = row
  }
  return last[b.length] ?? 0
}

test('the smallest fields that differ are named', () => {
  const from = { spec: { command: ['a', 'b'], env: [{ name: 'A' }], gone: 1, labels: { 'a.b/c': 'x' } } }
  const to = { spec: { command: ['a', 'c'], env: [], labels: { 'a.b/c': 'y' }, new: { deep: true } } }
  assert.deepEqual(
    findChanges(from, to).map(({ field }) => field),
    ['spec.command[1]', 'spec.env', 'spec.gone', 'spec.labels["a.b/c"]', 'spec.new'],
  )
  assert.deepEqual(findChanges(from, structuredClone(from)), [])
})

test('namespaces come first, what others refer to next, the rest in the order of the file', () => {
  const text = ['Process z', 'Secret s', 'Namespace n', 'Process a', 'ConfigMap c']
    .map((word) => word.split(' '))
    .map(([kind, name]) => `apiVersion: ${kind === 'Process' ? 'pmk.dev/v1' : 'v1'}\nkind: ${kind}\nmetadata: {name: ${name}}\n`)
    .join('---\n')
  const groups = groupByOrder(parseManifests('x.yaml', text)).map((group) => group.map(({ name }) => name))
  assert.deepEqual(groups, [['n'], ['s', 'c'], ['z', 'a']])
})
