import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { loadManifests } from '../../../src/manifest/load.ts'
import type { Manifest } from '../../../src/manifest/manifest.ts'

let dir = ''
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pmk-load-'))
})
after(() => rm(dir, { recursive: true, force: true }))

function manifest(name: string, more = ''): string {
  return `apiVersion: pmk.dev/v1\nkind: Process\nmetadata: {name: ${name}${more}}\nspec: {command: [sleep, "1"]}\n`
}

async function write(path: string, text: string | Uint8Array): Promise<string> {
  await mkdir(join(dir, path, '..'), { recursive: true })
  await writeFile(join(dir, path), text)
  return join(dir, path)
}

function load(...paths: readonly string[]): Promise<readonly Manifest[]> {
  return loadManifests({ paths, recursive: false, readInput: async () => Buffer.from(manifest('from-stdin')) })
}

async function namesIn(path: string, recursive: boolean): Promise<readonly string[]> {
  const found = await loadManifests({ paths: [path], recursive, readInput: async () => Buffer.from('') })
  return found.map(({ name }) => name)
}

test('a directory gives its manifests by name, and those of its directories only when asked', async () => {
  await write('tree/b.yaml', manifest('b'))
  await write('tree/a.yml', manifest('a'))
  await write('tree/c.json', JSON.stringify({ apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name: 'c' }, spec: {} }))
  await write('tree/readme.txt', 'not: [a manifest')
  await write('tree/.hidden.yaml', 'not: [a manifest')
  await write('tree/.git/x.yaml', 'not: [a manifest')
  await write('tree/sub/d.yaml', manifest('d'))
  await symlink(join(dir, 'tree/sub/d.yaml'), join(dir, 'tree/e.yaml'))
  assert.deepEqual(await namesIn(join(dir, 'tree'), false), ['a', 'b', 'c', 'd'])
  await rm(join(dir, 'tree/e.yaml'))
  assert.deepEqual(await namesIn(join(dir, 'tree'), true), ['a', 'b', 'c', 'd'])
})

test('documents, lists within documents and empty documents are taken apart', async () => {
  const list =
    'apiVersion: v1\nkind: List\nitems:\n  - apiVersion: pmk.dev/v1\n    kind: Process\n    metadata: {name: two}\n    spec: {}\n'
  const file = await write('many.yaml', `---\n# nothing\n---\n${manifest('one')}---\n${list}---\n`)
  const found = await load(file)
  assert.deepEqual(
    found.map(({ name, origin }) => [name, origin.line]),
    [
      ['one', 4],
      ['two', 12],
    ],
  )
})

test('a field of an object is found in its file, also in a list and by the key of an item', async () => {
  const text = [
    'apiVersion: v1',
    'kind: List',
    'items:',
    '  - apiVersion: pmk.dev/v1',
    '    kind: Process',
    '    metadata:',
    '      name: web',
    '      labels:',
    '        app.kubernetes.io/name: shop',
    '    spec:',
    '      command: [a]',
    '      env:',
    '        - name: A',
    '          value: "1"',
    '        - name: B',
    '          value: "2"',
  ]
  const [web] = await load(await write('lines.yaml', text.join('\n')))
  const lines: Readonly<Record<string, number>> = {
    'spec.env[1].value': 16,
    '.spec.env[name="A"].value': 14,
    'spec.env[B]': 12,
    'metadata.labels.app.kubernetes.io/name': 9,
    'metadata.labels[app.kubernetes.io/name]': 9,
    'spec.replicas': 10,
    'spec.command': 11,
    '': 4,
  }
  for (const [field, line] of Object.entries(lines)) assert.equal(web?.origin.lineOf(field), line, field)
})

test('standard input is named so', async () => {
  const [only] = await load('-')
  assert.deepEqual([only?.name, only?.origin.file], ['from-stdin', 'stdin'])
})

test('names of files may hold anything, and reach a terminal harmless', async () => {
  const file = await write("it's a \n \u001b[31m file.yaml", manifest('odd'))
  const [odd] = await load(file)
  assert.equal(odd?.name, 'odd')
  assert.equal(odd?.origin.file, JSON.stringify(file))
})

