import assert from 'node:assert/strict'
import { test } from 'node:test'
import { definitionOf } from '../../../src/api/scheme.ts'
import { hasReason } from '../../../src/api/status.ts'
import { hashOfToken, tokenText } from '../../../src/api/token-text.ts'
import type { TokenVerifier } from '../../../src/apiserver/authentication.ts'
import { storedTokens } from '../../../src/apiserver/token-verifier.ts'
import type { Client } from '../../../src/client/client.ts'
import type { Token, TokenSpec } from '../../../src/generated/types.ts'
import { context, testRegistry } from '../registry/support.ts'

const TOKENS = definitionOf('Token')
const text = (name: string, byte = 7): string => tokenText(name, new Uint8Array(32).fill(byte))

function create(client: Client, name: string, spec: Partial<TokenSpec> = {}, metadata: object = {}): Promise<Token> {
  const whole = { user: 'anna', hash: hashOfToken(text(name)), ...spec }
  return client.for('Token').create({ apiVersion: 'pmk.dev/v1', kind: 'Token', metadata: { name, ...metadata }, spec: whole })
}

async function world() {
  const tested = await testRegistry()
  const verifier: TokenVerifier = storedTokens(tested.registry, tested.clock)
  return { ...tested, verifier }
}

test('a token is its user with its groups, from the moment its Token is there until it is deleted', async () => {
  const { client, verifier } = await world()
  assert.equal(await verifier.verify(text('ci')), undefined)
  await create(client, 'ci', { groups: ['deployers', 'system:authenticated'] })
  assert.deepEqual(await verifier.verify(text('ci')), { name: 'anna', groups: ['deployers', 'system:authenticated'] })
  await client.for('Token').delete({ name: 'ci' })
  assert.equal(await verifier.verify(text('ci')), undefined)
  await create(client, 'ci', { hash: hashOfToken(text('ci', 8)) })
  assert.equal(await verifier.verify(text('ci')), undefined, 'the token of a namesake that was deleted')
  assert.deepEqual(await verifier.verify(text('ci', 8)), { name: 'anna', groups: ['system:authenticated'] })
})

test('a token is refused from the moment at which it expires', async () => {
  const { client, clock, verifier } = await world()
  await create(client, 'short', { expiresAt: '2026-01-01T01:00:00Z' })
  await clock.advance(3_599_999)
  assert.notEqual(await verifier.verify(text('short')), undefined)
  await clock.advance(1)
  assert.equal(await verifier.verify(text('short')), undefined)
})

test('a Token that is kept while it is being deleted is revoked all the same', async () => {
  const { client, verifier } = await world()
  await create(client, 'kept', {}, { finalizers: ['example.com/audit'] })
  assert.notEqual(await client.for('Token').delete({ name: 'kept' }), undefined)
  assert.equal(await verifier.verify(text('kept')), undefined)
})

test('what is no token is refused without a look into the store', async () => {
  const { client, clock, registry } = await world()
  await create(client, 'ci')
  let looks = 0
  const get: typeof registry.get = (...args) => {
    looks++
    return registry.get(...args)
  }
  const verifier = storedTokens({ get }, clock)
  const good = text('ci')
  const secret = good.slice('pmk_ci_'.length)
  const wrong = [
    '',
    'pmk_',
    secret,
    `Bearer ${good}`,
    `${good} `,
    `${good}0`,
    good.slice(0, -1),
    good.toUpperCase(),
    `pmk__${secret}`,
    `pmk_../ci_${secret}`,
    `pmk_ci/x_${secret}`,
    `pmk_ci\n_${secret}`,
    `pmk_${'a'.repeat(254)}_${secret}`,
    'x'.repeat(60_000),
    `${good}\n`,
  ]
  for (const token of wrong) assert.equal(await verifier.verify(token), undefined, JSON.stringify(token).slice(0, 80))
  assert.equal(looks, 0)
  assert.equal(await verifier.verify(text('other')), undefined)
  assert.equal(looks, 1)
})

test('a store that can not be read refuses with its own reason, not as a wrong token', async () => {
  const { clock } = await world()
  const broken = storedTokens({ get: () => Promise.reject(new Error('disk')) }, clock)
  await assert.rejects(broken.verify(text('ci')), /disk/)
})

test('a Token never changes, and what is wrong with one is told without showing what may be the token', async () => {
  const { client, registry } = await world()
  const token = await create(client, 'ci', { groups: ['a'] })
  for (const change of [
    { user: 'root' },
    { groups: ['system:masters'] },
    { hash: hashOfToken(text('x')) },
    { expiresAt: '2099-01-01T00:00:00Z' },
  ]) {
    const next = { ...token, spec: { ...token.spec, ...change } }
    await assert.rejects(client.for('Token').update(next), /a Token never changes: create another one and delete this one/)
  }
  await client.for('Token').update({ ...token, metadata: { ...token.metadata, labels: { team: 'a' } } })
  const body = { apiVersion: 'pmk.dev/v1', kind: 'Token', metadata: { name: 'bad' }, spec: { user: 'anna', hash: text('bad') } }
  await assert.rejects(registry.create(TOKENS, undefined, { value: body, duplicates: [] }, context), (err) => {
    assert.ok(hasReason(err, 'Invalid'))
    assert.doesNotMatch(JSON.stringify(err.status), /0707/)
    assert.match(err.message, /spec\.hash: Invalid value: \(hidden\): must be sha256: and the 64 hexadecimal digits/)
    return true
  })
  for (const spec of [{ user: '' }, { user: 'a\nb' }, { groups: [''] }, { groups: ['a', 'a'] }, { expiresAt: '2026-12-31T23:59:60Z' }])
    await assert.rejects(create(client, 'bad', spec), /is invalid/, JSON.stringify(spec))
})
