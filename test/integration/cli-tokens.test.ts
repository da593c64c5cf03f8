import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { parse } from 'yaml'
import { hashOfToken } from '../../src/api/token-text.ts'
import type { TokenVerifier } from '../../src/apiserver/authentication.ts'
import { storedTokens } from '../../src/apiserver/token-verifier.ts'
import { systemClock } from '../../src/base/clock.ts'
import { createHttpClient } from '../../src/client/http-client.ts'
import { TestApiServer } from '../support/api-server.ts'
import { type CliAnswer, runPmk } from '../support/cli.ts'
import { TlsAccess } from '../support/tls-access.ts'

let server: TestApiServer
let verifier: TokenVerifier
before(async () => {
  server = await TestApiServer.start()
  verifier = storedTokens(server.registry, systemClock)
})
after(() => server.stop())
afterEach(async () => {
  for (const { metadata } of (await server.client.for('Token').list()).items) await server.client.for('Token').delete(metadata)
})

const pmk = (line: string): Promise<CliAnswer> => runPmk(line.split(' '), { home: dirname(server.socketPath) })

test('a token is printed once, alone on standard output, and is what its Token says', async () => {
  const { code, stdout, stderr } = await pmk('token create ci --user anna --group a --group b --ttl 12h --description deployment')
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^pmk_ci_[0-9a-f]{64}\n$/)
  assert.match(stderr, /^token\.pmk\.dev\/ci created; it expires at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$/)
  const token = stdout.trim()
  assert.deepEqual(await verifier.verify(token), { name: 'anna', groups: ['a', 'b', 'system:authenticated'] })
  const { spec } = await server.client.for('Token').get({ name: 'ci' })
  assert.deepEqual(
    { ...spec, expiresAt: '' },
    { user: 'anna', groups: ['a', 'b'], hash: hashOfToken(token), expiresAt: '', description: 'deployment' },
  )
  const left = Date.parse(spec.expiresAt ?? '') - Date.now()
  assert.ok(left > 11.9 * 3_600_000 && left <= 12 * 3_600_000, String(left))
})

test('a token without a name gets one after its user, and ends in 90 days unless told otherwise', async () => {
  const first = (await pmk('token create --user Anna.B@example.com')).stdout.trim()
  const second = (await pmk('token create --user Anna.B@example.com --ttl=0')).stdout.trim()
  assert.match(first, /^pmk_anna-b-example-com-[a-z0-9]{5}_[0-9a-f]{64}$/)
  assert.notEqual(first, second)
  assert.equal((await verifier.verify(first))?.name, 'Anna.B@example.com')
  const { items } = await server.client.for('Token').list()
  const days = items.map(({ spec }) =>
    spec.expiresAt === undefined ? 'never' : Math.round((Date.parse(spec.expiresAt) - Date.now()) / 86_400_000),
  )
  assert.deepEqual(days.sort(), [90, 'never'])
  assert.match((await pmk('token create --user ***')).stdout, /^pmk_token-[a-z0-9]{5}_/)
})

test('tokens are listed without what would let anybody in, and revoked by name, by user, or by the token itself', async () => {
  const tokens = new Map<string, string>()
  for (const name of ['one', 'two', 'three', 'four']) {
    tokens.set(name, (await pmk(`token create ${name} --user ${name === 'four' ? 'bert' : 'anna'}`)).stdout.trim())
  }
  const list = await pmk('token list')
  assert.match(list.stdout, /^NAME +USER +GROUPS +EXPIRES +AGE\nfour +bert /)
  for (const token of tokens.values()) assert.doesNotMatch(`${list.stdout}${(await pmk('token list -o yaml')).stdout}`, new RegExp(token))
  const accepted = async (): Promise<readonly string[]> => {
    const found = await Promise.all([...tokens].map(async ([name, token]) => ((await verifier.verify(token)) === undefined ? [] : [name])))
    return found.flat()
  }
  assert.equal((await pmk('token revoke one')).stdout, 'token.pmk.dev/one revoked\n')
  assert.deepEqual(await accepted(), ['two', 'three', 'four'])
  assert.equal((await pmk(`token revoke ${tokens.get('two')}`)).stdout, 'token.pmk.dev/two revoked\n')
  assert.deepEqual(await accepted(), ['three', 'four'])
  assert.equal((await pmk('token revoke --field-selector spec.user=anna')).stdout, 'token.pmk.dev/three revoked\n')
  assert.deepEqual(await accepted(), ['four'])
  assert.equal((await pmk('token revoke token/four')).stdout, 'token.pmk.dev/four revoked\n')
  const again = await pmk('token revoke four')
  assert.deepEqual([again.code, again.stderr], [1, 'Error from server (NotFound): tokens.pmk.dev "four" not found\n'])
  assert.equal((await pmk('token list')).stderr, 'No resources found\n')
})

