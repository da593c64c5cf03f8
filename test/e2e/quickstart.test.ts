import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { inRepository, processesOf, run } from '../support/pmk.ts'

test('hack/quickstart ends with a running Process, also the second time', { timeout: 300_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), 'pmk-quickstart-'))
  const env = { PMK_HOME: home }
  const pmk = (...args: readonly string[]): ReturnType<typeof run> => run([process.execPath, inRepository('dist/main.js'), ...args], env)
  try {
    for (const round of ['first', 'second']) {
      const answer = await run([inRepository('hack/quickstart'), '--port=-1'], env)
      assert.equal(answer.code, 0, `${round} run: ${answer.stdout}${answer.stderr}`)
      assert.match(answer.stdout, /^NAME +READY +STATUS +RESTARTS +AGE$/m)
      assert.match(answer.stdout, /^hello +1\/1 +Running +0 /m)
    }
    assert.equal((await pmk('server', 'status')).code, 0)
    const deleted = await pmk('delete', 'process', 'hello')
    assert.equal(deleted.code, 0, deleted.stderr)
    assert.equal((await pmk('server', 'stop')).code, 0)
    assert.equal((await pmk('server', 'status')).code, 3)
    const without = await pmk('get', 'processes')
    assert.equal(without.code, 1)
    assert.match(without.stderr, /pmk server start/)
    assert.deepEqual(processesOf(home), [])
  } finally {
    await pmk('server', 'stop')
    for (const { pid } of processesOf(home)) process.kill(pid, 'SIGKILL')
    rmSync(home, { recursive: true, force: true })
  }
})
