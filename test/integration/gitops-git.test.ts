import assert from 'node:assert/strict'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { after, describe, test } from 'node:test'
import { Follower, GitRemote, type GitTree } from '../support/git-remote.ts'

const created: { remove(): void }[] = []
after(() => {
  for (const each of created) each.remove()
})

async function remoteWith(tree: GitTree, options: Parameters<typeof GitRemote.create>[0] = {}): Promise<GitRemote> {
  const remote = await GitRemote.create(options)
  created.push(remote)
  if (Object.keys(tree).length > 0) await remote.commit(tree)
  return remote
}

function follow(...args: ConstructorParameters<typeof Follower>): Follower {
  const follower = new Follower(...args)
  created.push(follower)
  return follower
}

function config(name: string, value: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {value: "${value}"}\n`
}

describe('what is followed', () => {
  test('HEAD, a branch, a tag, an annotated tag and a commit', async () => {
    const remote = await remoteWith({ 'a.yaml': 'one' })
    const first = await remote.git('rev-parse', 'main')
    await remote.git('tag', 'light')
    await remote.git('tag', '-a', '-m', 'test', 'heavy')
    await remote.commit({ 'a.yaml': 'two' })
    await remote.commit({ 'a.yaml': 'elsewhere' }, { branch: 'feature/x' })
    const cases = [
      [{}, 'two'],
      [{ branch: 'main' }, 'two'],
      [{ branch: 'feature/x' }, 'elsewhere'],
      [{ tag: 'light' }, 'one'],
      [{ tag: 'heavy' }, 'one'],
      [{ commit: first }, 'one'],
    ] as const
    for (const [ref, text] of cases) {
      const follower = follow({ url: remote.url, ref })
      assert.deepEqual(await follower.files(), { 'a.yaml': text }, JSON.stringify(ref))
    }
    assert.equal((await follow({ url: remote.url, ref: { tag: 'heavy' } }).snapshot()).revision, first, 'of a tag the commit is told')
  })

  test('pushes, a branch that was pushed by force, and what is unchanged stays the same object', async () => {
    const remote = await remoteWith({ 'a.yaml': 'one', 'dir/b.yml': 'b' })
    const follower = follow({ url: remote.url })
    const first = await follower.snapshot()
    assert.equal(await follower.snapshot(), first)
    await remote.commit({ 'a.yaml': 'two' })
    assert.deepEqual(await follower.files(), { 'a.yaml': 'two' })
    await remote.commit({ 'c.json': '{}' }, { orphan: true })
    assert.deepEqual(await follower.files(), { 'c.json': '{}' })
    await remote.git('tag', 'moving', first.revision)
    const tag = follow({ url: remote.url, ref: { tag: 'moving' } })
    assert.equal((await tag.snapshot()).revision, first.revision)
    await remote.git('tag', '--force', 'moving', 'main')
    assert.deepEqual(await tag.files(), { 'c.json': '{}' })
  })

  test('what is not there is named: a branch, a tag, a commit, a path, a branch that was deleted, an empty repository', async () => {
    const remote = await remoteWith({ 'a.yaml': 'one', 'file/b.yaml': 'b' })
    await remote.commit({ 'a.yaml': 'x' }, { branch: 'gone' })
    const gone = follow({ url: remote.url, ref: { branch: 'gone' } })
    await gone.snapshot()
    await remote.git('update-ref', '-d', 'refs/heads/gone')
    assert.equal(await gone.failure(), `RefNotFound: gone is not in ${remote.url}`)
    const ref = async (ref: object, path = ''): Promise<string> => await follow({ url: remote.url, ref, path }).failure()
    assert.equal(await ref({ branch: 'none' }), `RefNotFound: none is not in ${remote.url}`)
    assert.equal(await ref({ tag: 'v9' }), `RefNotFound: v9 is not in ${remote.url}`)
    assert.equal(await ref({ commit: 'a'.repeat(40) }), `RefNotFound: commit ${'a'.repeat(40)} is not in ${remote.url}`)
    assert.match(await ref({}, 'nowhere'), /^PathNotFound: nowhere is no directory in commit [0-9a-f]{12}$/)
    assert.match(await ref({}, 'a.yaml'), /^PathNotFound: a\.yaml is no directory/)
    await remote.git('tag', 'blob', await remote.blob('text'))
    assert.match(await ref({ tag: 'blob' }), /^RefNotFound: blob of .* names no commit$/)
    const empty = await remoteWith({})
    assert.match(await follow({ url: empty.url }).failure(), /^RefNotFound: .* has no branch that its HEAD names/)
    await empty.commit({ 'README.md': 'nothing here' })
    assert.match(await follow({ url: empty.url }).failure(), /^NoManifests: no manifests in the repository at/)
  })

  test('a directory of it, reached as it is written, and files that are too large, no text, or kept elsewhere are problems', async () => {
    const remote = await remoteWith({
      'deploy/web/a.yaml': 'a',
      'deploy/web/deep/b.yaml': 'b',
      'deploy/large.yaml': 'x'.repeat(5_000_000),
      'deploy/latin.yaml': { mode: '100755', data: 'plain' },
      'deploy/lfs.yaml': 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n',
      'other.yaml': 'not ours',
    })
    assert.deepEqual(await follow({ url: remote.url, path: './deploy/web/' }).files(), { 'a.yaml': 'a', 'deep/b.yaml': 'b' })
    const snapshot = await follow({ url: remote.url, path: 'deploy' }).snapshot()
    assert.deepEqual(
      snapshot.files.map(({ path }) => path),
      ['latin.yaml', 'web/a.yaml', 'web/deep/b.yaml'],
    )
    assert.deepEqual(snapshot.problems, [
      { file: 'large.yaml', message: 'has 4.8Mi, more than 4Mi' },
      { file: 'lfs.yaml', message: 'is kept in Git LFS, which is not read' },
    ])
  })

  test('a repository with SHA-256 objects, and one that became one', async () => {
    const remote = await remoteWith({ 'a.yaml': 'long names' }, { format: 'sha256' })
    const follower = follow({ url: remote.url })
    const { revision } = await follower.snapshot()
    assert.equal(revision.length, 64)
    assert.deepEqual(await follow({ url: remote.url, ref: { commit: revision } }).files(), { 'a.yaml': 'long names' })
    rmSync(remote.path, { recursive: true })
    mkdirSync(remote.path)
    await remote.git('init', '--quiet', '--bare', '--template=', '--initial-branch=main')
    await remote.commit({ 'a.yaml': 'short names' })
    assert.deepEqual(await follower.files(), { 'a.yaml': 'short names' })
  })

  test('a commit that the remote gives only with what it has names for', async () => {
    const remote = await remoteWith({ 'a.yaml': 'one' })
    const first = await remote.git('rev-parse', 'main')
    await remote.commit({ 'a.yaml': 'two' })
    // The old protocol, in which only what has a name may be asked for.
    await remote.git('config', 'protocol.version', '0')
    await remote.git('config', 'uploadpack.allowAnySHA1InWant', 'false')
    const follower = follow({ url: remote.url, ref: { commit: first } })
    assert.deepEqual(await follower.files(), { 'a.yaml': 'one' })
  })
})

describe('hostile repositories', () => {
  test('links stay in the repository, submodules and other things are told of, and nothing of a hostile name is left', async () => {
    const remote = await remoteWith({
      'a.yaml': 'a',
      'in/link.yaml': { mode: '120000', data: '../a.yaml' },
      dirlink: { mode: '120000', data: 'in' },
      'absolute.yaml': { mode: '120000', data: '/etc/hostname' },
      'out.yaml': { mode: '120000', data: '../../../../../../etc/hostname' },
      outdir: { mode: '120000', data: '../..' },
      loop: { mode: '120000', data: 'loop' },
      'in/up': { mode: '120000', data: '..' },
      sub: { mode: '160000', data: '1'.repeat(40) },
      'new\nline\u001b[31m.yaml': 'control',
      'A.yaml': 'another case',
      '.hidden/x.yaml': 'hidden',
    })
    const snapshot = await follow({ url: remote.url }).snapshot()
    assert.deepEqual(
      snapshot.files.map(({ path, text }) => [path, text]),
      [
        [JSON.stringify('new\nline\u001b[31m.yaml'), 'control'],
        ['A.yaml', 'another case'],
        ['a.yaml', 'a'],
        ['dirlink/link.yaml', 'a'],
        ['in/link.yaml', 'a'],
      ],
    )
    const notes = snapshot.notes.join('\n')
    for (const name of ['absolute.yaml', 'out.yaml', 'outdir', 'loop'])
      assert.match(notes, new RegExp(`^${name}: a link that leads nowhere in the repository; passed over$`, 'm'))
    assert.match(notes, /^in\/up: a link to a directory that it is in itself; passed over$/m)
    assert.match(notes, /^sub: a submodule; passed over$/m)
  })

  test('trees that no git would write by itself', async () => {
    const remote = await remoteWith({})
    const blob = await remote.blob('evil')
    const good = await remote.blob('good')
    const inner = await remote.tree([{ mode: '100644', type: 'blob', object: blob, name: 'x.yaml' }])
    const entries = ['..', '.', '.git', '.GIT', 'a/b'].map((name) => ({ mode: '40000', type: 'tree', object: inner, name }))
    entries.push({ mode: '100644', type: 'blob', object: blob, name: '../../escaped.yaml' })
    entries.push({ mode: '100644', type: 'blob', object: blob, name: '/tmp/absolute.yaml' })
    entries.push({ mode: '100644', type: 'blob', object: blob, name: 'back\\slash.yaml' })
    entries.push({ mode: '100644', type: 'blob', object: good, name: 'good.yaml' })
    // mktree refuses slashes, so that the tree is written as it is.
    const raw = Buffer.concat(
      entries.map(({ mode, name, object }) => Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(object, 'hex')])),
    )
    const file = join(remote.base, 'tree')
    writeFileSync(file, raw)
    const tree = await remote.git('hash-object', '-t', 'tree', '-w', '--literally', file)
    await remote.commitTree(tree)
    assert.deepEqual(await follow({ url: remote.url }).files(), { 'good.yaml': 'good' })
  })

  test('a tree of trees that stands for more files than there is room for, and links that do', async () => {
    const remote = await remoteWith({})
    const blob = await remote.blob('x')
    let object = await remote.tree([{ mode: '100644', type: 'blob', object: blob, name: 'x.yaml' }])
    for (let depth = 0; depth < 9; depth += 1)
      object = await remote.tree(Array.from({ length: 10 }, (_, index) => ({ mode: '040000', type: 'tree', object, name: `d${index}` })))
    await remote.commitTree(object)
    assert.match(await follow({ url: remote.url }).failure(), /^TooLarge: commit [0-9a-f]{12} holds more files than a repository/)
    const tree: Record<string, { readonly mode: '120000'; readonly data: string }> = {}
    for (let from = 0; from < 12; from += 1)
      for (let to = 0; to < 12; to += 1) if (from !== to) tree[`d${from}/l${to}`] = { mode: '120000', data: `../d${to}` }
    const links = await remoteWith(tree)
    assert.match(await follow({ url: links.url }).failure(), /^TooLarge: more than 200000 files/)
  })

  test('nothing of the remote is run: neither its hooks nor programs that its configuration names', async () => {
    const remote = await remoteWith({
      'a.yaml': 'a',
      '.gitattributes': '*.yaml filter=evil\n',
      '.lfsconfig': '[lfs]\nurl = https://example.com\n',
    })
    const trap = join(remote.base, 'trap')
    const marker = join(remote.base, 'was-run')
    writeFileSync(trap, `#!/bin/sh\necho "$0 $*" >>${marker}\nexec "$@"\n`)
    chmodSync(trap, 0o755)
    mkdirSync(join(remote.path, 'hooks'))
    for (const name of ['post-upload-pack', 'pre-upload-pack', 'post-checkout', 'reference-transaction', 'pre-auto-gc'])
      writeFileSync(join(remote.path, 'hooks', name), readFileSync(trap), { mode: 0o755 })
    for (const key of [
      'core.sshCommand',
      'core.fsmonitor',
      'core.gitProxy',
      'core.alternateRefsCommand',
      'core.pager',
      'uploadpack.packObjectsHook',
      'filter.evil.smudge',
      'filter.evil.process',
      'credential.helper',
      'alias.upload-pack',
    ])
      await remote.git('config', key, trap)
    await remote.git('config', 'extensions.partialClone', 'origin')
    await remote.git('config', 'remote.origin.url', 'ext::sh -c true')
    await remote.git('config', 'remote.origin.promisor', 'true')
    assert.deepEqual(await follow({ url: remote.url }).files(), { 'a.yaml': 'a' })
    assert.equal(existsSync(marker), false, existsSync(marker) ? readFileSync(marker, 'utf8') : '')
  })

  test('addresses that are none of a repository run nothing, even past the checks of the API', async () => {
    const remote = await remoteWith({ 'a.yaml': 'a' })
    const marker = join(remote.base, 'was-run')
    for (const url of [
      `ext::sh -c touch% ${marker}`,
      `--upload-pack=touch ${marker}`,
      `ssh://-oProxyCommand=touch%20${marker}/x`,
      'http://127.0.0.1:9/x',
    ])
      assert.doesNotMatch(await follow({ url }).failure(), /^not failed/, url)
    assert.equal(existsSync(marker), false)
  })

  test('configuration of the user who runs the server does not count, nor that of a repository around the directory', async () => {
    const remote = await remoteWith({ 'a.yaml': 'a' })
    const other = await remoteWith({ 'a.yaml': 'from elsewhere' })
    const home = join(remote.base, 'home')
    mkdirSync(join(home, '.config/git'), { recursive: true })
    const text = `[url "${other.url}"]\n\tinsteadOf = ${remote.url}\n`
    writeFileSync(join(home, '.gitconfig'), text)
    writeFileSync(join(home, '.config/git/config'), text)
    const around = join(remote.base, 'around')
    mkdirSync(around)
    const before = { ...nodeProcess.env }
    Object.assign(nodeProcess.env, {
      HOME: home,
      XDG_CONFIG_HOME: join(home, '.config'),
      GIT_DIR: other.path,
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'core.sshCommand',
      GIT_CONFIG_VALUE_0: 'false',
    })
    try {
      await remote.git('init', '--quiet', around)
      await remote.git('-C', around, 'config', `url.${other.url}.insteadOf`, remote.url)
      assert.deepEqual(await follow({ url: remote.url }, { directory: join(around, 'kept') }).files(), { 'a.yaml': 'a' })
    } finally {
      for (const key of ['HOME', 'XDG_CONFIG_HOME', 'GIT_DIR', 'GIT_CONFIG_COUNT', 'GIT_CONFIG_KEY_0', 'GIT_CONFIG_VALUE_0'])
        delete nodeProcess.env[key]
      Object.assign(nodeProcess.env, before)
    }
  })

  test('the repository of another user can be read', {
    skip: nodeProcess.getuid?.() === 0 ? false : 'NOT TESTED: needs root',
  }, async () => {
    for (const name of ['remote.git', 'work/.git']) {
      const remote = await GitRemote.create({ name: 'remote.git' })
      created.push(remote)
      await remote.commit({ 'a.yaml': name })
      const path = join(remote.base, name)
      if (path !== remote.path) {
        mkdirSync(join(remote.base, 'work'))
        await remote.git('clone', '--quiet', '--bare', '--template=', remote.path, path)
      }
      chownSync(path, 12345, 12345)
      assert.deepEqual(await follow({ url: `file://${path.replace(/\/\.git$/, '')}` }).files(), { 'a.yaml': name })
    }
  })
})

