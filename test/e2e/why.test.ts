import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { Server } from '../support/pmk.ts'

test('pmk why names the cause', { timeout: 240_000 }, async (t) => {
  const server = await Server.start()
  const dir = mkdtempSync(join(tmpdir(), 'pmk-why-'))
  t.after(async () => {
    rmSync(dir, { recursive: true, force: true })
    await server.close()
  })
  const why = (name: string, pattern: RegExp): Promise<void> => eventually(async () => assert.match(await server.ok('why', name), pattern))
  const pidOf = async (name: string): Promise<number> =>
    eventually(async () => {
      const pid = (await server.client.for('Instance').get({ namespace: 'default', name })).status?.pid
      assert.ok(pid, 'it has a pid')
      return pid
    })
  const process_ = (name: string, spec: string): Promise<string> =>
    server.apply(`apiVersion: pmk.dev/v1\nkind: Process\nmetadata: {name: ${name}}\nspec:\n${spec}\n`)
  const sleeper = '  command: [sleep, "1000000"]'

  await t.test('a dependency that is not ready', async () => {
    const flag = join(dir, 'flag')
    await process_('base', `${sleeper}\n  readinessProbe: {exec: {command: [test, -e, ${flag}]}, periodSeconds: 1, failureThreshold: 1}`)
    await process_('upper', `${sleeper}\n  dependsOn: [{name: base, condition: Ready}]`)
    await why('upper', /base/)
    await why('upper', /not [Rr]eady/)
    assert.match(await server.ok('get', 'processes'), /^upper +0\/1 +Blocked/m)
    writeFileSync(flag, '')
    await server.ok('wait', '--for=condition=Ready', 'process/upper', '--timeout=60s')
    assert.ok(existsSync(flag))
  })

  await t.test('a backoff, with the exit code behind it', async () => {
    await process_('looper', "  script: 'exit 3'\n  backoff: {initial: 20s, max: 20s, jitter: 0}")
    await why('looper', /[Bb]ack-?off/)
    await why('looper', /code 3/)
  })

  await t.test('a failed probe', async () => {
    await process_(
      'sick',
      `${sleeper}\n  livenessProbe: {exec: {command: [sh, -c, 'echo I am sick; exit 1']}, periodSeconds: 1, failureThreshold: 1}`,
    )
    await why('sick', /[Ll]iveness probe/)
    await why('sick', /I am sick/)
  })

  await t.test('a signal from outside', async () => {
    await process_('victim', sleeper)
    process.kill(await pidOf('victim-0'), 'SIGKILL')
    await why('victim', /KILL/)
    await why('victim', /outside/)
  })

  await t.test('a rollout', async () => {
    await process_('rolled', sleeper)
    const before = await pidOf('rolled-0')
    await process_('rolled', '  command: [sleep, "1000001"]')
    await eventually(async () => assert.notEqual(await pidOf('rolled-0'), before))
    await why('rolled', /rollout|revision/i)
  })

  await t.test("a user's restart, stop and suspension", async () => {
    await process_('handled', sleeper)
    const before = await pidOf('handled-0')
    await server.ok('restart', 'handled')
    await eventually(async () => assert.notEqual(await pidOf('handled-0'), before))
    await why('handled', /pmk-?\s?restart|restart.*(asked|request)/i)
    await server.ok('stop', 'handled')
    await why('handled', /stop/i)
    await server.ok('suspend', 'handled')
    await why('handled', /suspend/i)
  })
})
