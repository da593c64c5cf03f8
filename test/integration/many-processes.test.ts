import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ControlPlaneEnv } from '../support/control-plane-env.ts'
import { settle } from '../support/fake-clock.ts'

test('a thousand Processes made at once all get there, with few writes for each', async (t) => {
  const env = await ControlPlaneEnv.start({ heartbeats: false })
  try {
    const names = Array.from({ length: 1_000 }, (_, at) => `p-${at}`)
    const start = performance.now()
    const before = env.store.revision()
    await Promise.all(names.map((name) => env.create(name)))
    const created = performance.now()
    for (;;) {
      await settle()
      const { items } = await env.client.for('Process').list()
      if (items.every(({ status }) => status?.reason === 'Running')) break
      // Only a conflict waits, for some milliseconds of the clock.
      await env.clock.advance(5)
      assert.ok(performance.now() - start < 300_000, 'it takes far too long')
    }
    const writes = env.store.revision() - before
    t.diagnostic(
      `1,000 Processes: created in ${Math.round(created - start)} ms, all Running in ${Math.round(performance.now() - start)} ms, ${writes} writes`,
    )
    assert.equal((await env.client.for('Instance').list()).items.length, 1_000)
    assert.ok(
      writes <= 8_000,
      `${writes} writes are too many: create, Revision, Instance, the agent's status, and that of the Process twice`,
    )
  } finally {
    await env.stop()
  }
})