describe('what is kept', () => {
  test('nothing of the credentials is left after a fetch, after one that failed, or from one that was killed', async () => {
    const remote = await remoteWith({ 'a.yaml': 'a' })
    const follower = follow({ url: remote.url }, { login: { password: 'hunter2', identity: 'a key' } })
    mkdirSync(join(follower.directory, 'login'), { recursive: true })
    writeFileSync(join(follower.directory, 'login/gitconfig'), 'left over', { mode: 0o644 })
    await follower.snapshot()
    assert.deepEqual(readdirSync(follower.directory), ['repository.git'])
    rmSync(remote.path, { recursive: true })
    assert.match(await follower.failure(), /^RemoteUnreachable: git: '.*' does not appear to be a git repository/)
    assert.deepEqual(readdirSync(follower.directory), ['repository.git'])
  })

  test('locks and halves of packs that a killed git left hinder nothing', async () => {
    const remote = await remoteWith({ 'a.yaml': 'one' })
    const follower = follow({ url: remote.url })
    await follower.snapshot()
    const repository = join(follower.directory, 'repository.git')
    for (const name of [
      'shallow.lock',
      'config.lock',
      'HEAD.lock',
      'packed-refs.lock',
      'refs/pmk/target.lock',
      'objects/pack/tmp_pack_abc',
    ])
      writeFileSync(join(repository, name), 'x')
    await remote.commit({ 'a.yaml': 'two' })
    assert.deepEqual(await follower.files(), { 'a.yaml': 'two' })
    assert.equal(existsSync(join(repository, 'objects/pack/tmp_pack_abc')), false)
  })

  test('what is broken is thrown away and fetched anew', async () => {
    const remote = await remoteWith({ 'a.yaml': 'one' })
    const spoilings: readonly ((repository: string) => void)[] = [
      (repository) => rmSync(join(repository, 'objects'), { recursive: true }),
      (repository) => {
        for (const name of readdirSync(join(repository, 'objects/pack'))) {
          chmodSync(join(repository, 'objects/pack', name), 0o600)
          truncateSync(join(repository, 'objects/pack', name), 40)
        }
      },
      (repository) => writeFileSync(join(repository, 'refs/pmk/target'), 'rubbish\n'),
      (repository) => writeFileSync(join(repository, 'config'), '[core\n'),
      (repository) => truncateSync(join(repository, 'HEAD'), 0),
      (repository) => {
        rmSync(repository, { recursive: true })
        writeFileSync(repository, 'a file')
      },
    ]
    for (const [index, spoil] of spoilings.entries()) {
      for (const isRestarted of [false, true]) {
        const first = follow({ url: remote.url })
        await first.snapshot()
        spoil(join(first.directory, 'repository.git'))
        const second = isRestarted ? follow({ url: remote.url }, { directory: first.directory }) : first
        await remote.commit({ 'a.yaml': `${index} ${isRestarted}` })
        assert.deepEqual(await second.files(), { 'a.yaml': `${index} ${isRestarted}` }, `${index} ${isRestarted}`)
      }
    }
  })

  test('what was known goes on after a restart without another fetch', async () => {
    const remote = await remoteWith({ 'a.yaml': 'one' })
    const first = follow({ url: remote.url })
    await first.snapshot()
    const packs = join(first.directory, 'repository.git/objects/pack')
    const before = readdirSync(packs)
    assert.deepEqual(await follow({ url: remote.url }, { directory: first.directory }).files(), { 'a.yaml': 'one' })
    assert.deepEqual(readdirSync(packs), before)
  })

  test('its size is bounded: of one fetch, and of many', async () => {
    const noise = (seed: number): string =>
      Array.from({ length: 40_000 }, (_, index) => Math.imul(index + seed * 40_000, 0x9e3779b1).toString(36)).join('\n')
    const remote = await remoteWith({ 'a.yaml': 'a', 'big.txt': noise(0) })
    const tooLarge = follow({ url: remote.url }, { largestRepository: 100_000 })
    assert.equal(await tooLarge.failure(), 'TooLarge: the repository is larger than one of manifests may be, even without its history')
    assert.ok(sizeOf(tooLarge.directory) < 150_000, `${sizeOf(tooLarge.directory)}`)
    const place = join(tooLarge.directory, 'repository.git/objects/pack')
    const { mtimeMs } = statSync(place)
    assert.match(await tooLarge.failure(), /^TooLarge/)
    assert.equal(statSync(place).mtimeMs, mtimeMs, 'it was fetched again')
    await remote.commit({ 'a.yaml': 'small' })
    assert.deepEqual(await tooLarge.files(), { 'a.yaml': 'small' })
    const follower = follow({ url: remote.url }, { largestRepository: 700_000 })
    for (let round = 1; round <= 6; round += 1) {
      await remote.commit({ 'a.yaml': `${round}`, 'big.txt': noise(round) })
      assert.deepEqual(await follower.files(), { 'a.yaml': `${round}` })
      assert.ok(sizeOf(follower.directory) < 800_000, `round ${round}: ${sizeOf(follower.directory)}`)
    }
  })

  test('many pushes leave few packs', async () => {
    const remote = await remoteWith({ 'a.yaml': '0' })
    const follower = follow({ url: remote.url })
    await follower.snapshot()
    const place = join(follower.directory, 'repository.git/objects/pack')
    for (const name of readdirSync(place))
      for (let copy = 0; copy < 20; copy += 1)
        copyFileSync(join(place, name), join(place, name.replace(/-[0-9a-f]{8}/, `-${10_000_000 + copy}`)))
    await remote.commit({ 'a.yaml': '1' })
    assert.deepEqual(await follower.files(), { 'a.yaml': '1' })
    assert.equal(readdirSync(place).filter((name) => name.endsWith('.pack')).length, 1)
    await remote.commit({ 'a.yaml': '2' })
    assert.deepEqual(await follower.files(), { 'a.yaml': '2' })
  })

  test('it is gone when the source is', async () => {
    const remote = await remoteWith({ 'a.yaml': 'a' })
    const follower = follow({ url: remote.url })
    await follower.snapshot()
    await follower.origin.discard()
    assert.equal(existsSync(follower.directory), false)
  })

  test('thousands of files are read', async () => {
    const remote = await remoteWith(
      Object.fromEntries(Array.from({ length: 4_000 }, (_, index) => [`d${index % 100}/f${index}.yaml`, config(`c${index}`, 'x')])),
    )
    assert.equal((await follow({ url: remote.url }).snapshot()).files.length, 4_000)
  })
})

function sizeOf(path: string): number {
  const stats = statSync(path)
  if (!stats.isDirectory()) return stats.size
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}
