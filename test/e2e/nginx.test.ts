import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { inRepository, isAlive, missing, run, Server } from '../support/pmk.ts'

const skip = missing('nginx') || (process.getuid?.() === 0 ? false : 'NOT TESTED: the manifest needs root')

test('nginx: ready, checked by an action, reloaded in place, gone after delete', { skip, timeout: 120_000 }, async () => {
  const server = await Server.start()
  try {
    await server.ok('apply', '-f', inRepository('manifests/nginx.yaml'))
    await server.ok('wait', '--for=condition=Ready', 'process/nginx', '--timeout=60s')
    const answer = await fetch('http://127.0.0.1:18080/')
    assert.equal(await answer.text(), 'ok\n')

    const check = await server.pmk('action', 'nginx', 'configtest')
    assert.equal(check.code, 0, check.stderr)
    assert.match(check.stdout + check.stderr, /syntax is ok/)
    const unknown = await server.pmk('action', 'nginx', 'no-such-action')
    assert.notEqual(unknown.code, 0)
    assert.match(unknown.stderr, /configtest/)

    const { status } = await server.client.for('Instance').get({ namespace: 'default', name: 'nginx-0' })
    const pid = status?.pid ?? 0
    const workers = async (): Promise<readonly string[]> =>
      (await run(['ps', '--no-headers', '-o', 'pid', '--ppid', String(pid)])).stdout.trim().split(/\s+/)
    const before = await workers()
    await server.ok('reload', 'nginx')
    await eventually(async () => {
      const now = await workers()
      assert.ok(
        now.every((worker) => !before.includes(worker)),
        'new workers',
      )
    })
    assert.ok(isAlive(pid), 'the same master')

    await server.ok('delete', '-f', inRepository('manifests/nginx.yaml'))
    assert.equal(isAlive(pid), false)
  } finally {
    await server.close()
  }
})
