import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { hasReason } from '../../src/api/status.ts'
import { hashOfToken, tokenText } from '../../src/api/token-text.ts'
import type { HttpClient } from '../../src/client/http-client.ts'
import type { TokenSpec } from '../../src/generated/types.ts'
import { findKubectl, MINORS } from '../kubectl/programs.ts'
import { PROCESSES, processNamed, TestApiServer } from '../support/api-server.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TlsAccess } from '../support/tls-access.ts'

const SECRET = 'c0ffee'.repeat(11).slice(0, 64)
const secretBytes = Buffer.from(SECRET, 'hex')

describe('bearer tokens over TLS', () => {
  let server: TestApiServer
  let access: TlsAccess
  const clock = new FakeClock({ start: '2026-01-01T00:00:00.000Z' })
  let audit = ''
  const logged: string[] = []

  before(async () => {
    const note = (fields: object, message: string): void => void logged.push(JSON.stringify({ ...fields, message }))
    const log = { child: () => log, debug: note, info: note, warn: note, error: note }
    server = await TestApiServer.start({ clock, audit: { write: (line) => (audit += line) }, log })
    access = await TlsAccess.open(server.server)
  })
  after(async () => {
    await access.close()
    await server.stop()
  })

  async function made(name: string, spec: Partial<TokenSpec> = {}): Promise<string> {
    const token = tokenText(name, secretBytes)
    const whole = { user: 'anna', groups: ['system:masters'], hash: hashOfToken(token), ...spec }
    await server.client.for('Token').create({ apiVersion: 'pmk.dev/v1', kind: 'Token', metadata: { name }, spec: whole })
    return token
  }
  const list = async (client: HttpClient): Promise<number> => {
    const answer = await client.request({ method: 'GET', path: PROCESSES })
    await answer.text()
    return answer.status
  }
  async function isRefused(client: HttpClient): Promise<void> {
    await assert.rejects(list(client), (err) => {
      assert.ok(hasReason(err, 'Unauthorized'), String(err))
      assert.deepEqual([err.status.code, err.status.message], [401, 'Unauthorized'], 'why, is not told')
      return true
    })
  }

  test('a token is good from the answer to its creation until the answer to its deletion, also on an open connection', async () => {
    const token = tokenText('ci', secretBytes)
    const client = await access.client({ token })
    await isRefused(client)
    await made('ci')
    assert.equal(await list(client), 200)
    await server.client.for('Token').delete({ name: 'ci' })
    await isRefused(client)
    await made('ci', { hash: hashOfToken('another') })
    await isRefused(client)
    await server.client.for('Token').delete({ name: 'ci' })
  })

  test('a token that is being kept by a finalizer, or has expired, is refused', async () => {
    const brief = await access.client({ token: await made('brief', { expiresAt: '2026-01-01T01:00:00Z' }) })
    assert.equal(await list(brief), 200)
    await clock.advance(3_600_000)
    await isRefused(brief)
    const kept = await access.client({ token: await made('kept') })
    const value = { metadata: { finalizers: ['example.com/kept'] } }
    await server.client.for('Token').patch({ name: 'kept' }, { type: 'merge', value })
    assert.equal(await list(kept), 200)
    assert.notEqual(await server.client.for('Token').delete({ name: 'kept' }), undefined, 'it is still there')
    await isRefused(kept)
  })

  test('what is nearly a token is refused as what is none', async () => {
    const token = await made('near')
    const otherBytes = new Uint8Array(32).fill(9)
    await made('near-2', { hash: hashOfToken(tokenText('near-2', otherBytes)) })
    for (const wrong of [
      token.slice(0, -1),
      `${token}0`,
      token.replace('near', 'near-2'),
      tokenText('near', otherBytes),
      'near',
      SECRET,
      `pmk_near_${'0'.repeat(64)}`,
    ])
      await isRefused(await access.client({ token: wrong }))
    assert.equal(await list(await access.client({ token })), 200)
  })

  test('the audit log names the user, and neither it nor the log of the server nor the store holds a token', async () => {
    audit = ''
    const client = await access.client({ token: await made('writer', { user: 'writer' }) })
    await client.for('Process').create(processNamed('by-token') as never)
    await assert.rejects(client.request({ method: 'DELETE', path: `/apis/pmk.dev/v1/tokens/${tokenText('writer', secretBytes)}` }))
    const lines = audit
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
    const { user, groups, source, verb, name } = lines.find((line) => line.resource === 'processes')
    assert.deepEqual(
      { user, groups, source, verb, name },
      {
        user: 'writer',
        groups: ['system:masters', 'system:authenticated'],
        source: '127.0.0.1',
        verb: 'create',
        name: 'by-token',
      },
    )
    assert.ok(!audit.includes(SECRET) && !logged.join('').includes(SECRET))
    const all = (await server.store.range('', {})).items.map(({ value }) => value).join('\n')
    assert.ok(all.includes('"writer"') && !all.includes(SECRET))
  })

  test('who may create Tokens hands out only what they may impersonate', async () => {
    const rules = [
      { apiGroups: ['pmk.dev'], resources: ['tokens'], verbs: ['create', 'patch', 'update', 'get'] },
      { apiGroups: [''], resources: ['users'], resourceNames: ['bob'], verbs: ['impersonate'] },
      { apiGroups: [''], resources: ['groups'], resourceNames: ['readers'], verbs: ['impersonate'] },
    ]
    const RBAC = '/apis/rbac.authorization.k8s.io/v1'
    const metadata = { name: 'minter' }
    const made = await server.send('POST', `${RBAC}/clusterroles`, {
      kind: 'ClusterRole',
      apiVersion: 'rbac.authorization.k8s.io/v1',
      metadata,
      rules,
    })
    assert.equal(made.status, 201, made.text)
    const bound = await server.send('POST', `${RBAC}/clusterrolebindings`, {
      kind: 'ClusterRoleBinding',
      apiVersion: 'rbac.authorization.k8s.io/v1',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'minter' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'minter' }],
    })
    assert.equal(bound.status, 201, bound.text)
    const mint = (method: string, name: string, spec: object, type = 'application/json') =>
      server.raw(method, `/apis/pmk.dev/v1/tokens${method === 'POST' ? '' : `/${name}?fieldManager=test`}`, {
        headers: { 'content-type': type, 'impersonate-user': 'minter' },
        body: JSON.stringify({ apiVersion: 'pmk.dev/v1', kind: 'Token', metadata: { name }, spec: { hash: hashOfToken(name), ...spec } }),
      })
    assert.equal((await mint('POST', 'm-1', { user: 'bob', groups: ['readers'] })).status, 201)
    for (const spec of [{ user: 'root' }, { user: 'bob', groups: ['system:masters'] }, { user: 'system:serviceaccount:a:b' }]) {
      for (const [method, type] of [
        ['POST', 'application/json'],
        ['PATCH', 'application/apply-patch+yaml'],
      ] as const) {
        const answer = await mint(method, 'm-2', spec, type)
        assert.deepEqual([answer.status, answer.json.reason], [403, 'Forbidden'], `${method} ${JSON.stringify(spec)}`)
        assert.match(answer.json.message, /cannot impersonate resource/)
      }
    }
    const grown = await mint('PATCH', 'm-1', { user: 'bob', groups: ['readers', 'system:masters'] }, 'application/merge-patch+json')
    assert.equal(grown.status, 422, grown.text)
    assert.equal((await server.raw('GET', '/apis/pmk.dev/v1/tokens/m-2')).status, 404)
  })

  for (const minor of MINORS) {
    const program = findKubectl(minor)
    const skip = program === undefined && `there is no kubectl 1.${minor} on this machine`
    test(`kubectl 1.${minor} gets in with a token, and with a wrong or revoked one is told that it isn't known`, { skip }, async () => {
      const dir = await tempDir()
      try {
        const name = `kubectl-${minor}`
        const good = await made(name, { user: `kubectl-${minor}` })
        const run = async (token: string): Promise<{ readonly code: number; readonly out: string; readonly err: string }> => {
          const config = join(dir.path, 'config')
          await writeFile(config, await access.kubeconfig({ token }))
          return kubectl(program ?? '', ['--kubeconfig', config, '--cache-dir', join(dir.path, 'cache'), 'get', 'processes'], dir.path)
        }
        assert.equal((await run(good)).code, 0)
        for (const token of [tokenText(name, new Uint8Array(32)), 'nonsense']) {
          const { code, err } = await run(token)
          assert.equal(code, 1)
          assert.match(err, /You must be logged in to the server|Unauthorized/)
        }
        await server.client.for('Token').delete({ name })
        assert.match((await run(good)).err, /You must be logged in to the server|Unauthorized/)
      } finally {
        await dir.remove()
      }
    })
  }
})

function kubectl(
  program: string,
  args: readonly string[],
  home: string,
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { HOME: home }, stdio: ['ignore', 'pipe', 'pipe'] })
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 128, out, err }))
  })
}
