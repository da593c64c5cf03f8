import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { parseFieldSelector, parseLabelSelector } from '../../src/api/selector.ts'
import { ApiError } from '../../src/api/status.ts'
import { seededRandom } from '../../src/base/random.ts'
import { loadManifests } from '../../src/manifest/load.ts'
import { ManifestError, type Problem } from '../../src/manifest/manifest.ts'
import { Dice, oddText } from '../support/spoil.ts'
import { tempDir } from '../support/temp-dir.ts'

// PMK_SEED=n replays a run. PMK_FUZZ_MINUTES=n goes on for longer (npm run fuzz).
const seed = Number(nodeProcess.env.PMK_SEED ?? Math.floor(Math.random() * 1e9))
const minutes = Number(nodeProcess.env.PMK_FUZZ_MINUTES ?? 0)
const CASES = 600
/** What is exponential takes hours, what is linear in a text of some kilobytes some milliseconds. */
const MOST_CPU_MILLIS = 10_000

const WHOLE = `apiVersion: pmk.dev/v1
kind: Process
metadata:
  name: web
  labels: {app: web}
spec:
  command: [sleep, "1000"]
  env:
    - {name: A, value: "b"}
  readinessProbe:
    httpGet: {port: 80, path: /}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data:
  text: |
    lines
    of text
`
const PIECES: readonly string[] = [
  '\t',
  '\r\n',
  '\r',
  '\ufeff',
  '\u0000',
  '\u2028',
  '---\n',
  '...\n',
  '- ',
  '? ',
  ': ',
  '!!binary ',
  '!!set {a}',
  '!foo ',
  '&a ',
  '*a',
  '*b ',
  '<<: *a\n',
  '&a [*a]',
  '{a: &b {c: *b}}',
  '%YAML 9.9\n',
  '%TAG ! x\n',
  '"',
  "'",
  '|2\n',
  '>-\n',
  '{',
  '[',
  '}',
  ']',
  ',',
  '#',
  '~',
  '0x1f',
  '1e999',
  '.inf',
  '.nan',
  '2026-01-01',
  '__proto__: {polluted: 1}\n',
  'constructor: 1\n',
  '? {a: b}\n: c\n',
  '? [a]\n: c\n',
  'null: null\n',
  'kind: List\nitems: [{kind: List, items: [1, null, [[]]]}]\n',
  'items: 5\n',
  `${'  '.repeat(40)}x: 1\n`,
  `${'['.repeat(300)}`,
  'é'.repeat(100),
]

function spoilt(dice: Dice): Uint8Array {
  let text = WHOLE
  for (let times = 1 + dice.below(4); times > 0; times--) {
    const at = dice.below(text.length)
    const piece = dice.chance(0.85) ? dice.of(PIECES) : oddText(dice).slice(0, 2_000)
    const gone = dice.chance(0.5) ? 0 : dice.below(20)
    text = text.slice(0, at) + piece + text.slice(at + gone)
  }
  const bytes = Buffer.from(text)
  if (dice.chance(0.03)) bytes[dice.below(bytes.length)] = 0xff
  return bytes
}

async function problemsOf(load: Promise<unknown>): Promise<readonly Problem[]> {
  try {
    await load
    return []
  } catch (err) {
    assert.ok(err instanceof ManifestError, `not a ManifestError: ${(err as Error).stack}`)
    assert.ok(err.problems.length > 0, 'a ManifestError without a problem')
    return err.problems
  }
}

test(`whatever is in a manifest, it is read or every problem names its file and line (seed ${seed})`, async (t) => {
  const dice = new Dice(seededRandom(seed))
  const end = performance.now() + (minutes * 60_000) / 2
  let read = 0
  let cases = 0
  for (; minutes > 0 ? performance.now() < end : cases < CASES; cases++) {
    const bytes = spoilt(dice)
    const before = nodeProcess.cpuUsage()
    try {
      const problems = await problemsOf(loadManifests({ paths: ['-'], recursive: false, readInput: async () => bytes }))
      if (problems.length === 0) read++
      for (const { file, line, message } of problems) {
        assert.equal(file, 'stdin')
        assert.ok(message !== '', 'a problem without a message')
        if (message !== 'is not UTF-8 text') assert.ok(line !== undefined && line >= 1, `no line: ${message}`)
      }
      const { user, system } = nodeProcess.cpuUsage(before)
      assert.ok((user + system) / 1_000 < MOST_CPU_MILLIS, `it took ${(user + system) / 1_000} ms of processor time`)
      assert.equal(({} as { polluted?: unknown }).polluted, undefined, 'a prototype was altered')
    } catch (err) {
      throw new Error(`case ${cases}: ${(err as Error).message}\n${Buffer.from(bytes).toString('base64')}`, { cause: err })
    }
  }
  t.diagnostic(`seed ${seed}: ${cases} texts, ${read} of them read`)
  assert.ok(read > 0, 'none was read: that tests little')
})

