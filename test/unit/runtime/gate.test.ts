import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Gate } from '../../../src/runtime/gate.ts'

test('a gate lets so many in at once, the others in order, also after failures', async () => {
  const gate = new Gate(2)
  const begun: number[] = []
  const ends: (() => void)[] = []
  const tasks = [0, 1, 2, 3].map((task) =>
    gate.run(async () => {
      begun.push(task)
      await new Promise<void>((resolve) => {
        ends[task] = resolve
      })
      if (task === 0) throw new Error('no')
      return task
    }),
  )
  const settled = Promise.allSettled(tasks)
  assert.deepEqual(begun, [0, 1])
  ends[0]?.()
  await assert.rejects(tasks[0] ?? assert.fail(), /no/)
  assert.deepEqual(begun, [0, 1, 2])
  ends[2]?.()
  assert.equal(await tasks[2], 2)
  assert.deepEqual(begun, [0, 1, 2, 3])
  for (const end of ends) end()
  assert.deepEqual(
    (await settled).map(({ status }) => status),
    ['rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
  )
})
