import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newMemory } from '../../../src/agent/memory.ts'
import { plan } from '../../../src/agent/plan.ts'
import { gapsOf, statusOf } from '../../../src/agent/status.ts'
import type { ProcessTemplate } from '../../../src/generated/types.ts'
import { AgentWorld } from '../../support/agent-world.ts'

const context = { umask: '0022', noNewPrivileges: false, privateTmp: false }

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

const LACKS = ['identity', 'nice.below', 'oomScoreAdj.below', 'ioPriority.RealTime', 'mounts', 'processTree', 'reaping']
const asked: readonly { readonly given: string; readonly template: Partial<ProcessTemplate>; readonly named: readonly string[] }[] = [
  { given: 'nothing', template: {}, named: [] },
  { given: 'a user', template: { securityContext: { ...context, runAsUser: 'daemon' } }, named: ['identity'] },
  { given: 'a niceness that anybody can have', template: { nice: 5 }, named: [] },
  { given: 'a niceness below that', template: { nice: -5 }, named: ['nice.below'] },
  { given: 'a lower out-of-memory score', template: { oomScoreAdj: -1 }, named: ['oomScoreAdj.below'] },
  { given: 'the I/O class Idle', template: { ioPriority: { class: 'Idle' } }, named: [] },
  { given: 'the I/O class RealTime', template: { ioPriority: { class: 'RealTime' } }, named: ['ioPriority.RealTime'] },
  { given: 'writable paths alone', template: { securityContext: { ...context, writablePaths: ['/'] } }, named: [] },
  { given: 'read-only paths', template: { securityContext: { ...context, readOnlyPaths: ['/'] } }, named: ['mounts'] },
  { given: 'hidden paths', template: { securityContext: { ...context, hiddenPaths: ['/root'] } }, named: ['mounts'] },
  { given: 'a private /tmp', template: { securityContext: { ...context, privateTmp: true } }, named: ['mounts'] },
]
for (const { given, template, named } of asked) {
  test(`of what a host lacks, who asks for ${given} is told ${named.join(', ') || 'nothing'}`, async () => {
    const world = await AgentWorld.open()
    const { spec } = await world.create({})
    const gaps = LACKS.map((field) => ({ field, message: field, ...(field.endsWith('.below') ? { below: 0 } : {}) }))
    assert.deepEqual(gapsOf({ ...spec.template, ...template }, gaps), named)
  })
}
