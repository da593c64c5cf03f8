import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { type Answer, commandLine, run, Server } from '../support/pmk.ts'

let server: Server
let base: string
before(async () => {
  server = await Server.start()
  base = mkdtempSync(join(tmpdir(), 'pmk-sync-'))
})
after(async () => {
  await server.ok('delete', 'sources', '--all')
  rmSync(base, { recursive: true, force: true })
  await server.close()
})

const map = (name: string, value = '1'): string => `apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}}
data: {value: "${value}"}
`

function directoryOf(name: string, files: Readonly<Record<string, string>>): string {
  const directory = join(base, name)
  mkdirSync(directory)
  for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text)
  return directory
}

/** In the directory above all others. */
const inBase = (...args: readonly string[]): Promise<Answer> =>
  run(['sh', '-c', 'cd "$0" && exec "$@"', base, ...commandLine(...args)], { PMK_HOME: server.dataDir })

test('a directory is applied in order, pruned of what it names no more, and nothing else is touched', { timeout: 60_000 }, async () => {
  const directory = directoryOf('shop', {
    'a.yaml': `${map('shop-a')}---\n${map('shop-b')}`,
    'z.yaml':
      'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: inner, namespace: shop}\n',
  })
  await server.apply(map('by-hand'))
  const dry = await server.ok('sync', directory, '--dry-run')
  assert.match(dry, /^configmap\/shop-a created \(server dry run\)$/m)
  assert.match(dry, /^namespace\/shop created \(server dry run\)$/m)
  assert.equal((await server.pmk('get', 'namespace', 'shop')).code, 1)
  const lines = (await server.ok('sync', directory, '--prune')).trimEnd().split('\n')
  assert.deepEqual(lines.sort(), [
    'configmap/inner created',
    'configmap/shop-a created',
    'configmap/shop-b created',
    'namespace/shop created',
  ])
  assert.match(await server.ok('get', 'configmap', 'shop-a', '--show-labels'), /pmk\.dev\/source=shop,pmk\.dev\/source-namespace=default/)

  writeFileSync(join(directory, 'a.yaml'), map('shop-a', '2'))
  assert.match(await server.ok('sync', directory, '--prune', '--dry-run'), /^configmap\/shop-b pruned \(server dry run\)$/m)
  await server.ok('get', 'configmap', 'shop-b')
  const second = await server.ok('sync', directory, '--prune')
  assert.match(second, /^configmap\/shop-a configured$/m)
  assert.match(second, /^namespace\/shop unchanged$/m)
  assert.match(second, /^configmap\/shop-b pruned$/m)
  await server.ok('get', 'configmap', 'by-hand')
  assert.equal((await server.pmk('get', 'configmap', 'shop-b')).code, 1)
  assert.equal(await server.ok('sync', directory, '-o', 'name'), 'configmap/shop-a\nnamespace/shop\nconfigmap/inner\n')
})

test('a mistake in one file is named with its line, and nothing is changed, but with --partial', { timeout: 60_000 }, async () => {
  const directory = directoryOf('flawed', {
    'good.yaml': map('good'),
    'bad.yaml': `${map('fine')}---\nkind: Nonsense\n`,
    'worse.yaml': 'a: [',
  })
  const { code, stdout, stderr } = await inBase('sync', './flawed')
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /^error: flawed\/bad\.yaml:\d+: /m)
  assert.match(stderr, /^error: flawed\/worse\.yaml:1: /m)
  assert.match(stderr, /^Nothing was changed\.$/m)
  assert.equal((await server.pmk('get', 'configmap', 'good')).code, 1)
  const partly = await server.pmk('sync', directory, '--partial')
  assert.equal(partly.code, 1)
  assert.equal(partly.stdout, 'configmap/good created\n')
  assert.match(partly.stderr, /worse\.yaml:1: /)
})

test('a directory that has become empty removes nothing before somebody says so, and one that is not there never', {
  timeout: 60_000,
}, async () => {
  const directory = directoryOf('fading', { 'a.yaml': map('fading') })
  await server.ok('sync', directory, '--prune')
  rmSync(join(directory, 'a.yaml'))
  const held = await server.pmk('sync', directory, '--prune')
  assert.equal(held.code, 1)
  assert.match(held.stderr, /1 object of source fading would be removed; nothing was.* --prune --confirm-prune/)
  const asked = await server.pmk('sync', directory, '--prune', '--confirm-prune')
  assert.equal(asked.code, 1)
  assert.match(asked.stderr, /ConfigMap default\/fading\n.*--yes/s)
  await server.ok('get', 'configmap', 'fading')
  const gone = await server.pmk('sync', join(base, 'nowhere', 'fading'), '--prune', '--confirm-prune', '--yes')
  assert.match(gone.stderr, /no such file or directory/)
  await server.ok('get', 'configmap', 'fading')
  assert.equal(await server.ok('sync', directory, '--prune', '--confirm-prune', '--yes'), 'configmap/fading pruned\n')
})

