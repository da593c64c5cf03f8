import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { isAlive, processesOf, Server } from '../support/pmk.ts'
import { noSmallDisk, SmallDisk } from '../support/small-disk.ts'

const MANIFEST = `apiVersion: pmk.dev/v1
kind: Process
metadata: {name: sleeper}
spec: {command: [sleep, "1000000"], replicas: 2}
---
apiVersion: pmk.dev/v1
kind: Process
metadata: {name: probed}
spec:
  command: [sleep, "1000001"]
  livenessProbe: {exec: {command: [test, '!', -e, /dev/shm/pmk-test-sick]}, periodSeconds: 1, failureThreshold: 1}
---
apiVersion: pmk.dev/v1
kind: Process
metadata: {name: other-user}
spec: {command: [sleep, "1000002"], securityContext: {runAsUser: nobody}}
`

function programs(dataDir: string): readonly number[] {
  return processesOf(dataDir)
    .filter(({ command }) => /sleep 100000\d $/.test(command))
    .map(({ pid }) => pid)
    .sort((a, b) => a - b)
}

/** The program with this argument, and nothing of its tree besides. */
function programOf(dataDir: string, argument: string): number | undefined {
  return processesOf(dataDir).find(({ command }) => command.endsWith(`sleep ${argument} `))?.pid
}

async function restarted(dataDir: string, argument: string, before: number): Promise<number> {
  return eventually(() => {
    const pid = programOf(dataDir, argument)
    assert.ok(pid !== undefined && pid !== before, `sleep ${argument} runs again`)
    return pid
  })
}

test('a full disk: writes are refused, supervision and reads go on, and all heals when there is space', {
  timeout: 180_000,
  skip: noSmallDisk,
}, async () => {
  const disk = new SmallDisk()
  const server = new Server({ dataDir: disk.path })
  const { dataDir } = server
  try {
    await server.run()
    await server.apply(MANIFEST)
    await server.ok('wait', '--for=condition=Ready', 'processes', '--all', '--timeout=60s')
    const before = JSON.parse(await server.ok('get', 'process', 'sleeper', '-o', 'json')) as { metadata: { resourceVersion: string } }
    disk.fill()

    // The write that finds the disk full may have had room in a block; then the next ones don't.
    const refused = await eventually(async () => {
      const answer = await server.pmk('annotate', '--overwrite', 'process', 'sleeper', `filler=${'x'.repeat(5_000)}`)
      assert.notEqual(answer.code, 0, 'a write is refused')
      return answer
    })
    assert.match(refused.stderr, /^Error from server \(ServiceUnavailable\): The store cannot write to its disk: .*No space left on device/)
    assert.doesNotMatch(refused.stderr, /\n\s+at /, 'no stack trace')
    const status = await server.pmk('server', 'status')
    assert.equal(status.code, 1)
    assert.match(status.stdout, /running, but refuses writes: .*No space left/)
    await server.client.request({ method: 'GET', path: '/readyz?exclude=store' })
    for (const path of ['/readyz', '/readyz/store']) await assert.rejects(server.client.request({ method: 'GET', path }), /No space left/)

    // Several rounds: what one start used must be there for the next.
    for (let round = 0; round < 3; round++) {
      for (const argument of ['1000000', '1000001', '1000002']) {
        const pid = programOf(dataDir, argument) ?? 0
        process.kill(pid, 'SIGKILL')
        await eventually(() => assert.equal(isAlive(pid), false, 'it is dead'))
      }
      await eventually(() => {
        assert.equal(programs(dataDir).length, 4, `all programs run again: ${JSON.stringify(processesOf(dataDir))}\n${server.log()}`)
      })
    }
    assert.match(await server.ok('get', 'processes'), /sleeper/)

    // A server that dies, and the next one, on the same full disk: nothing of what runs is touched.
    const running = programs(dataDir)
    await server.kill('SIGKILL')
    disk.fill()
    await server.run({ unwritable: true })
    assert.deepEqual(programs(dataDir), running)
    const after = JSON.parse(await server.ok('get', 'process', 'sleeper', '-o', 'json')) as { metadata: { resourceVersion: string } }
    assert.equal(Number(after.metadata.resourceVersion) >= Number(before.metadata.resourceVersion), true, 'no acknowledged write is lost')
    const victim = programOf(dataDir, '1000001') ?? 0
    process.kill(victim, 'SIGKILL')
    const revived = await restarted(dataDir, '1000001', victim)

    disk.free()
    await eventually(async () => assert.equal((await server.pmk('server', 'status')).code, 0, server.log()))
    await server.ok('scale', 'sleeper', '--replicas=3')
    await server.ok('wait', '--for=condition=Ready', 'processes', '--all', '--timeout=60s')
    await eventually(async () => {
      const instance = await server.client.for('Instance').get({ namespace: 'default', name: 'probed-0' })
      assert.equal(instance.status?.pid, revived, 'the status has caught up')
    })
  } finally {
    disk.free()
    await server.close().finally(() => disk.remove())
  }
})

test('a read-only disk: a server says so and does not start, what runs goes on, and all heals when it can be written again', {
  timeout: 180_000,
  skip: noSmallDisk,
}, async () => {
  const disk = new SmallDisk()
  const server = new Server({ dataDir: disk.path })
  const { dataDir } = server
  try {
    await server.run()
    await server.apply(MANIFEST)
    await server.ok('wait', '--for=condition=Ready', 'processes', '--all', '--timeout=60s')
    const before = programs(dataDir)
    disk.makeReadOnly()
    // Nothing can be started here, and the server goes on all the same.
    const victim = programOf(dataDir, '1000001') ?? 0
    process.kill(victim, 'SIGKILL')
    await eventually(() => assert.equal(isAlive(victim), false, 'it is dead'))
    assert.match(await server.ok('get', 'processes'), /sleeper/)

    await server.kill('SIGKILL')
    const started = await server.pmk('server', 'run')
    assert.equal(started.code, 1)
    assert.match(started.stderr, /^error: The data directory .* is on a read-only file system\. .*What runs goes on meanwhile\.\n$/)
    const left = before.filter((pid) => pid !== victim)
    assert.deepEqual(
      programs(dataDir).filter((pid) => left.includes(pid)),
      left,
    )

    disk.makeWritable()
    await server.run()
    await restarted(dataDir, '1000001', victim)
    await server.ok('scale', 'sleeper', '--replicas=3')
    await server.ok('wait', '--for=condition=Ready', 'processes', '--all', '--timeout=60s')
    for (const pid of left) assert.equal(isAlive(pid), true, 'it was not touched')
  } finally {
    disk.makeWritable()
    await server.close().finally(() => disk.remove())
  }
})
