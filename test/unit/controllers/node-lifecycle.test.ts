import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { Node } from '../../../src/generated/types.ts'
import { ControlPlaneEnv } from '../../support/control-plane-env.ts'
import { assertPartly } from '../../support/partly.ts'

let env: ControlPlaneEnv

afterEach(() => env.stop())

test('a Node is NotReady after 40 silent seconds, with an Event that says so', async () => {
  env = await ControlPlaneEnv.start({ heartbeats: false })
  await env.quiet()
  await env.clock.advance(38_000)
  assert.equal((await node()).status?.phase, 'Ready')
  await env.clock.advance(3_000)
  await env.until(async () => assert.equal((await node()).status?.phase, 'NotReady'))
  assertPartly((await node()).status?.conditions?.[0], { type: 'Ready', status: 'Unknown', reason: 'NoHeartbeat' })
  await env.until(async () => {
    const { items } = await env.client.for('Event').list()
    assert.deepEqual(
      items.map(({ reason }) => reason),
      ['NodeNotReady'],
    )
  })
})

test('a wall clock that jumps silences nobody', async () => {
  env = await ControlPlaneEnv.start()
  await env.quiet()
  env.clock.jump(86_400_000)
  await env.clock.advance(15_000)
  assert.equal((await node()).status?.phase, 'Ready')
  env.clock.jump(-2 * 86_400_000)
  await env.clock.advance(60_000)
  assert.equal((await node()).status?.phase, 'Ready')
})

test('a server that was itself away gives every Node its time', async () => {
  env = await ControlPlaneEnv.start({ heartbeats: false })
  await env.quiet()
  await env.clock.advance(35_000)
  await env.restartControllers()
  await env.clock.advance(35_000)
  assert.equal((await node()).status?.phase, 'Ready')
  await env.clock.advance(10_000)
  await env.until(async () => assert.equal((await node()).status?.phase, 'NotReady'))
})

function node(): Promise<Node> {
  return env.client.for('Node').get({ name: 'host' })
}
