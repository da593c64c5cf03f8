import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { after, before, describe, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { GitHttps } from '../support/git-https.ts'
import { Follower, GitRemote } from '../support/git-remote.ts'
import { missing } from '../support/pmk.ts'

const created: { remove(): void }[] = []
after(() => {
  for (const each of created) each.remove()
})

function follow(...args: ConstructorParameters<typeof Follower>): Follower {
  const follower = new Follower(...args)
  created.push(follower)
  return follower
}

async function remoteWith(text: string): Promise<GitRemote> {
  const remote = await GitRemote.create()
  created.push(remote)
  await remote.commit({ 'a.yaml': text })
  return remote
}

describe('over https', { skip: missing('git', 'setpriv', 'prlimit') }, () => {
  const PASSWORD = 'p4ss"w\\o:rd'
  let remote: GitRemote
  let server: GitHttps
  let other: GitHttps
  let redirecting: GitHttps

  before(async () => {
    remote = await remoteWith('by https')
    server = await GitHttps.start({ root: remote.base, basic: `ada:${PASSWORD}` })
    other = await GitHttps.start({ root: remote.base })
    redirecting = await GitHttps.start({ root: remote.base, redirect: other.url })
  })
  after(async () => {
    for (const each of [server, other, redirecting]) await each?.close()
  })

  test('with a user, a password and an authority of its own', async () => {
    const login = { username: 'ada\n', password: `${PASSWORD}\n`, 'ca.crt': server.authority }
    const follower = follow({ url: `${server.url}/remote.git` }, { login })
    assert.deepEqual(await follower.files(), { 'a.yaml': 'by https' })
    const first = await remote.git('rev-parse', 'main')
    await remote.commit({ 'a.yaml': 'again' })
    assert.deepEqual(await follower.files(), { 'a.yaml': 'again' })
    assert.deepEqual(await follow({ url: `${server.url}/remote.git`, ref: { commit: first } }, { login }).files(), { 'a.yaml': 'by https' })
  })

  test('credentials are in no arguments, no environment, nothing left on disk, and no message', async () => {
    const basic = Buffer.from(`ada:${PASSWORD}`).toString('base64')
    const seen: string[] = []
    const look = setInterval(() => {
      for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
        for (const part of ['cmdline', 'environ']) {
          try {
            const text = readFileSync(`/proc/${pid}/${part}`, 'latin1')
            if (/git/.test(text)) seen.push(text)
          } catch {
            // It has gone.
          }
        }
    }, 20)
    const follower = follow(
      { url: `${server.url}/remote.git` },
      { login: { username: 'ada', password: PASSWORD, 'ca.crt': server.authority } },
    )
    await follower.snapshot()
    const wrong = follow(
      { url: `${server.url}/remote.git` },
      { login: { username: 'ada', password: 'wrong-hunter2', 'ca.crt': server.authority } },
    )
    const failure = await wrong.failure()
    clearInterval(look)
    assert.ok(
      seen.some((text) => /ls-remote/.test(text)),
      'nothing of git was seen running',
    )
    for (const secret of [PASSWORD, basic, 'wrong-hunter2', Buffer.from('ada:wrong-hunter2').toString('base64')]) {
      assert.equal(
        seen.some((text) => text.includes(secret)),
        false,
        'a process shows it',
      )
      assert.equal(failure.includes(secret), false, failure)
      for (const { directory } of [follower, wrong]) assert.equal(holds(directory, secret), false, 'it is on disk')
    }
    assert.match(failure, /^AuthenticationFailed: git: /)
  })

  test('without credentials, with an authority that nobody knows, and a repository that is not there', async () => {
    const at = async (login: Readonly<Record<string, string>>, path = 'remote.git', url = server.url): Promise<string> =>
      await follow({ url: `${url}/${path}` }, { login }).failure()
    assert.match(
      await at({ 'ca.crt': server.authority }),
      /^AuthenticationFailed: git: the remote wants a user and password, or refuses those of the Secret/,
    )
    assert.match(await at({ username: 'ada', password: PASSWORD }), /^RemoteUnreachable: git: .*certificate/i)
    assert.match(await at({ username: 'ada', password: PASSWORD, 'ca.crt': other.authority }), /^RemoteUnreachable: git: .*certificate/i)
    assert.match(await at({ 'ca.crt': other.authority }, 'none.git', other.url), /^RemoteUnreachable: git: .*not found/)
    assert.match(await at({}, 'remote.git', 'https://127.0.0.1:9'), /^RemoteUnreachable: git: .*unable to access/)
  })

  test('a redirect does not carry credentials to another host', async () => {
    const authorities = `${redirecting.authority}${other.authority}`
    const before = other.requests.length
    const login = { username: 'ada', password: PASSWORD, 'ca.crt': authorities }
    assert.match(await follow({ url: `${redirecting.url}/remote.git` }, { login }).failure(), /^RemoteUnreachable: git: .*302/)
    assert.equal(other.requests.length, before, 'the other host was asked')
    assert.ok(redirecting.requests.at(-1)?.authorization !== undefined)
    assert.deepEqual(await follow({ url: `${redirecting.url}/remote.git` }, { login: { 'ca.crt': authorities } }).files(), {
      'a.yaml': 'again',
    })
  })

  test('a .netrc of the user who runs the server is not read', async () => {
    const home = mkdtempSync(join(tmpdir(), 'pmk-home-'))
    writeFileSync(join(home, '.netrc'), `machine 127.0.0.1 login ada password ${PASSWORD}\n`, { mode: 0o600 })
    const before = nodeProcess.env.HOME
    nodeProcess.env.HOME = home
    try {
      const { url, authority } = server
      assert.match(await follow({ url: `${url}/remote.git` }, { login: { 'ca.crt': authority } }).failure(), /^AuthenticationFailed/)
    } finally {
      if (before === undefined) delete nodeProcess.env.HOME
      else nodeProcess.env.HOME = before
      rmSync(home, { recursive: true })
    }
  })
})

test('a remote that says nothing is left after the time, with all processes that asked it', {
  skip: missing('git', 'setpriv'),
}, async () => {
  const silent: Server = createServer(() => {})
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const address = silent.address()
  const port = address !== null && typeof address !== 'string' ? address.port : 0
  try {
    for (const url of [`https://127.0.0.1:${port}/a.git`, `ssh://git@127.0.0.1:${port}/a.git`]) {
      const follower = follow({ url }, { login: { identity: 'x', known_hosts: 'x', password: 'x' } })
      await assert.rejects(follower.fetch(700), /timed out/)
      assert.equal(existsSync(join(follower.directory, 'login')), false)
      const left = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && textOf(`/proc/${pid}/cmdline`).includes(`127.0.0.1:${port}`))
      await eventually(() =>
        assert.deepEqual(
          left.filter((pid) => existsSync(`/proc/${pid}/exe`)),
          [],
          'a process is left',
        ),
      )
    }
  } finally {
    silent.close()
  }
})

