import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Answer, missing, run, Server } from '../support/pmk.ts'

let server: Server
let base: string
before(async () => {
  server = await Server.start()
  base = mkdtempSync(join(tmpdir(), 'pmk-diff-'))
})
after(async () => {
  await server.ok('delete', 'sources', '--all')
  rmSync(base, { recursive: true, force: true })
  await server.close()
})

const secret = (value: string): string =>
  `apiVersion: v1\nkind: Secret\nmetadata: {name: token}\nstringData: {key: ${value}, same: unchanged-value}\n`
const web = (seconds: number): string =>
  `apiVersion: pmk.dev/v1\nkind: Process\nmetadata: {name: web}\nspec: {command: [sleep, "${seconds}"]}\n`

test('diff --source tells what a source would change, restart and delete, and no secret value', { timeout: 60_000 }, async () => {
  const directory = join(base, 'site')
  mkdirSync(directory)
  const write = (file: string, text: string): void => writeFileSync(join(directory, file), text)
  write('web.yaml', web(1_000_001))
  write('token.yaml', secret('first-value'))
  write('old.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: old}\n')
  await server.apply(
    `apiVersion: pmk.dev/v1\nkind: ManifestSource\nmetadata: {name: site}\nspec: {path: ${directory}, interval: 1h, prune: true}\n`,
  )
  await server.ok('wait', 'source/site', '--for=condition=Ready', '--timeout=30s')
  assert.equal(await server.ok('diff', '--source', 'site'), '')
  await server.ok('suspend', 'source/site', '--wait')

  write('web.yaml', web(1_000_002))
  write('token.yaml', secret('second-value'))
  write('new.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\n')
  rmSync(join(directory, 'old.yaml'))
  const { code, stdout, stderr } = await server.pmk('diff', '--source', 'site')
  assert.equal(code, 1, stderr)
  assert.match(stdout, /^\+ +- "1000002"$/m)
  assert.match(stdout, /^process\.pmk\.dev\/web: spec\.command\b.* changes \(restart\)$/m)
  assert.match(stdout, /^Process web will restart: spec\.command/m)
  assert.match(stdout, /^configmap\/new will be created$/m)
  assert.match(stdout, /^ConfigMap default\/old will be deleted$/m)
  assert.match(stdout, /^\+ +key: "?\*\*\* \(after\)"?$/m)
  assert.match(stderr, /source site is suspended/)
  // Nothing was done, and what the server itself answers holds no value either.
  await server.ok('get', 'configmap', 'old')
  const answer = await server.client.request({ method: 'GET', path: '/apis/pmk.dev/v1/namespaces/default/manifestsources/site/preview' })
  const text = await answer.text()
  assert.match(text, /"kind":"SourcePreview"/)
  for (const value of ['first-value', 'second-value', 'unchanged-value'])
    for (const form of [value, Buffer.from(value).toString('base64')]) assert.ok(!text.includes(form), `it holds ${form}`)

  write('bad.yaml', 'kind: Nonsense\n')
  const bad = await server.pmk('diff', '--source', 'source/site')
  assert.equal(bad.code, 2)
  assert.equal(bad.stdout, '')
  assert.match(bad.stderr, /^error: bad\.yaml:1: .*\nNothing would be changed\.$/m)
  assert.equal((await server.pmk('diff', '--source', 'sight')).code, 2)
  assert.equal((await server.pmk('diff', '--source', 'site', '-f', 'x')).code, 2)
})

test('diff --source reads a repository anew, and leaves nothing of that', { timeout: 60_000, skip: missing('git') }, async () => {
  const repository = join(base, 'repository')
  const git = async (...args: readonly string[]): Promise<Answer> => {
    const answer = await run(['git', '-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args])
    assert.equal(answer.code, 0, answer.stderr)
    return answer
  }
  mkdirSync(repository)
  await git('init', '-q', '-b', 'main')
  writeFileSync(join(repository, 'a.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: of-git}\ndata: {a: "1"}\n')
  await git('add', '.')
  await git('commit', '-qm', 'one')
  await server.apply(
    `apiVersion: pmk.dev/v1\nkind: ManifestSource\nmetadata: {name: repo}\nspec: {git: {url: "file://${repository}", ref: {branch: main}}, interval: 1h}\n`,
  )
  await server.ok('wait', 'source/repo', '--for=condition=Ready', '--timeout=30s')
  writeFileSync(join(repository, 'a.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: of-git}\ndata: {a: "2"}\n')
  await git('commit', '-qam', 'two')
  const { code, stdout, stderr } = await server.pmk('diff', '--source', 'repo')
  assert.equal(code, 1, stderr)
  assert.match(stdout, /^configmap\/of-git: data\.a changes$/m)
  const previews = join(server.dataDir, 'previews')
  assert.deepEqual(existsSync(previews) ? readdirSync(previews) : [], [])
  assert.match(await server.ok('get', 'configmap', 'of-git', '-o', 'jsonpath={.data.a}'), /^1$/)
})
