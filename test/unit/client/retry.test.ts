import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiError, hasReason } from '../../../src/api/status.ts'
import { withRetries } from '../../../src/client/retry.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const busy = apiError('TooManyRequests', 'later', { retryAfterSeconds: 2 })

/** Fails so often, then succeeds; counts the tries. */
function failing(times: number, err: Error): { readonly attempt: () => Promise<string>; tries: number } {
  const state = {
    tries: 0,
    attempt: async () => {
      state.tries += 1
      if (state.tries <= times) throw err
      return 'done'
    },
  }
  return state
}

test('a refusal for now is tried again after the time that was asked for', async () => {
  const clock = new FakeClock()
  const call = failing(2, busy)
  const result = withRetries(call.attempt, { clock, idempotent: true })
  await clock.advance(1_999)
  assert.equal(call.tries, 1)
  await clock.advance(1)
  assert.equal(call.tries, 2)
  await clock.advance(2_000)
  assert.equal(await result, 'done')
  assert.equal(clock.pending, 0)
})

test('it gives up after five tries', async () => {
  const clock = new FakeClock()
  const call = failing(99, busy)
  const result = assert.rejects(withRetries(call.attempt, { clock, idempotent: true }), (err) => err === busy)
  await clock.advance(60_000)
  await result
  assert.equal(call.tries, 5)
})

for (const [name, err, idempotent] of [
  ['what would do more when done twice', busy, false],
  ['a refusal without Retry-After', apiError('ServiceUnavailable', 'no server'), true],
  ['a conflict', apiError('Conflict', 'stale', { retryAfterSeconds: 1 }), true],
  ['a mistake in the program', new TypeError('oops'), true],
] as const) {
  test(`${name} is not tried again`, async () => {
    const clock = new FakeClock()
    const call = failing(1, err)
    await assert.rejects(withRetries(call.attempt, { clock, idempotent }), (thrown) => thrown === err)
    assert.equal(call.tries, 1)
  })
}

test('a server that asks for an hour is asked again after ten seconds', async () => {
  const clock = new FakeClock()
  const call = failing(1, apiError('ServiceUnavailable', 'starting', { retryAfterSeconds: 3_600 }))
  const result = withRetries(call.attempt, { clock, idempotent: true })
  await clock.advance(10_000)
  assert.equal(await result, 'done')
})

test('an abort ends the wait', async () => {
  const clock = new FakeClock()
  const controller = new AbortController()
  const result = withRetries(failing(1, busy).attempt, { clock, idempotent: true, signal: controller.signal })
  await clock.advance(1)
  controller.abort(apiError('Timeout', 'enough'))
  await assert.rejects(result, (err) => hasReason(err, 'Timeout'))
  assert.equal(clock.pending, 0)
})