describe('over ssh', {
  skip: missing('git', 'sshd', 'ssh', 'ssh-keygen') || (nodeProcess.getuid?.() === 0 ? false : 'NOT TESTED: needs root'),
}, () => {
  let base: string
  let remote: GitRemote
  let daemon: ChildProcess
  let port: number
  const read = (name: string): string => readFileSync(join(base, name), 'utf8')

  before(async () => {
    base = mkdtempSync(join(tmpdir(), 'pmk-ssh-'))
    remote = await remoteWith('by ssh')
    mkdirSync('/run/sshd', { recursive: true })
    for (const name of ['host', 'user', 'stranger'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', join(base, name)])
    writeFileSync(join(base, 'authorized'), read('user.pub'), { mode: 0o600 })
    chmodSync(base, 0o700)
    const probe = createServer()
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
    const address = probe.address()
    port = address !== null && typeof address !== 'string' ? address.port : 0
    await new Promise((resolve) => probe.close(resolve))
    const settings = [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${join(base, 'host')}`,
      `AuthorizedKeysFile ${join(base, 'authorized')}`,
    ]
    settings.push(
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin yes',
      'StrictModes no',
      'PidFile none',
    )
    writeFileSync(join(base, 'sshd_config'), `${settings.join('\n')}\n`)
    daemon = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(base, 'sshd_config')], { stdio: 'ignore' })
    await eventually(
      () =>
        new Promise<void>((resolve, reject) => {
          const socket = connect(port, '127.0.0.1', () => {
            socket.destroy()
            resolve()
          })
          socket.on('error', reject)
        }),
    )
  })
  after(() => {
    daemon?.kill()
    if (base !== undefined) rmSync(base, { recursive: true, force: true })
  })

  test('with a key and the host key that is known; without either, with others, or with a Secret that lacks one', async () => {
    const url = `ssh://root@127.0.0.1:${port}${remote.path}`
    const [, type = '', key = ''] = /^(\S+) (\S+)/.exec(read('host.pub')) ?? []
    const known = `[127.0.0.1]:${port} ${type} ${key}\n`
    const wrong = `[127.0.0.1]:${port} ${read('stranger.pub')}`
    const at = async (login: Readonly<Record<string, string>>): Promise<string> => await follow({ url }, { login }).failure()
    const follower = follow({ url }, { login: { identity: read('user').trim(), known_hosts: known } })
    assert.deepEqual(await follower.files(), { 'a.yaml': 'by ssh' })
    assert.deepEqual(readdirSync(follower.directory), ['repository.git'])
    const hostKey = /^AuthenticationFailed: git: the host key of the remote is not one of known_hosts in the Secret/
    assert.match(await at({ identity: read('user'), known_hosts: wrong }), hostKey)
    assert.match(await at({ identity: read('user') }), hostKey)
    assert.match(await at({ known_hosts: '' }), hostKey)
    assert.match(
      await at({ identity: read('stranger'), known_hosts: known }),
      /^AuthenticationFailed: git: .*Permission denied \(publickey\)/,
    )
    const none = follow({ url: `ssh://root@127.0.0.1:${port}/none.git` }, { login: { identity: read('user'), known_hosts: known } })
    assert.match(await none.failure(), /^RemoteUnreachable: git: '\/none\.git' does not appear to be a git repository/)
    const refused = follow({ url: 'ssh://root@127.0.0.1:9/a.git' }, { login: { identity: read('user'), known_hosts: known } })
    assert.match(await refused.failure(), /^RemoteUnreachable: git: .*Connection refused/)
  })
})

describe('signatures', { skip: missing('git', 'gpg', 'ssh-keygen', 'setpriv') }, () => {
  let base: string
  let remote: GitRemote
  let commits: Readonly<Record<'unsigned' | 'ssh' | 'gpg' | 'gpgExpired', string>>
  const keys: Record<string, string> = {}

  before(async () => {
    base = mkdtempSync(join(tmpdir(), 'pmk-sign-'))
    remote = await remoteWith('signed')
    for (const name of ['ada', 'eve']) {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', join(base, name)])
      keys[name] = readFileSync(join(base, `${name}.pub`), 'utf8').trim()
    }
    const home = join(base, 'gnupg')
    mkdirSync(home, { mode: 0o700 })
    const gpg = (...args: readonly string[]): string =>
      execFileSync('gpg', ['--homedir', home, '--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', '', ...args], {
        stdio: ['ignore', 'pipe', 'ignore'],
      }).toString()
    for (const [name, ...more] of [['good'], ['stranger'], ['old', '--faked-system-time', '20200101T000000']] as const)
      gpg(...more, '--quick-generate-key', `${name}@example.com`, 'ed25519', 'sign', name === 'old' ? '1d' : 'never')
    for (const name of ['good', 'stranger', 'old']) keys[`${name}.asc`] = gpg('--armor', '--export', `${name}@example.com`)
    const unsigned = await remote.git('rev-parse', 'main')
    const sign = async (config: readonly string[], key: string): Promise<string> => {
      const args = [
        ...config.flatMap((each) => ['-c', each]),
        'commit-tree',
        `-S${key}`,
        '-m',
        'test',
        '-p',
        unsigned,
        `${unsigned}^{tree}`,
      ]
      const commit = await remote.git(...args)
      await remote.git('update-ref', `refs/heads/${commit.slice(0, 8)}`, commit)
      return commit
    }
    const program = join(base, 'gpg')
    writeFileSync(program, `#!/bin/sh\nexec gpg --homedir ${home} --batch --pinentry-mode loopback --passphrase '' "$@"\n`, {
      mode: 0o755,
    })
    const faked = join(base, 'gpg-then')
    writeFileSync(faked, `#!/bin/sh\nexec gpg --homedir ${home} --batch --faked-system-time 20200101T000100 "$@"\n`, { mode: 0o755 })
    commits = {
      unsigned,
      ssh: await sign(['gpg.format=ssh'], join(base, 'ada')),
      gpg: await sign([`gpg.program=${program}`], 'good@example.com'),
      gpgExpired: await sign([`gpg.program=${faked}`], 'old@example.com'),
    }
    execFileSync('gpgconf', ['--homedir', home, '--kill', 'all'])
  })
  after(() => {
    if (base !== undefined) rmSync(base, { recursive: true, force: true })
  })

  async function verdict(commit: string, trusted: Readonly<Record<string, string>>): Promise<string> {
    const follower = follow({ url: remote.url, ref: { commit } }, { trusted })
    const fetched = await follower.fetch()
    assert.deepEqual(readdirSync(follower.directory), ['repository.git'], 'keys are left')
    return fetched.type === 'failed' ? `${fetched.reason}: ${fetched.message.replace(/ [0-9a-f]{12} /, ' … ')}` : fetched.type
  }

  test('by ssh: good, unsigned, of another key, expired, with no keys at all', async () => {
    const ada = `ada@example.com ${keys.ada}\n`
    const lacks = 'VerificationFailed: commit … has no good signature of a trusted key'
    assert.equal(await verdict(commits.ssh, { allowed_signers: ada }), 'snapshot')
    assert.equal(await verdict(commits.unsigned, { allowed_signers: ada }), 'VerificationFailed: commit … is not signed')
    assert.equal(await verdict(commits.ssh, { allowed_signers: `eve@example.com ${keys.eve}\n` }), lacks)
    assert.equal(await verdict(commits.ssh, { allowed_signers: `ada@example.com valid-before="20200101" ${keys.ada}\n` }), lacks)
    assert.equal(await verdict(commits.ssh, { allowed_signers: `ada@example.com namespaces="file" ${keys.ada}\n` }), lacks)
    assert.match(await verdict(commits.ssh, { other: 'x' }), /^VerificationFailed: the Secret .* holds neither/)
  })

  test('by OpenPGP: good, unsigned, of another key, of one that has expired, and a key that is none', async () => {
    const only = (name: string): Readonly<Record<string, string>> => ({ [name]: keys[name] ?? '' })
    assert.equal(await verdict(commits.gpg, only('good.asc')), 'snapshot')
    assert.equal(await verdict(commits.gpg, { ...only('stranger.asc'), ...only('good.asc') }), 'snapshot')
    assert.equal(await verdict(commits.unsigned, only('good.asc')), 'VerificationFailed: commit … is not signed')
    assert.equal(await verdict(commits.gpg, only('stranger.asc')), 'VerificationFailed: commit … has no good signature of a trusted key')
    assert.equal(await verdict(commits.gpgExpired, only('old.asc')), 'VerificationFailed: commit … is signed with a key that has expired')
    assert.match(
      await verdict(commits.gpg, { 'bad.asc': 'rubbish' }),
      /^VerificationFailed: bad\.asc of the Secret .* is no OpenPGP public key/,
    )
  })

  test('keys that are no longer trusted count at once, without a new commit', async () => {
    const follower = follow({ url: remote.url, ref: { commit: commits.ssh } }, { trusted: { allowed_signers: `ada ${keys.ada}\n` } })
    await follower.snapshot()
    follower.secrets = { ...follower.secrets, trusted: new Map([['allowed_signers', `eve ${keys.eve}\n`]]) }
    assert.match(await follower.failure(), /^VerificationFailed/)
  })
})

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

function holds(path: string, text: string): boolean {
  if (!existsSync(path)) return false
  return readdirSync(path, { withFileTypes: true }).some((entry) =>
    entry.isDirectory() ? holds(join(path, entry.name), text) : textOf(join(path, entry.name)).includes(text),
  )
}
