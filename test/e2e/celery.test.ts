import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { inRepository, isAlive, missing, run, Server } from '../support/pmk.ts'

const skip = missing('celery', 'redis-server', 'redis-cli')

/** Sends tasks and adds their results up: 0 + 0, 1 + 1 … n − 1 + n − 1. */
async function sendTasks(count: number): Promise<number> {
  const program = `
from celery import Celery
app = Celery(broker='redis://127.0.0.1:16379/0', backend='redis://127.0.0.1:16379/1')
results = [app.send_task('shop.add', (i, i)) for i in range(${count})]
print(sum(result.get(timeout=30) for result in results))`
  const answer = await run(['/usr/bin/python3', '-c', program])
  assert.equal(answer.code, 0, answer.stderr)
  return Number(answer.stdout)
}

test('Celery over redis', { skip, timeout: 240_000 }, async (t) => {
  const server = await Server.start()
  t.after(() => server.close())

  const pidOf = async (instance: string): Promise<number> =>
    (await server.client.for('Instance').get({ namespace: 'default', name: instance })).status?.pid ?? 0
  const ready = (): Promise<string> => server.ok('wait', '--for=condition=Ready', 'process/redis', 'process/celery', '--timeout=90s')

  await t.test('comes up in the order of its dependencies and does 100 tasks', async () => {
    const output = await server.ok('apply', '-f', inRepository('manifests/celery.yaml'))
    assert.match(output, /process(es)?\.pmk\.dev\/celery created/)
    await ready()
    const redis = await server.client.for('Instance').get({ namespace: 'default', name: 'redis-0' })
    const celery = await server.client.for('Instance').get({ namespace: 'default', name: 'celery-0' })
    assert.ok((redis.status?.startedAt ?? '') <= (celery.status?.startedAt ?? ''), 'redis was started first')
    assert.equal(await sendTasks(100), 9_900)
  })

  await t.test('a killed main process is replaced by one that serves', async () => {
    const before = await pidOf('celery-0')
    process.kill(before, 'SIGKILL')
    await eventually(async () => {
      const now = await pidOf('celery-0')
      assert.ok(now !== 0 && now !== before, `pid ${now}`)
    })
    await ready()
    assert.equal(await sendTasks(10), 90)
    assert.equal(isAlive(before), false)
    const { status } = await server.client.for('Instance').get({ namespace: 'default', name: 'celery-0' })
    assert.equal(status?.restartCount, 1)
    assert.equal(status?.lastTermination?.signal, 'KILL')
  })

  const manifest = readFileSync(inRepository('manifests/celery.yaml'), 'utf8')

  await t.test('a changed probe leaves the process alone', async () => {
    const before = await pidOf('celery-0')
    const changed = manifest.replace('periodSeconds: 60', 'periodSeconds: 61')
    const diff = await server.pmkWithInput(changed, 'diff', '-f', '-')
    assert.equal(diff.code, 1)
    assert.match(diff.stdout, /periodSeconds/)
    await server.apply(changed)
    await eventually(async () => {
      const { spec } = await server.client.for('Instance').get({ namespace: 'default', name: 'celery-0' })
      assert.equal(spec.template.livenessProbe?.periodSeconds, 61)
    })
    await ready()
    assert.equal(await pidOf('celery-0'), before)
  })

  await t.test('changed arguments roll it', async () => {
    const before = await pidOf('celery-0')
    const redis = await pidOf('redis-0')
    await server.apply(manifest.replace('--concurrency=2', '--concurrency=1'))
    await server.ok('rollout', 'status', 'celery', '--timeout=90s')
    assert.notEqual(await pidOf('celery-0'), before)
    assert.equal(await pidOf('redis-0'), redis, 'redis was not touched')
    assert.equal(await sendTasks(10), 90)
    assert.match(readFileSync(`/proc/${await pidOf('celery-0')}/cmdline`, 'utf8'), /--concurrency=1/)
  })

  await t.test('delete leaves no process', async () => {
    const pids = [await pidOf('celery-0'), await pidOf('redis-0')]
    await server.ok('delete', '-f', inRepository('manifests/celery.yaml'), '--timeout=60s')
    assert.deepEqual(pids.map(isAlive), [false, false])
    const { stdout } = await run(['ps', '-eo', 'args'])
    assert.doesNotMatch(stdout, /redis-server 127\.0\.0\.1:16379|app\.worker_main/)
  })
})
