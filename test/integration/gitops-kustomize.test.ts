import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { DirectoryOrigin } from '../../src/gitops/directory-origin.ts'
import { type Built, kustomize } from '../../src/gitops/kustomize.ts'
import { referencesOf } from '../../src/gitops/kustomize-references.ts'
import type { Fetched } from '../../src/gitops/snapshot.ts'
import { eventually } from '../support/eventually.ts'
import { Follower, GitRemote } from '../support/git-remote.ts'
import { missing } from '../support/pmk.ts'

const skip = missing('kubectl') && missing('kustomize')
const base = mkdtempSync(join(tmpdir(), 'pmk-kustomize-'))
after(() => rmSync(base, { recursive: true, force: true }))

let made = 0
function directoryWith(files: Readonly<Record<string, string>>): string {
  made += 1
  const root = join(base, `${made}`)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, dirname(path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

const config = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n'
const { signal } = new AbortController()

describe('what a kustomization names', () => {
  const refused: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ['a file by http', { 'kustomization.yaml': 'resources: [http://127.0.0.1:9/a.yaml]' }],
    ['a file by https', { 'kustomization.yml': 'resources: ["HTTPS://example.com/a.yaml"]' }],
    ['a repository', { Kustomization: 'resources: [github.com/owner/name//base?ref=v1]' }],
    ['a repository by ssh', { 'kustomization.yaml': 'bases: [git@example.com:owner/name]' }],
    ['a repository on disk', { 'kustomization.yaml': 'components: ["file:///srv/other.git//x"]' }],
    ['a repository by its sort', { 'kustomization.yaml': 'resources: ["git::https://example.com/x"]' }],
    ['in a base', { 'kustomization.yaml': 'resources: [base]', 'base/kustomization.yaml': 'resources: ["https://example.com/x"]' }],
    ['a patch', { 'kustomization.yaml': 'patches: [{path: "https://example.com/x"}]' }],
    ['a file of a generator', { 'kustomization.yaml': 'configMapGenerator: [{name: x, files: ["a=https://example.com/x"]}]' }],
    ['an OpenAPI document', { 'kustomization.yaml': 'openapi: {path: "https://example.com/x"}' }],
    [
      'in the configuration of a transformer',
      { 'kustomization.yaml': 'transformers: [t.yaml]', 't.yaml': 'kind: PatchTransformer\npath: https://example.com/x' },
    ],
    [
      'in one that stands in its place',
      { 'kustomization.yaml': 'generators:\n- |-\n  kind: ConfigMapGenerator\n  files:\n  - https://example.com/x\n' },
    ],
  ]
  for (const [what, files] of refused)
    test(`on another host is refused: ${what}`, async () => {
      const found = await referencesOf(directoryWith(files))
      assert.match(
        'problem' in found ? found.problem : 'nothing',
        /is on another host; nothing is fetched because a kustomization says so$/,
      )
    })

  const fine: readonly (readonly [string, Readonly<Record<string, string>>, boolean])[] = [
    ['files and bases below it', { 'kustomization.yaml': 'resources: [a.yaml, ./base, "github.com/x"]', 'github.com/x/a': '' }, true],
    [
      'addresses in texts',
      {
        'kustomization.yaml':
          'commonAnnotations: {a: "https://example.com"}\nconfigMapGenerator: [{name: x, literals: ["a=https://example.com"]}]\nimages: [{name: x, newName: example.com/y}]',
      },
      true,
    ],
    [
      'patches that stand in it',
      { 'kustomization.yaml': 'patches:\n- patch: |-\n    - {op: add, path: /data/x, value: "https://example.com"}\n' },
      true,
    ],
    ['a base beside it', { 'kustomization.yaml': 'resources: [../base]' }, false],
    ['bases that name each other', { 'kustomization.yaml': 'resources: [base]', 'base/kustomization.yaml': 'resources: [..]' }, true],
  ]
  for (const [what, files, isAlone] of fine)
    test(`on this host is not: ${what}`, async () => assert.deepEqual(await referencesOf(directoryWith(files)), { isAlone }))

  test('must lie in the repository', async () => {
    const root = directoryWith({
      'in/kustomization.yaml': 'resources: [../../other]',
      'up/kustomization.yaml': 'resources: [../in2]',
      'abs/kustomization.yaml': 'resources: [/etc/x]',
    })
    const problem = 'in/kustomization.yaml: ../../other lies outside of the repository'
    assert.deepEqual(await referencesOf(join(root, 'in'), root), { problem })
    assert.deepEqual(await referencesOf(join(root, 'abs'), root), {
      problem: 'abs/kustomization.yaml: /etc/x lies outside of the repository',
    })
    assert.deepEqual(await referencesOf(join(root, 'up'), root), { isAlone: false })
  })
})

describe('builds', { skip }, () => {
  test('of a directory: its root and one below it, and one that can not be built is named', async () => {
    const root = directoryWith({
      'plain.yaml': config,
      'over/kustomization.yaml': 'namePrefix: pre-\nresources: [base]\n',
      'over/base/kustomization.yaml': 'resources: [c.yaml]\n',
      'over/base/c.yaml': config,
      'bad/kustomization.yaml': 'resources: [none.yaml]\n',
    })
    const builds: string[] = []
    const origin = new DirectoryOrigin({
      path: root,
      clock: systemClock,
      kustomize: (directory, options): Promise<Built> => {
        builds.push(directory.slice(root.length))
        return kustomize(directory, options)
      },
    })
    const fetch = (): Promise<Fetched & { readonly type: 'snapshot' }> =>
      eventually(async () => {
        const fetched = await origin.fetch(signal)
        assert.ok(fetched.type === 'snapshot', JSON.stringify(fetched))
        return fetched
      })
    const { snapshot } = await fetch()
    assert.deepEqual(snapshot.files.map(({ path }) => path).sort(), ['over/kustomization.yaml', 'plain.yaml'])
    assert.match(snapshot.files.find(({ path }) => path === 'over/kustomization.yaml')?.text ?? '', /name: pre-c/)
    assert.equal(snapshot.problems.length, 1)
    assert.equal(snapshot.problems[0]?.file, 'bad/kustomization.yaml')
    assert.match(snapshot.problems[0]?.message ?? '', /none\.yaml/)

    builds.length = 0
    assert.equal((await fetch()).snapshot.revision, snapshot.revision)
    assert.deepEqual(builds, ['/bad'], 'what has not changed is not built again')
    writeFileSync(join(root, 'over/base/c.yaml'), config.replace('name: c', 'name: d'))
    assert.match((await fetch()).snapshot.files.find(({ path }) => path === 'over/kustomization.yaml')?.text ?? '', /name: pre-d/)
  })

  test('of a directory that names one beside it: as that one is now', async () => {
    const root = directoryWith({
      'base/kustomization.yaml': 'resources: [c.yaml]',
      'base/c.yaml': config,
      'over/kustomization.yaml': 'resources: [../base]',
    })
    const origin = new DirectoryOrigin({ path: join(root, 'over'), clock: systemClock, kustomize })
    const text = (): Promise<string> =>
      eventually(async () => {
        const fetched = await origin.fetch(signal)
        assert.ok(fetched.type === 'snapshot', JSON.stringify(fetched))
        return fetched.snapshot.files[0]?.text ?? ''
      })
    assert.match(await text(), /name: c/)
    writeFileSync(join(root, 'base/c.yaml'), config.replace('name: c', 'name: d'))
    assert.match(await text(), /name: d/)
  })

  test('of a repository: bases in it, none outside of it, no links, and nothing is left', async () => {
    const remote = await GitRemote.create()
    try {
      await remote.commit({
        'base/kustomization.yaml': 'resources: [c.yaml]\n',
        'base/c.yaml': config,
        'deploy/over/kustomization.yaml': 'namePrefix: pre-\nresources: [../../base]\n',
        'deploy/out/kustomization.yaml': 'resources: [../../../../../../../../../../etc]\n',
        'deploy/link/kustomization.yaml': 'resources: [c.yaml]\n',
        'deploy/link/c.yaml': { mode: '120000', data: '/etc/hostname' },
        'deploy/bad/kustomization.yaml': 'resources: [\n',
      })
      const follower = new Follower({ url: remote.url, path: 'deploy' })
      const snapshot = await follower.snapshot()
      assert.deepEqual(
        snapshot.files.map(({ path }) => path),
        ['over/kustomization.yaml'],
      )
      assert.match(snapshot.files[0]?.text ?? '', /name: pre-c/)
      const problems = new Map(snapshot.problems.map(({ file, message }) => [file, message]))
      assert.match(problems.get('out/kustomization.yaml') ?? '', /etc lies outside of the repository$/)
      assert.match(problems.get('link/kustomization.yaml') ?? '', /c\.yaml/)
      assert.match(problems.get('bad/kustomization.yaml') ?? '', /deploy\/bad\/kustomization\.yaml:\d: invalid YAML/)
      assert.doesNotMatch([...problems.values()].join(), /pmk-follow/, 'paths of this host')
      follower.remove()
    } finally {
      remote.remove()
    }
  })

  test('nothing is fetched, even by the tool itself', async () => {
    let asked = 0
    const server = createServer((_request, response) => {
      asked += 1
      response.end(config)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = address !== null && typeof address !== 'string' ? address.port : 0
    try {
      const root = directoryWith({ 'kustomization.yaml': `resources: ["http://127.0.0.1:${port}/a.yaml"]` })
      const built = await kustomize(root, { signal })
      assert.match('problem' in built ? built.problem : built.text, /is on another host/)
      assert.equal(asked, 0)
    } finally {
      server.close()
    }
  })

  test('a build that takes too long is ended', async () => {
    const root = directoryWith({ 'kustomization.yaml': 'resources: [c.yaml]', 'c.yaml': config })
    await assert.rejects(kustomize(root, { signal: AbortSignal.abort(new Error('timed out')) }), /timed out/)
  })
})
