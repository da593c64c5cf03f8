import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../../src/base/random.ts'
import { SortedMap } from '../../../src/storage/sorted-map.ts'

test('an empty map has nothing to give', () => {
  const map = new SortedMap<number>()
  assert.deepEqual([map.size, map.get('a'), map.delete('a'), map.rank('a'), [...map.entriesFrom('')]], [0, undefined, false, 0, []])
})

test('keys come in the order of their code units, whatever the order of their arrival', () => {
  const map = new SortedMap<number>()
  for (const key of ['b', 'a', 'ä', 'B', '', '😀', '\uffff']) map.set(key, 0)
  assert.deepEqual(
    [...map.entriesFrom('')].map(([key]) => key),
    ['', 'B', 'a', 'b', 'ä', '😀', '\uffff'],
  )
})

test('any row of sets and deletes leaves what a plain sorted list would hold', () => {
  const seed = 20_260_101
  const random = seededRandom(seed)
  const map = new SortedMap<number>()
  const model = new Map<string, number>()
  for (let step = 0; step < 30_000; step++) {
    const key = String(Math.floor(random() * 4_000))
    // Phases of growth and of decline, so that chunks split as well as join.
    const grows = Math.floor(step / 7_500) % 2 === 0
    if (random() < (grows ? 0.8 : 0.2)) {
      map.set(key, step)
      model.set(key, step)
    } else {
      assert.equal(map.delete(key), model.delete(key))
    }
    if (step % 1_500 === 0) check(map, model, key, seed)
  }
  for (const key of [...model.keys()]) {
    assert.equal(map.delete(key), true)
    model.delete(key)
  }
  check(map, model, '1', seed)
})

test('keys that arrive in order are found again', () => {
  const map = new SortedMap<number>()
  for (let n = 0; n < 10_000; n++) map.set(String(n).padStart(6, '0'), n)
  assert.equal(map.size, 10_000)
  assert.equal(map.get('009999'), 9_999)
  assert.equal(map.rank('005000'), 5_000)
  assert.equal(map.rank('x'), 10_000)
})

function check(map: SortedMap<number>, model: ReadonlyMap<string, number>, from: string, seed: number): void {
  const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
  assert.deepEqual([...map.entriesFrom('')], sorted, `seed ${seed}`)
  assert.deepEqual(
    [...map.entriesFrom(from)],
    sorted.filter(([key]) => key >= from),
    `seed ${seed}`,
  )
  assert.equal(map.rank(from), sorted.filter(([key]) => key < from).length, `seed ${seed}`)
  assert.equal(map.size, sorted.length, `seed ${seed}`)
  assert.equal(map.get(from), model.get(from), `seed ${seed}`)
}