test('what makes no token is refused before the server is asked, and a name is taken once', async () => {
  for (const [line, message] of [
    ['token create ci', /required flag\(s\) "user" not set/],
    ['token create a b --user anna', /a token has one name/],
    ['token create ci --user anna --ttl -1h', /--ttl must be at least 0/],
    ['token create ci --user anna --ttl 9000000d', /--ttl is too long/],
    ['token revoke', /no name was specified/],
    ['token revoke process/web', /process\/web is no token/],
    ['token frobnicate', /unknown command "token frobnicate"/],
  ] as const) {
    const { code, stdout, stderr } = await pmk(line)
    assert.deepEqual([code, stdout], [1, ''], line)
    assert.match(stderr, message)
  }
  assert.deepEqual((await server.client.for('Token').list()).items, [])
  await pmk('token create ci --user anna')
  const twice = await pmk('token create ci --user anna')
  assert.deepEqual([twice.code, twice.stdout], [1, ''])
  assert.match(twice.stderr, /AlreadyExists/)
  const bad = await pmk('token create CI --user anna')
  assert.match(bad.stderr, /metadata\.name: Invalid value/)
  assert.equal(bad.stdout, '')
})

test('the verbs of tokens are found by completion, and by help', async () => {
  await pmk('token create ci --user anna')
  assert.equal((await pmk('complete -- token ')).stdout, 'create\nlist\nrevoke\n')
  assert.equal((await pmk('complete -- token revoke ')).stdout, 'ci\n')
  assert.match((await pmk('complete -- token create --us')).stdout, /^--user\n$/)
  assert.match((await pmk('token --help')).stdout, /token create +Make a bearer token/)
  assert.match((await pmk('token create --help')).stdout, /--ttl TIME +How long it is accepted/)
})

test('a token comes in a kubeconfig that gets its bearer in, where the server has a port for that', async () => {
  let endpoint = { server: '', certificateAuthority: '' }
  const open = await TestApiServer.start({ tls: { endpoint: () => endpoint, sign: () => Promise.reject(new Error('unused')) } })
  const access = await TlsAccess.open(open.server)
  endpoint = { server: access.url, certificateAuthority: access.serverAuthority.certificate }
  const client = (token: string) => createHttpClient({ url: access.url, ca: endpoint.certificateAuthority, token })
  try {
    const line = 'token create ci --user anna --group system:masters -o kubeconfig'
    const { code, stdout, stderr } = await runPmk(line.split(' '), { home: dirname(open.socketPath) })
    assert.equal(code, 0, stderr)
    const config = parse(stdout)
    assert.deepEqual(config.clusters[0].cluster, {
      server: access.url,
      'certificate-authority-data': Buffer.from(endpoint.certificateAuthority).toString('base64'),
    })
    const { context } = config.contexts.find(({ name }: { name: string }) => name === config['current-context'])
    assert.deepEqual([config['current-context'], context.user, config.users[0].name], ['anna@pmk', 'pmk-anna', 'pmk-anna'])
    const bearer = client(config.users[0].user.token)
    assert.deepEqual(
      (await bearer.for('Token').list()).items.map(({ metadata }) => metadata.name),
      ['ci'],
    )
    await bearer.close()
  } finally {
    await access.close()
    await open.stop()
  }
  const none = await pmk('token create ci --user anna -o kubeconfig')
  assert.deepEqual([none.code, none.stdout], [1, ''])
  assert.match(none.stderr, /there is nothing to put into a kubeconfig/)
  assert.match((await pmk('token create ci --user anna -o json')).stderr, /only '-o kubeconfig' is supported/)
  assert.deepEqual((await server.client.for('Token').list()).items, [], 'no token was made that nobody saw')
})
