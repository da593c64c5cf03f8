import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FileWatch, type WatchedFiles } from '../../../src/agent/file-watch.ts'
import { FakeClock } from '../../support/fake-clock.ts'

test('a file that is changed, replaced, removed or there anew is told once for each Instance that watches it', async () => {
  const clock = new FakeClock()
  const looks = new Map([
    ['/a', '1'],
    ['/b', '1'],
  ])
  let watched: readonly WatchedFiles[] = [{ uid: 'u', attempt: 1, paths: ['/a', '/b'] }]
  const told: string[] = []
  const watch = new FileWatch({
    clock,
    watched: () => watched,
    look: async (path) => looks.get(path) ?? 'ENOENT',
    onChange: async (uid, path) => void told.push(`${uid} ${path}`),
  })
  const controller = new AbortController()
  const done = watch.run(controller.signal)
  const after = async (change: () => void): Promise<readonly string[]> => {
    change()
    await clock.advance(2_000)
    return told.splice(0)
  }

  assert.deepEqual(await after(() => {}), [])
  assert.deepEqual(await after(() => looks.set('/a', '2')), ['u /a'])
  assert.deepEqual(await after(() => {}), [])
  assert.deepEqual(await after(() => looks.delete('/b')), ['u /b'])
  assert.deepEqual(await after(() => looks.set('/a', '3').set('/b', '2')), ['u /a'])
  // A new run has read the files as they are.
  assert.deepEqual(
    await after(() => {
      watched = [{ uid: 'u', attempt: 2, paths: ['/a', '/b'] }]
      looks.set('/a', '4')
    }),
    [],
  )
  assert.deepEqual(await after(() => looks.set('/a', '5')), ['u /a'])
  // A path that is watched from now on has not changed.
  assert.deepEqual(
    await after(() => {
      watched = [{ uid: 'u', attempt: 2, paths: ['/a', '/c'] }]
    }),
    [],
  )
  assert.deepEqual(await after(() => looks.set('/c', '1')), ['u /c'])
  controller.abort()
  await done
  assert.equal(clock.pending, 0)
})
