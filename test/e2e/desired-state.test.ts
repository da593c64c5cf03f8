import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { createHttpClient } from '../../src/client/http-client.ts'
import type { Process } from '../../src/generated/types.ts'
import { eventually } from '../support/eventually.ts'
import { isAlive, processesOf, Server } from '../support/pmk.ts'

const sleeper = (name: string): string => `
apiVersion: pmk.dev/v1
kind: Process
metadata: {name: ${name}}
spec:
  command: [sleep, "1000000"]
  backoff: {initial: 50ms}
`
const ref = { namespace: 'default', name: 'flip' }

test('1,000 alternating start/stop and suspend/resume writes from 8 clients: no error, the last write wins, the world agrees', {
  timeout: 120_000,
}, async () => {
  const server = await Server.start()
  try {
    await server.apply(sleeper('flip'))
    const clients = Array.from({ length: 8 }, () => createHttpClient({ socketPath: join(server.dataDir, 'pmk.sock') }))
    const writes = [
      { spec: { desiredState: 'Stopped' } },
      { spec: { desiredState: 'Running' } },
      { spec: { suspend: true } },
      { spec: { suspend: false } },
    ]
    const answers: { readonly revision: number; readonly object: Process }[] = []
    await Promise.all(
      clients.map(async (client, index) => {
        for (let n = 0; n < 125; n++) {
          const value = writes[(n + index) % writes.length]
          const object = await client.for('Process').patch(ref, { type: 'merge', value })
          answers.push({ revision: Number(object.metadata.resourceVersion), object })
        }
      }),
    )
    assert.equal(answers.length, 1_000)
    const last = answers.reduce((a, b) => (b.revision > a.revision ? b : a)).object
    const stored = await server.client.for('Process').get(ref)
    assert.equal(stored.spec.desiredState, last.spec.desiredState)
    assert.equal(stored.spec.suspend, last.spec.suspend)

    // Each of the four outcomes is then asked for alone, and the world must follow.
    for (const wanted of ['Running', 'Stopped', 'Running'] as const) {
      await server.client.for('Process').patch(ref, { type: 'merge', value: { spec: { desiredState: wanted, suspend: false } } })
      await eventually(async () => {
        const { status } = await server.client.for('Instance').get({ namespace: 'default', name: 'flip-0' })
        assert.equal(status?.phase, wanted)
        const programs = processesOf(server.dataDir).filter(({ command }) => /^\S*sleep /.test(command))
        assert.equal(programs.length, wanted === 'Running' ? 1 : 0)
      })
    }
    for (const client of clients) await client.close()
  } finally {
    await server.close()
  }
})