test(`whatever a selector says, it is parsed or refused (seed ${seed})`, () => {
  const dice = new Dice(seededRandom(seed))
  const words = [
    'a',
    'b.c/d',
    '=',
    '==',
    '!=',
    '!',
    ',',
    '(',
    ')',
    'in',
    'notin',
    '>',
    '<',
    ' ',
    '\\',
    '\\,',
    '1',
    '__proto__',
    '\n',
    'metadata.name',
  ]
  for (let count = 0; count < 4_000; count++) {
    const text = Array.from({ length: dice.below(12) }, () => (dice.chance(0.95) ? dice.of(words) : oddText(dice))).join('')
    for (const parse of [parseLabelSelector, parseFieldSelector]) {
      try {
        parse(text)
      } catch (err) {
        assert.ok(err instanceof ApiError && err.status.code === 400, `${JSON.stringify(text)}: ${(err as Error).stack}`)
      }
    }
  }
})

test('bombs and depths are refused, and take no time', async () => {
  const before = nodeProcess.cpuUsage()
  const laughs = `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghijklm'].map((name, at) => `${name}: &${name} [${`*${'abcdefghijkl'[at]},`.repeat(9)}]`).join('\n')}\n`
  for (const text of [laughs, '['.repeat(100_000), '- '.repeat(100_000), '{a: '.repeat(100_000), '&a [*a]', 'a: &b\n  c: *b\n']) {
    const problems = await problemsOf(loadManifests({ paths: ['-'], recursive: false, readInput: async () => Buffer.from(text) }))
    assert.ok((problems[0]?.line ?? 0) >= 1, `${text.slice(0, 20)} was read`)
  }
  const { user, system } = nodeProcess.cpuUsage(before)
  assert.ok((user + system) / 1_000 < MOST_CPU_MILLIS, `it took ${(user + system) / 1_000} ms of processor time`)
})

test('files that are none are read as far as makes sense, or refused by name', async () => {
  const { path, remove } = await tempDir()
  try {
    const load = (name: string, recursive = false): Promise<unknown> =>
      loadManifests({ paths: [name], recursive, readInput: async () => Buffer.alloc(0) })
    const at = (name: string): string => join(path, name)
    const manifest = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n'
    await writeFile(at('good.yaml'), manifest)
    await symlink('loop.yaml', at('loop.yaml'))
    await mkdir(at('empty'))
    await mkdir(at('many'))
    await promisify(execFile)('mkfifo', [at('many/pipe.yaml'), at('pipe')])
    await symlink(path, at('many/up'))
    await symlink('/dev/zero', at('many/zero.yaml'))
    await writeFile(at('many/good.yaml'), manifest)
    // Without bound this would never end.
    const [zero] = await problemsOf(load('/dev/zero'))
    assert.match(zero?.message ?? '', /has more than 64/)
    for (const [name, message] of [
      [at('loop.yaml'), /too many symbolic links/],
      [at('empty'), /no manifests in this directory/],
      [at('none'), /no such file/],
      [`${at('good.yaml')}/x`, /not a directory/],
      [`/${'x'.repeat(5_000)}`, /too long/],
      ['a\0b', /null bytes|no such/],
    ] as const) {
      const [problem] = await problemsOf(load(name))
      assert.match(problem?.message ?? 'it was read', message)
    }
    // Of a directory only files are read: not its pipes and devices, nor what a link back up would find again.
    assert.deepEqual(await problemsOf(load(at('many'), true)), [])
    // A pipe that is named is read, as `<(…)` of a shell is.
    const writer = spawn('sh', ['-c', 'cat "$0" > "$1"', at('good.yaml'), at('pipe')], { stdio: 'ignore' })
    assert.deepEqual(await problemsOf(load(at('pipe'))), [])
    writer.kill()
  } finally {
    await remove()
  }
})
