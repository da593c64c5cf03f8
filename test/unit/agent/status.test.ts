import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newMemory } from '../../../src/agent/memory.ts'
import { plan } from '../../../src/agent/plan.ts'
import { statusOf } from '../../../src/agent/status.ts'
import { AgentWorld } from '../../support/agent-world.ts'

// They were once taken from the object in the cache. Two statuses on their way at once then took their times from each other for
// ever, and every such write made the controller's next one a conflict.
test('the times of conditions go on from the status reported last, not from an older one in a cache', async () => {
  const world = await AgentWorld.open()
  const cached = await world.create({ spec: { desiredState: 'Stopped' } })
  const report = (now: string, before: Parameters<typeof statusOf>[0]['before']): ReturnType<typeof statusOf> => {
    const time = { now, monotonic: 0, bootId: 'boot' }
    const decision = plan(cached, newMemory(time), { run: undefined, probes: {}, dependencies: [], dependants: [] }, time)
    return statusOf({ instance: cached, plan: decision, run: undefined, time, command: undefined, gaps: [], before })
  }
  const first = report('2026-01-01T00:00:01.000Z', cached.status)
  assert.equal(first.conditions?.[0]?.lastTransitionTime, '2026-01-01T00:00:01.000Z')
  assert.deepEqual(report('2026-01-01T00:00:02.000Z', first).conditions, first.conditions)
})