test('kill -9 of the server under such writes, ten times: nothing acknowledged is lost, no process is doubled or touched, watches resume', {
  timeout: 240_000,
}, async () => {
  const server = await Server.start()
  try {
    await server.apply(`${sleeper('flip')}---${sleeper('bystander')}`)
    await server.ok('wait', '--for=condition=Ready', 'process/bystander', '--timeout=60s')
    const pidOf = async (name: string): Promise<number> =>
      (await server.client.for('Instance').get({ namespace: 'default', name })).status?.pid ?? 0
    const bystander = await pidOf('bystander-0')

    // A watcher that only ever resumes from what it saw last.
    const seen: number[] = []
    const stop = new AbortController()
    const watching = (async () => {
      let from = (await server.client.for('Process').get(ref)).metadata.resourceVersion
      while (!stop.signal.aborted) {
        try {
          for await (const event of server.client
            .for('Process')
            .watch({ namespace: 'default', resourceVersion: from, signal: stop.signal })) {
            from = event.type === 'BOOKMARK' ? event.resourceVersion : event.object.metadata.resourceVersion
            if (event.type !== 'BOOKMARK' && event.object.metadata.name === 'flip') seen.push(Number(from))
          }
        } catch (err) {
          assert.doesNotMatch((err as Error).message, /too old|[Ee]xpired/)
        }
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    })()

    const acknowledged: number[] = []
    let writing = true
    const writers = Array.from({ length: 4 }, async (_, index) => {
      for (let n = 0; writing; n++) {
        const value = {
          metadata: { annotations: { [`writer-${index}`]: String(n) } },
          spec: { desiredState: n % 2 === 0 ? 'Stopped' : 'Running' },
        }
        try {
          const object = await server.client.for('Process').patch(ref, { type: 'merge', value })
          assert.equal(object.metadata.annotations?.[`writer-${index}`], String(n))
          acknowledged.push(Number(object.metadata.resourceVersion))
        } catch {
          // The server is down: it is not acknowledged, so it may be lost.
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
      }
    })
    for (let round = 0; round < 10; round++) {
      await new Promise((resolve) => setTimeout(resolve, 100 + 30 * round))
      await server.kill('SIGKILL')
      assert.ok(isAlive(bystander), 'the bystander outlives the server')
      await server.run()
      const flips = processesOf(server.dataDir).filter(({ command }) => /^\S*sleep /.test(command))
      assert.ok(flips.length <= 2, `doubled: ${JSON.stringify(flips)}`)
    }
    writing = false
    await Promise.all(writers)

    const last = await server.client.for('Process').patch(ref, { type: 'merge', value: { spec: { desiredState: 'Running' } } })
    await eventually(async () => {
      const programs = processesOf(server.dataDir).filter(({ command }) => /^\S*sleep /.test(command))
      assert.equal(programs.length, 2)
      assert.ok(isAlive(await pidOf('flip-0')), 'flip-0 runs')
    })
    assert.equal(await pidOf('bystander-0'), bystander)
    assert.equal((await server.client.for('Instance').get({ namespace: 'default', name: 'bystander-0' })).status?.restartCount, 0)

    await eventually(() => assert.ok(seen.includes(Number(last.metadata.resourceVersion)), 'the watcher saw the last write'))
    stop.abort()
    await watching
    assert.deepEqual(
      seen,
      [...new Set(seen)].sort((a, b) => a - b),
      'each once, in order',
    )
    // A write that changed nothing (Running to Running) takes no revision of its own, so only distinct ones count.
    const missed = [...new Set(acknowledged)].filter((revision) => revision >= (seen[0] ?? 0) && !seen.includes(revision))
    assert.deepEqual(missed, [], 'every acknowledged write reached the watcher')
    assert.ok(acknowledged.length > 20, `writes went through between the kills: ${acknowledged.length}`)
  } finally {
    await server.close()
  }
})

test('exits that happen while the server is dead are known with their codes', { timeout: 120_000 }, async () => {
  const server = await Server.start()
  try {
    await server.apply(`
apiVersion: pmk.dev/v1
kind: Process
metadata: {name: once}
spec:
  script: 'trap "exit 42" USR1; while :; do sleep 0.05; done'
  restartPolicy: Never
---
apiVersion: pmk.dev/v1
kind: Process
metadata: {name: killed}
spec:
  command: [sleep, "1000000"]
  restartPolicy: Never
`)
    await server.ok('wait', '--for=condition=Ready', 'process/once', 'process/killed', '--timeout=60s')
    const statusOf = async (name: string) => (await server.client.for('Instance').get({ namespace: 'default', name })).status
    const once = (await statusOf('once-0'))?.pid ?? 0
    const killed = (await statusOf('killed-0'))?.pid ?? 0
    await server.kill('SIGKILL')
    process.kill(once, 'SIGUSR1')
    process.kill(killed, 'SIGKILL')
    await eventually(() => assert.deepEqual([isAlive(once), isAlive(killed)], [false, false]))
    await server.run()
    await eventually(async () => {
      assert.equal((await statusOf('once-0'))?.lastTermination?.exitCode, 42)
      const other = (await statusOf('killed-0'))?.lastTermination
      assert.deepEqual([other?.signal, other?.exitCode], ['KILL', 137])
    })
    assert.deepEqual(
      processesOf(server.dataDir).filter(({ command }) => /^\S*sleep /.test(command)),
      [],
    )
  } finally {
    await server.close()
  }
})