test('all problems of all files are told at once, each with its file and line', async () => {
  const good = await write('good.yaml', manifest('good'))
  const bad = await write('bad.yaml', 'apiVersion: pmk.dev/v1\nkind: Process\nmetadata:\n  labels: {}\n---\n- a list\n---\njust text\n')
  const broken = await write('broken.yaml', 'a: [1,\nb: 2\n')
  const missing = join(dir, 'missing.yaml')
  await assert.rejects(load(good, bad, broken, missing), {
    name: 'ManifestError',
    message: [
      `${bad}:3: metadata.name: Required value: every object needs a name`,
      `${bad}:6: expected an object with apiVersion and kind, found a list`,
      `${bad}:8: expected an object with apiVersion and kind, found the text "just text"`,
      `${broken}:2: invalid YAML at column 1: Flow sequence in block collection must be sufficiently indented and end with a ]`,
      `${missing}: no such file or directory`,
    ].join('\n'),
  })
})

interface Row {
  readonly given: string
  readonly text: string
  readonly problem: string
}

const head = 'apiVersion: pmk.dev/v1\nkind: Process\n'
const rows: readonly Row[] = [
  { given: 'no apiVersion', text: 'kind: Process\n', problem: '1: apiVersion: Required value: for a Process it is pmk.dev/v1' },
  { given: 'no kind', text: 'apiVersion: pmk.dev/v1\n', problem: '1: kind: Required value: what is described here, such as Process' },
  {
    given: 'a kind in another case',
    text: 'apiVersion: pmk.dev/v1\nkind: process\n',
    problem: '2: kind: no kind "process" in version "pmk.dev/v1"; did you mean kind Process of pmk.dev/v1?',
  },
  {
    given: 'a kind of somebody else',
    text: 'apiVersion: apps/v1\nkind: Deployment\n',
    problem: '2: kind: no kind "Deployment" in version "apps/v1"; \'pmk api-resources\' lists the kinds',
  },
  {
    given: 'a number for a name',
    text: `${head}metadata:\n  name: 12\n`,
    problem: '4: metadata.name: expected a text, found the number 12; put it in quotes',
  },
  {
    given: 'a name that leads out of its directory',
    text: `${head}metadata: {name: ../x}\n`,
    problem:
      "3: metadata.name: Invalid value: \"../x\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com')",
  },
  { given: 'metadata that is a list', text: `${head}metadata: []\n`, problem: '3: metadata: expected an object, found a list' },
  {
    given: 'a namespace for a kind without one',
    text: 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}\n',
    problem: '3: metadata.namespace: a Namespace belongs to no namespace; leave it out',
  },
  {
    given: 'a key twice',
    text: `${head}metadata: {name: a}\nspec:\n  nice: 1\n  nice: 2\n`,
    problem: '6: spec.nice: this key stands here a second time; keep one',
  },
  {
    given: 'items that are no list',
    text: 'apiVersion: v1\nkind: List\nitems: 3\n',
    problem: '3: items: expected a list, found the number 3',
  },
  {
    given: 'an alias of nothing',
    text: 'a: *nowhere\n',
    problem: '1: invalid YAML at column 1: Unresolved alias (the anchor must be set before the alias): nowhere',
  },
]

for (const { given, text, problem } of rows) {
  test(`${given}: told with its line`, async () => {
    const file = await write('row.yaml', text)
    await assert.rejects(load(file), { message: `${file}:${problem}` })
  })
}

test('the same object twice is refused, with both places', async () => {
  const first = await write('first.yaml', manifest('web'))
  const second = await write('second.yaml', `---\n${manifest('web')}`)
  await assert.rejects(load(first, second), { message: `${second}:2: Process web is also in ${first}:1; keep one` })
})

test('objects of one name in two namespaces are two', async () => {
  assert.equal(
    (await load(await write('two.yaml', `${manifest('web', ', namespace: a')}---\n${manifest('web', ', namespace: b')}`))).length,
    2,
  )
})

test('an object larger than the server takes is refused before it is sent', async () => {
  const file = await write('large.yaml', `${manifest('large')}# \nstatus: {x: "${'x'.repeat(3 * 1024 * 1024)}"}\n`)
  await assert.rejects(load(file), { message: `${file}:1: the object has 3Mi, more than the 3Mi that the server takes` })
})

test('what is not UTF-8 is refused', async () => {
  const file = await write('latin.yaml', Buffer.from([0x61, 0x3a, 0x20, 0xe9]))
  await assert.rejects(load(file), { message: `${file}: is not UTF-8 text` })
})

test('a directory without manifests is an error that says where to look', async () => {
  await write('empty/sub/a.yaml', manifest('a'))
  const path = join(dir, 'empty')
  await assert.rejects(load(path), {
    message: `${path}: no manifests in this directory (.json, .yaml, .yml); -R looks into its directories`,
  })
})