test('what belongs to a ManifestSource is left to it', { timeout: 60_000 }, async () => {
  const directory = directoryOf('owned', { 'a.yaml': map('owned') })
  await server.apply(`apiVersion: pmk.dev/v1\nkind: ManifestSource\nmetadata: {name: owned}\nspec: {path: ${directory}, interval: 1h}\n`)
  await server.ok('wait', 'source/owned', '--for=condition=Ready', '--timeout=30s')
  const same = await server.pmk('sync', directory)
  assert.equal(same.code, 1)
  assert.match(same.stderr, /pmk sync source\/owned, or give this directory another name with --name/)
  const other = await server.pmk('sync', directory, '--name', 'mine')
  assert.equal(other.code, 1)
  assert.match(other.stderr, /a\.yaml:1: ConfigMap default\/owned is kept by ManifestSource default\/owned/)
  assert.match(await server.ok('get', 'configmap', 'owned', '--show-labels'), /pmk\.dev\/source=owned/)

  const both = await inBase('sync', 'owned')
  assert.equal(both.code, 1)
  assert.match(both.stderr, /write \.\/owned or source\/owned/)
  assert.equal((await inBase('sync', 'source/owned')).code, 0)
  assert.match((await inBase('sync', 'owned', 'shop')).stderr, /./)
  assert.match((await inBase('sync', './owned', '--all')).stderr, /one at a time/)
  assert.match((await inBase('sync', 'owned.d')).stderr, /owned\.d: no such file or directory/)
  assert.match((await server.pmk('sync', 'source/owned', '--prune')).stderr, /--prune is for a directory/)
})

test('fields that somebody else has are taken, and that is told', { timeout: 60_000 }, async () => {
  const directory = directoryOf('taking', { 'a.yaml': map('taken', 'new') })
  await run([...commandLine('apply', '-f', '-', '--field-manager=somebody')], { PMK_HOME: server.dataDir }, map('taken', 'old'))
  const { stdout, stderr } = await server.pmk('sync', directory)
  assert.equal(stdout, 'configmap/taken configured\n')
  assert.match(stderr, /^Warning: configmap\/taken: took data\.value back from somebody$/m)
})

test('--wait tells which Process does not become healthy', { timeout: 60_000 }, async () => {
  const process_ = (name: string, command: string): string =>
    `apiVersion: pmk.dev/v1\nkind: Process\nmetadata: {name: ${name}}\nspec: {command: ${command}}\n`
  const directory = directoryOf('health', { 'a.yaml': process_('well', '[sleep, "1000000"]') })
  await server.ok('sync', directory, '--wait', '--timeout=30s')
  assert.match(await server.ok('get', 'process', 'well'), /1\/1/)
  writeFileSync(join(directory, 'b.yaml'), process_('unwell', '[/nowhere/program]'))
  const { code, stderr } = await server.pmk('sync', directory, '--wait', '--timeout=30s')
  assert.equal(code, 1)
  assert.match(stderr, /Process default\/unwell is .*pmk why unwell/)
})

test('--watch applies each change until it is interrupted', { timeout: 60_000 }, async () => {
  const directory = directoryOf('watched', { 'a.yaml': map('watched') })
  const [file = '', ...args] = commandLine('sync', directory, '--watch', '--prune')
  const child = spawn(file, args, { env: { ...process.env, PMK_HOME: server.dataDir }, stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString()
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  try {
    await eventually(() => assert.equal(out, 'configmap/watched created\n', err))
    writeFileSync(join(directory, 'b.yaml'), map('second'))
    await eventually(() => assert.match(out, /\nconfigmap\/second created\n$/, err))
    writeFileSync(join(directory, 'b.yaml'), 'a: [')
    await eventually(() => assert.match(err, /b\.yaml:1: .*\nNothing was changed\.\n/))
    rmSync(join(directory, 'b.yaml'))
    await eventually(() => assert.match(out, /\nconfigmap\/second pruned\n$/, err))
    rmSync(join(directory, 'a.yaml'))
    await eventually(() => assert.match(err, /would be removed; nothing was/))
    assert.doesNotMatch(out, /unchanged/)
  } finally {
    child.kill('SIGINT')
  }
  assert.equal(await ended, 130)
  await server.ok('get', 'configmap', 'watched')
})
