import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashOfToken } from '../../../src/api/token-text.ts'
import { ControlPlaneEnv } from '../../support/control-plane-env.ts'

test('a Token goes by itself a day after it has expired, and one without an end stays', async () => {
  const env = await ControlPlaneEnv.start()
  const names = async (): Promise<readonly string[]> => (await env.client.for('Token').list()).items.map(({ metadata }) => metadata.name)
  env.clock.jump(24 * 3_600_000)
  try {
    for (const [name, spec] of [
      ['brief', { expiresAt: '2026-01-01T01:00:00Z' }],
      ['endless', {}],
      ['long', { expiresAt: '2026-01-03T00:00:00Z' }],
    ] as const) {
      const whole = { user: 'anna', hash: hashOfToken(name), ...spec }
      await env.client.for('Token').create({ apiVersion: 'pmk.dev/v1', kind: 'Token', metadata: { name }, spec: whole })
    }
    await env.clock.advance(3_590_000)
    assert.deepEqual(await names(), ['brief', 'endless', 'long'])
    await env.clock.advance(20_000)
    await env.until(async () => assert.deepEqual(await names(), ['endless', 'long']))
  } finally {
    await env.stop()
  }
})

test('a Token is looked at again when the wall clock was set forward meanwhile', async () => {
  const env = await ControlPlaneEnv.start()
  try {
    const spec = { user: 'anna', hash: hashOfToken('x'), expiresAt: '2026-03-01T00:00:00Z' }
    await env.client.for('Token').create({ apiVersion: 'pmk.dev/v1', kind: 'Token', metadata: { name: 'x' }, spec })
    env.clock.jump(90 * 24 * 3_600_000)
    await env.clock.advance(3_700_000)
    await env.until(async () => assert.deepEqual((await env.client.for('Token').list()).items, []))
  } finally {
    await env.stop()
  }
})
