import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import nodeProcess from 'node:process'
import { after, before, test } from 'node:test'
import type { Instance } from '../../src/generated/types.ts'
import { eventually } from '../support/eventually.ts'
import { Server } from '../support/pmk.ts'

/** Of each sort of trouble so many Instances. PMK_OVERLOAD=500 is what the server is made for, and takes minutes to set up on two cores. */
const CROWD = Number(nodeProcess.env.PMK_OVERLOAD ?? 30)

let server: Server
/** Lets everybody in, and never says a word. */
const mute = createServer((socket) => socket.on('error', () => {}))

before(async () => {
  server = await Server.start()
  mute.listen(0, '127.0.0.1')
  await once(mute, 'listening')
})
after(async () => {
  mute.close()
  await server.close()
})

async function instance(name: string): Promise<Instance> {
  return server.client.for('Instance').get({ name })
}

test(`a healthy program is restarted at once while ${CROWD} crash in a loop and ${2 * CROWD} probes hang`, async (t) => {
  const { port } = mute.address() as AddressInfo
  const hang = { periodSeconds: 1, timeoutSeconds: 600, failureThreshold: 1 }
  const processes = [
    { name: 'healthy', spec: { command: ['sleep', '100000'], backoff: { resetAfter: '0s' } } },
    { name: 'crash', spec: { command: ['false'], replicas: CROWD, backoff: { initial: '1s', max: '2s' } } },
    {
      name: 'exec',
      spec: { command: ['sleep', '100000'], replicas: CROWD, readinessProbe: { ...hang, exec: { command: ['sleep', '99999'] } } },
    },
    { name: 'http', spec: { command: ['sleep', '100000'], replicas: CROWD, readinessProbe: { ...hang, httpGet: { port, path: '/' } } } },
  ]
  for (const { name, spec } of processes) {
    await server.apply(JSON.stringify({ apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name }, spec }))
  }
  await eventually(
    async () => {
      const { items } = await server.client.for('Instance').list()
      const count = (process: string, holds: (item: Instance) => boolean): number =>
        items.filter((item) => item.spec.process === process && holds(item)).length
      assert.equal(
        count('crash', ({ status }) => (status?.restartCount ?? 0) >= 2),
        CROWD,
        'not all crash in a loop yet',
      )
      assert.equal(
        count('exec', ({ status }) => status?.phase === 'Running'),
        CROWD,
        'not all of those with a command run yet',
      )
      assert.equal(
        count('http', ({ status }) => status?.phase === 'Running'),
        CROWD,
        'not all of those with a request run yet',
      )
    },
    { within: 600_000, every: 250 },
  )

  const times: number[] = []
  for (let round = 1; round <= 3; round++) {
    const before = await instance('healthy-0')
    const began = performance.now()
    nodeProcess.kill(before.status?.pid ?? 0, 'SIGKILL')
    await eventually(async () => {
      const { status } = await instance('healthy-0')
      assert.equal(status?.restartCount, round, 'the status of the healthy one did not arrive')
      assert.notEqual(status?.pid, before.status?.pid)
      assert.equal(status?.phase, 'Running')
    })
    times.push(performance.now() - began)
  }

  // All the trouble is still there: no probe has ended, so none is ready.
  const { items } = await server.client.for('Instance').list()
  for (const { spec, status, metadata } of items) {
    if (spec.process === 'exec' || spec.process === 'http') assert.equal(status?.ready, false, `${metadata.name} is ready`)
  }

  // Each death is two statuses at most, and what else goes on is bounded: Events are counted together.
  const starts = async (): Promise<number> =>
    (await server.client.for('Instance').list()).items.reduce((sum, { status }) => sum + (status?.restartCount ?? 0), 0)
  const revision = async (): Promise<number> => Number((await server.client.for('Instance').list()).resourceVersion)
  const [startsBefore, revisionBefore] = [await starts(), await revision()]
  await eventually(async () => assert.ok((await starts()) >= startsBefore + CROWD, 'they do not crash any more'), { every: 250 })
  const [startsAfter, revisionAfter] = [await starts(), await revision()]
  const perStart = (revisionAfter - revisionBefore) / (startsAfter - startsBefore)
  const events = (await server.client.for('Event').list()).items.length
  assert.ok(perStart <= 12, `${perStart} writes for each restart`)
  assert.ok(events <= 10 * CROWD + 200, `${events} Events`)
  t.diagnostic(
    `kill → status of the next run: ${times.map((time) => `${Math.round(time)} ms`).join(', ')}; ${perStart.toFixed(1)} writes for each restart; ${events} Events`,
  )
})
