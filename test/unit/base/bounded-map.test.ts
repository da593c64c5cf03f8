import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BoundedMap } from '../../../src/base/bounded-map.ts'

test('a bounded map forgets what was set first, and never more than it must', () => {
  const map = new BoundedMap<string, number>(2)
  map.set('a', 1)
  map.set('b', 2)
  map.set('b', 3)
  assert.deepEqual([map.get('a'), map.get('b'), map.size], [1, 3, 2])
  map.set('c', 4)
  assert.deepEqual([map.get('a'), map.get('b'), map.get('c'), map.size], [undefined, 3, 4, 2])
})
