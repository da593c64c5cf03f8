import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Change, ChangeWindow } from '../../../src/storage/change-window.ts'

const unbounded = { changes: Number.POSITIVE_INFINITY, units: Number.POSITIVE_INFINITY }

test('a window keeps as many changes as its bound says and knows where it starts', () => {
  const window = new ChangeWindow(1, { ...unbounded, changes: 100 })
  for (let revision = 2; revision <= 501; revision++) window.append(put(revision, 'a'))
  assert.deepEqual([window.start, window.length], [401, 100])
  assert.deepEqual(
    revisions(window.read(401, '')),
    Array.from({ length: 100 }, (_, n) => 402 + n),
  )
})

test('large values leave the window sooner, but the newest change always stays', () => {
  const window = new ChangeWindow(1, { ...unbounded, units: 1_000 })
  for (let revision = 2; revision <= 11; revision++) window.append(put(revision, 'a', 300))
  assert.deepEqual([window.start, window.length], [8, 3])
  window.append(put(12, 'a', 5_000))
  assert.deepEqual([window.start, window.length], [11, 1])
})

test('a read gives the changes of a prefix behind a revision, up to a limit', () => {
  const window = new ChangeWindow(1, unbounded)
  // Revisions 4 and 5 were given up.
  for (const [revision, key] of [
    [2, 'p/a'],
    [3, 'q/a'],
    [6, 'p/b'],
    [7, 'p/c'],
  ] as const)
    window.append(put(revision, key))
  assert.deepEqual(revisions(window.read(1, 'p/')), [2, 6, 7])
  assert.deepEqual(revisions(window.read(4, 'p/')), [6, 7])
  assert.deepEqual(revisions(window.read(2, 'p/', 1)), [6])
  assert.deepEqual(revisions(window.read(7, 'p/')), [])
})

test('dropping forgets the changes up to a revision and no more', () => {
  const window = new ChangeWindow(1, unbounded)
  for (let revision = 2; revision <= 10; revision++) window.append(put(revision, 'a'))
  window.dropTo(6)
  assert.deepEqual([window.start, window.length], [6, 4])
  window.dropTo(3)
  assert.deepEqual([window.start, window.length], [6, 4])
  window.dropTo(20)
  assert.deepEqual([window.start, window.length], [20, 0])
})

function put(revision: number, key: string, units = 1): Change {
  return {
    type: 'put',
    revision,
    kv: { key, value: 'x'.repeat(units), createRevision: revision, modRevision: revision },
    prev: undefined,
  }
}

function revisions(changes: readonly Change[]): readonly number[] {
  return changes.map((change) => change.revision)
}
