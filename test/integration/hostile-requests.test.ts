import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ApiServerProcess } from '../support/api-server-process.ts'
import { hostileRequests, prepare } from '../support/hostile-requests.ts'
import { exchange } from '../support/wire.ts'

/** What is quadratic in these requests takes minutes of processor time, what is linear less than a second. */
const MOST_CPU_MILLIS = 15_000
/** A refusal, or an object. Far less than what quoting all of a request, or all that is wrong with it, would make. */
const LONGEST_ANSWER = 8 * 1024 * 1024

describe('a request that is as dear as it can be', () => {
  let server: ApiServerProcess
  before(async () => {
    server = await ApiServerProcess.start()
    await prepare(server.socketPath)
  })
  after(() => server.stop())

  test('holds the server up for a moment only, and its answer is short', async (t) => {
    for (const [title, request] of hostileRequests()) {
      await t.test(title, async () => {
        const earlier = await server.ask()
        const answer = await exchange(server.socketPath, request, { within: 120_000 }).catch(async (err: Error) => {
          // Tells a server that hangs or has died from a connection that was cut, and ends it.
          await server.ask('look', 1_000)
          throw err
        })
        const later = await server.ask()
        assert.ok(answer.status < 500, `${answer.status} ${answer.text.slice(0, 300)} ${later.failures.join('\n')}`)
        assert.deepEqual(later.failures, [], 'something was logged as an error')
        if (answer.status >= 400) assert.equal(JSON.parse(answer.text).kind, 'Status')
        assert.ok(answer.text.length <= LONGEST_ANSWER, `the answer has ${answer.text.length} characters`)
        const cpu = later.cpuMillis - earlier.cpuMillis
        assert.ok(cpu < MOST_CPU_MILLIS, `it took ${Math.round(cpu)} ms of processor time`)
      })
    }
  })
})
