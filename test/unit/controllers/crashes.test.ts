import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findCondition } from '../../../src/api/conditions.ts'
import { seededRandom } from '../../../src/base/random.ts'
import { ControlPlaneEnv } from '../../support/control-plane-env.ts'
import { type Fate, faultyClient } from '../../support/faulty-client.ts'

/** Each has its own order of changes and of failures. */
const SEEDS = Array.from({ length: 6 }, (_, at) => at + 1)

for (const seed of SEEDS) {
  test(`whatever write fails or goes unanswered, and whenever the controllers crash, the world becomes what was asked for (seed ${seed})`, async () => {
    const random = seededRandom(seed)
    let fates: (write: number) => Fate = () => {
      const dice = random()
      return dice < 0.2 ? 'lost' : dice < 0.4 ? 'unanswered' : 'done'
    }
    const env = await ControlPlaneEnv.start({ wrap: (client) => faultyClient(client, (write) => fates(write)) })
    try {
      await env.create('web', { replicas: 2 })
      for (let change = 0; change < 8; change++) {
        await env.clock.advance(Math.floor(random() * 60))
        const choices = [
          () => env.change('web', { replicas: Math.floor(random() * 5) }),
          () => env.change('web', { args: [`v${Math.floor(random() * 3)}`] }),
          () => env.change('web', { restartedAt: env.clock.now() }),
          () => env.change('web', { desiredState: random() < 0.5 ? 'Stopped' : 'Running' }),
          () => env.change('web', { terminationGracePeriodSeconds: Math.floor(random() * 100) }),
          async () => {
            const [instance] = await env.instances('web')
            if (instance !== undefined) await env.client.for('Instance').delete(instance.metadata)
          },
          () => env.restartControllers(),
        ]
        await choices[Math.floor(random() * choices.length)]?.()
      }
      await env.change('web', { replicas: 3, desiredState: 'Running', args: ['last'] })
      await env.until(() => isAsAskedFor(env), { within: 120_000, step: 200 })

      fates = () => 'done'
      await env.quiet()
      await isAsAskedFor(env)
      const revisions = await env.revisions('web')
      assert.deepEqual(new Set(revisions.map(({ revision }) => revision)).size, revisions.length, 'each revision has a number of its own')

      fates = () => (random() < 0.4 ? 'unanswered' : 'done')
      await env.client.for('Process').delete({ name: 'web' })
      await env.until(() => assertEmpty(env), { within: 120_000, step: 200 })
    } finally {
      await env.stop()
    }
  })
}

async function isAsAskedFor(env: ControlPlaneEnv): Promise<void> {
  const process = await env.process('web')
  const instances = await env.instances('web')
  assert.deepEqual(
    instances.map(({ metadata }) => metadata.name),
    ['web-0', 'web-1', 'web-2'],
  )
  for (const { spec, status } of instances) {
    assert.deepEqual(spec.template.args, ['last'])
    assert.equal(spec.template.terminationGracePeriodSeconds, process.spec.terminationGracePeriodSeconds)
    assert.equal(status?.revision, spec.revision)
    assert.equal(spec.revision, process.status?.updateRevision)
  }
  const ready = findCondition(process.status?.conditions, 'Ready')
  assert.equal(ready?.status, 'True', ready?.message)
  assert.equal(ready?.observedGeneration, process.metadata.generation)
  const named = (await env.revisions('web')).filter(({ spec }) => JSON.stringify(spec.template).includes('last'))
  assert.equal(named.length, 1, 'one revision for one template')
}

async function assertEmpty(env: ControlPlaneEnv): Promise<void> {
  for (const kind of ['Process', 'Instance', 'Revision'] as const) {
    assert.deepEqual(
      (await env.client.for(kind).list()).items.map(({ metadata }) => metadata.name),
      [],
      kind,
    )
  }
}
