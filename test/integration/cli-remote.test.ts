import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createAuthentication } from '../../src/apiserver/authentication.ts'
import { systemClock } from '../../src/base/clock.ts'
import { parseYaml } from '../../src/base/yaml.ts'
import { issueServer, makeAuthority } from '../../src/pki/certificates.ts'
import { processNamed, TestApiServer } from '../support/api-server.ts'
import { type CliAnswer, runPmk } from '../support/cli.ts'
import { eventually } from '../support/eventually.ts'
import { Server } from '../support/pmk.ts'
import { tempDir } from '../support/temp-dir.ts'
import { AN_HOUR, TlsAccess } from '../support/tls-access.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look into documents of every shape.
const yaml = (text: string): any => parseYaml(text)[0]?.value
const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0

describe('pmk with a server elsewhere', () => {
  let server: TestApiServer
  let access: TlsAccess
  let dir: Awaited<ReturnType<typeof tempDir>>
  let ca: string

  before(async () => {
    dir = await tempDir()
    const tokens = { verify: async (token: string) => (token === 'good' ? { name: 'jane', groups: ['system:masters'] } : undefined) }
    server = await TestApiServer.start({ authenticate: createAuthentication({ clock: systemClock, tokens }) })
    access = await TlsAccess.open(server.server)
    ca = join(dir.path, 'ca.pem')
    writeFileSync(ca, access.serverAuthority.certificate)
    await server.client.for('Process').create(processNamed('web') as never)
    await server.send('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } })
  })
  after(async () => {
    await access.close()
    await server.stop()
    await dir.remove()
  })

  const file = (name: string, text: string): string => {
    writeFileSync(join(dir.path, name), text)
    return join(dir.path, name)
  }
  const fails = (answer: CliAnswer, expected: RegExp): void => {
    assert.match(answer.stderr, expected)
    assert.equal(answer.stdout, '')
    assert.equal(answer.code, 1)
  }
  const GET = ['get', 'processes', '-o', 'name']
  const FOUND = { code: 0, stdout: 'process.pmk.dev/web\n', stderr: '' }

  test('is told by flags where it is and who asks', async () => {
    const at = ['--server', access.url, '--certificate-authority', ca]
    assert.deepEqual(await runPmk([...at, '--token', 'good', ...GET]), FOUND)
    assert.deepEqual(await runPmk([...GET, ...at], { env: { PMK_TOKEN: 'good' } }), FOUND)
    assert.deepEqual(await runPmk([...GET, ...at, '--token-file', file('t', 'good\n')]), FOUND)
    const { certificate, key } = await access.certificate('admin', ['system:masters'])
    const certified = [...at, '--client-certificate', file('c.pem', certificate), '--client-key', file('k.pem', key)]
    assert.deepEqual(await runPmk([...GET, ...certified]), FOUND)
    fails(await runPmk([...GET, ...at]), /^error: You must be logged in to the server \(Unauthorized\)/)
    fails(await runPmk([...GET, ...at, '--token', 'bad']), /Unauthorized/)
    fails(await runPmk([...GET, ...at, '--client-key', 'k.pem']), /--client-certificate and --client-key go together/)
    fails(await runPmk([...GET, ...at, '--client-certificate', ca, '--client-key', join(dir.path, 'k.pem')]), /with its key can't be used/)
    fails(await runPmk([...GET, '--server', access.url, '--certificate-authority', '/nonexistent/file']), /--certificate-authority: ENOENT/)
    fails(await runPmk([...GET, '--server', access.url, '--certificate-authority', join(dir.path, 'k.pem')]), /no PEM/)
    fails(await runPmk([...GET, '--server', 'http://127.0.0.1:1', '--token', 'good']), /never in clear/)
    fails(await runPmk([...GET, '--server', server.socketPath, '--token', 'good']), /--token: only for a server that --server https/)
    fails(await runPmk([...GET, '--server', access.url, '--context', 'x']), /--context chooses from a kubeconfig/)
  })

  test('a server whose certificate another authority signed, or for another name, is asked nothing', async () => {
    const other = await makeAuthority('other', AN_HOUR())
    const at = ['--server', access.url, '--certificate-authority', file('other.pem', other.certificate), '--token', 'good']
    fails(await runPmk([...GET, ...at]), /is not the one that was meant: its certificate is not signed by the authority that you gave/)
    const elsewhere = access.url.replace('127.0.0.1', '127.0.0.2')
    fails(await runPmk([...GET, '--server', elsewhere, '--certificate-authority', ca]), /no pmk server at https:\/\/127\.0\.0\.2/)
  })

  test('a server that is not of pmk is refused, whatever it says', async () => {
    const { certificate, key } = await issueServer(access.serverAuthority, ['127.0.0.1'], AN_HOUR())
    const asked: (string | undefined)[] = []
    const cluster = createServer({ cert: certificate, key }, (request, response) => {
      asked.push(request.url)
      response.setHeader('content-type', 'application/json').end('{"gitVersion":"v1.33.0","major":"1"}')
    })
    await new Promise<void>((done) => cluster.listen(0, '127.0.0.1', done))
    const url = `https://127.0.0.1:${(cluster.address() as AddressInfo).port}`
    fails(
      await runPmk(['delete', 'processes', '--all', '--server', url, '--certificate-authority', ca]),
      /is not a pmk server; nothing was asked/,
    )
    assert.deepEqual(asked, ['/version'])
    cluster.closeAllConnections()
    await new Promise((done) => cluster.close(done))
  })

  test('is told by a kubeconfig, with its namespace, and by no other file', async () => {
    const config = file('config', await access.kubeconfig())
    const elsewhere = file('elsewhere', await access.kubeconfig({ token: 'good' }, 'other'))
    assert.deepEqual(await runPmk([...GET, '--kubeconfig', config]), FOUND)
    assert.deepEqual(await runPmk(GET, { env: { PMK_KUBECONFIG: config } }), FOUND)
    assert.deepEqual(await runPmk([...GET, '--kubeconfig', 'config'], { cwd: dir.path }), FOUND)
    assert.equal((await runPmk([...GET, '--kubeconfig', elsewhere])).stdout, '')
    assert.deepEqual(await runPmk([...GET, '--kubeconfig', elsewhere, '-n', 'default']), FOUND)
    const home = join(dir.path, 'empty')
    mkdirSync(home)
    // $KUBECONFIG is kubectl's, not ours. Flags go before variables.
    fails(await runPmk(GET, { home, env: { KUBECONFIG: config } }), /no pmk server at .*empty\/pmk\.sock/)
    fails(await runPmk([...GET, '--data-dir', home], { env: { PMK_KUBECONFIG: config } }), /no pmk server at .*empty\/pmk\.sock/)
    fails(await runPmk([...GET, '--kubeconfig', config, '--data-dir', home]), /--kubeconfig and --data-dir name different servers/)
    fails(await runPmk([...GET, '--kubeconfig', config, '--context', 'nobody']), /no context called "nobody"/)
    fails(
      await runPmk(GET, { env: { PMK_KUBECONFIG: '/nonexistent/file' } }),
      /kubeconfig \/nonexistent\/file \(named by \$PMK_KUBECONFIG\): ENOENT/,
    )
    // What asks no server isn't kept from its work.
    assert.equal((await runPmk(['version', '--client'], { env: { PMK_KUBECONFIG: '/nonexistent/file' } })).code, 0)
  })

  test('says of a kubeconfig what it does not support', async () => {
    const config = JSON.parse(await access.kubeconfig({ token: 'good' }))
    const withUser = (user: object) => JSON.stringify({ ...config, users: [{ name: 'test', user }] })
    const withCluster = (cluster: object) =>
      JSON.stringify({ ...config, clusters: [{ name: 'pmk', cluster: { ...config.clusters[0].cluster, ...cluster } }] })
    const cases: Readonly<Record<string, RegExp>> = {
      [withUser({ exec: { command: 'true' } })]: /its user has `exec`, which pmk does not support: use a token or a client certificate/,
      [withUser({ username: 'a', password: 'b' })]: /`username`/,
      [withUser({ token: 'good', as: 'root' })]: /`as`/,
      [withCluster({ 'insecure-skip-tls-verify': true })]: /`insecure-skip-tls-verify`/,
      [withCluster({ 'proxy-url': 'http://127.0.0.1:1' })]: /`proxy-url`/,
      [withCluster({ server: 'http://127.0.0.1:1' })]: /no https:\/\/ address/,
      '{': /named by --kubeconfig/,
      '[]': /no kubeconfig/,
      '{}': /no current-context/,
    }
    for (const [text, expected] of Object.entries(cases)) fails(await runPmk([...GET, '--kubeconfig', file('bad', text)]), expected)
    const split = { tokenFile: 'token' }
    file('token', 'good\n')
    const { 'certificate-authority-data': _, ...cluster } = config.clusters[0].cluster
    const clusters = [{ name: 'pmk', cluster: { ...cluster, 'certificate-authority': 'ca.pem' } }]
    const parts = file('parts', JSON.stringify({ ...config, clusters, users: [{ name: 'test', user: split }] }))
    assert.deepEqual(await runPmk([...GET, '--kubeconfig', parts]), FOUND)
  })

  test('watches over it, and changes what is there', async () => {
    const env = { PMK_KUBECONFIG: file('config', await access.kubeconfig()) }
    const stop = new AbortController()
    let seen = ''
    const watching = runPmk(['get', 'processes', '-w', '-o', 'name'], {
      env,
      signal: stop.signal,
      onOutput: (text) => {
        seen += text
      },
    })
    await eventually(() => assert.match(seen, /web/, 'the watch shows nothing'))
    assert.equal((await runPmk(['label', 'process', 'web', 'a=b'], { env })).code, 0)
    await eventually(() => assert.match(seen, /web\n[\s\S]*web\n/, 'the watch shows no change'))
    stop.abort()
    await watching
  })
})

describe('pmk kubeconfig', () => {
  let server: Server
  let dir: Awaited<ReturnType<typeof tempDir>>
  before(async () => {
    dir = await tempDir()
    server = await Server.start({ port: 0, source: true })
  })
  after(async () => {
    await server.close()
    await dir.remove()
  })
  const pmk = (argv: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    runPmk(argv, { home: server.dataDir, env, cwd: dir.path })
  const ok = async (argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> => {
    const answer = await pmk(argv, env)
    assert.equal(answer.code, 0, answer.stderr)
    return answer.stdout
  }

  test('prints the way to the server, as it lies in the data directory', async () => {
    const config = yaml(await ok(['kubeconfig']))
    assert.equal(config['current-context'], 'pmk')
    assert.match(config.clusters[0].cluster.server, /^https:\/\/127\.0\.0\.1:\d+$/)
    assert.deepEqual(config, JSON.parse(readFileSync(join(server.dataDir, 'kubeconfig'), 'utf8')))
    assert.equal(statSync(join(server.dataDir, 'kubeconfig')).mode & 0o777, 0o600)
  })

  test('serves a real kubectl', { skip: !hasKubectl && 'NOT TESTED: kubectl is not installed' }, async () => {
    writeFileSync(join(dir.path, 'config'), await ok(['kubeconfig']))
    const env = { PATH: process.env.PATH, HOME: dir.path, KUBECONFIG: join(dir.path, 'config') }
    const answer = spawnSync('kubectl', ['get', 'namespaces', '-o', 'name'], { env, encoding: 'utf8' })
    assert.deepEqual([answer.stdout, answer.stderr], ['namespace/default\n', ''])
  })

  test('makes a certificate for another user, whose key the server never sees', async () => {
    const text = await ok(['kubeconfig', '--user', 'jane', '--group', 'system:masters', '--group', 'b', '--ttl', '1h'])
    const config = yaml(text)
    assert.equal(config['current-context'], 'jane@pmk')
    writeFileSync(join(dir.path, 'jane'), text)
    const asJane = await runPmk(['get', 'namespaces', '-o', 'name', '--kubeconfig', join(dir.path, 'jane')])
    assert.equal(asJane.stdout, 'namespace/default\n', asJane.stderr)
    // And by her another one, over TLS.
    const other = await runPmk(['kubeconfig', '--user', 'eve', '--kubeconfig', join(dir.path, 'jane')])
    assert.equal(other.code, 0, other.stderr)
    writeFileSync(join(dir.path, 'eve'), other.stdout)
    const asEve = await runPmk(['kubeconfig', '--user', 'root', '--group', 'system:masters', '--kubeconfig', join(dir.path, 'eve')])
    assert.match(asEve.stderr, /Forbidden/)
    assert.equal(asEve.code, 1)
    assert.match((await runPmk(['kubeconfig', '--kubeconfig', join(dir.path, 'jane')])).stderr, /--user NAME/)
    assert.match((await pmk(['kubeconfig', '--user', ''])).stderr, /1 to 253 characters/)
    assert.match((await pmk(['kubeconfig', '--user', 'x', '--ttl', '9999d'])).stderr, /authority itself holds until/)
    assert.match((await pmk(['kubeconfig', '--group', 'x'])).stderr, /need --user/)
  })

  test('merges itself into a kubeconfig, keeping everything else', async () => {
    const before = {
      apiVersion: 'v1',
      kind: 'Config',
      preferences: { colors: true },
      clusters: [
        { name: 'prod', cluster: { server: 'https://prod.example' } },
        { name: 'pmk', cluster: { server: 'https://old.example' } },
      ],
      users: [{ name: 'prod', user: { token: 'x' } }],
      contexts: [{ name: 'prod', context: { cluster: 'prod', user: 'prod' } }],
      'current-context': 'prod',
    }
    const real = join(dir.path, 'real')
    const link = join(dir.path, 'link')
    writeFileSync(real, JSON.stringify(before), { mode: 0o644 })
    symlinkSync(real, link)
    const first = await pmk(['kubeconfig', '--merge', link])
    assert.equal(first.stdout, `${link} configured: kubectl --context pmk get processes\n`)
    assert.match(first.stderr, /is in .*real\.before-pmk now/)
    assert.ok(lstatSync(link).isSymbolicLink())
    assert.equal(statSync(real).mode & 0o777, 0o600)
    assert.equal(readFileSync(`${real}.before-pmk`, 'utf8'), JSON.stringify(before))
    const merged = yaml(readFileSync(real, 'utf8'))
    const own = yaml(await ok(['kubeconfig']))
    assert.deepEqual(merged, {
      ...before,
      clusters: [before.clusters[0], own.clusters[0]],
      users: [before.users[0], own.users[0]],
      contexts: [before.contexts[0], own.contexts[0]],
    })
    const text = readFileSync(real, 'utf8')
    assert.equal(await ok(['kubeconfig', `--merge=${link}`]), `${link} unchanged\n`)
    assert.equal(readFileSync(real, 'utf8'), text)
  })

  test("merges into $KUBECONFIG's first file, else ~/.kube/config, and leaves alone what is no kubeconfig", async () => {
    const home = join(dir.path, 'home')
    await ok(['kubeconfig', '--merge'], { HOME: home })
    assert.equal(yaml(readFileSync(join(home, '.kube/config'), 'utf8'))['current-context'], 'pmk')
    assert.equal(statSync(join(home, '.kube')).mode & 0o777, 0o700)
    await ok(['kubeconfig', '--merge', '--name', 'here'], { HOME: home, KUBECONFIG: `:${join(dir.path, 'one')}:${join(dir.path, 'two')}` })
    assert.equal(yaml(readFileSync(join(dir.path, 'one'), 'utf8')).contexts[0].name, 'here')
    assert.ok(!existsSync(join(dir.path, 'two')))
    writeFileSync(join(dir.path, 'pod'), 'kind: Pod\n')
    assert.match((await pmk(['kubeconfig', '--merge', 'pod'])).stderr, /pod is left as it is: it is no kubeconfig/)
    assert.equal(readFileSync(join(dir.path, 'pod'), 'utf8'), 'kind: Pod\n')
  })
})
