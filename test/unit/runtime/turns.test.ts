import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Turns } from '../../../src/runtime/turns.ts'
import { FakeClock } from '../../support/fake-clock.ts'

test('tasks that hold up the event loop go one at a time, in order, and leave it to others for as long as they took', async () => {
  const clock = new FakeClock()
  const turns = new Turns(clock)
  const began = clock.monotonic()
  const log: string[] = []
  const task = (name: string, took: number): Promise<string> =>
    turns.take(async () => {
      log.push(`${name} at ${clock.monotonic() - began}`)
      await new Promise<void>((resolve) => {
        clock.schedule(took, resolve)
      })
      if (name === 'bad') throw new Error('no')
      return name
    })
  const tasks = [task('first', 10), task('bad', 20), task('last', 5)]
  const settled = Promise.allSettled(tasks)
  for (let passed = 0; passed < 80; passed++) {
    // Each goes in a turn of its own.
    await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(1)
  }
  assert.deepEqual(
    (await settled).map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  const times = log.map((line) => Number(line.split(' ').at(-1)))
  assert.deepEqual(
    log.map((line) => line.split(' ')[0]),
    ['first', 'bad', 'last'],
  )
  const [first = 0, bad = 0, last = 0] = times
  assert.ok(bad - first >= 20 && bad - first <= 24, `${bad - first} ms after a task of 10 ms`)
  assert.ok(last - bad >= 40 && last - bad <= 44, `${last - bad} ms after a task of 20 ms`)
  assert.equal(clock.pending, 0)
})

test('a result does not wait for the pause that follows it', async () => {
  const clock = new FakeClock()
  const turns = new Turns(clock)
  const result = turns.take(() => {
    void clock.advance(50)
    return Promise.resolve('there')
  })
  assert.equal(await result, 'there')
})
