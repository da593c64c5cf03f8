import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { RetiredLogs } from '../../../src/runtime/retired-logs.ts'
import type { InstanceId } from '../../../src/runtime/runtime.ts'

describe('the book of retired logs', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'pmk-retired-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  const path = (): string => join(directory, '.retired')
  const open = (): RetiredLogs => {
    const book = new RetiredLogs(path())
    book.open()
    return book
  }
  const [a, b, c] = ['a' as InstanceId, 'b' as InstanceId, 'c' as InstanceId]
  const dueIn = (book: RetiredLogs, epoch: number): readonly string[] => book.before(epoch).map(({ instance }) => instance)

  test('those retired before a moment are due, also for the next server', async () => {
    const book = open()
    await Promise.all([book.add({ instance: a, epoch: 10, link: 'shop/a' }), book.add({ instance: b, epoch: 20 })])
    for (const each of [book, open()]) {
      assert.deepEqual(dueIn(each, 10), [a])
      assert.deepEqual(dueIn(each, 20), [a, b])
      assert.equal(each.before(10)[0]?.link, 'shop/a')
    }
  })

  test('a log whose Instance is back is not due', async () => {
    const book = open()
    await book.add({ instance: a, epoch: 10 })
    await book.revoke(a)
    assert.deepEqual(dueIn(open(), 99), [])
    assert.equal(open().has(a), false)
  })

  test('dropping those that are gone keeps the others, and what is added at that moment', async () => {
    const book = open()
    await book.add({ instance: a, epoch: 10 })
    await book.add({ instance: b, epoch: 20 })
    await Promise.all([book.drop(book.before(10)), book.add({ instance: c, epoch: 30 })])
    assert.deepEqual(dueIn(open(), 99).toSorted(), [b, c])
    assert.ok(!readFileSync(path(), 'utf8').includes('"a"'))
  })

  test('half a line, as a killed server leaves it, spoils no other', async () => {
    await open().add({ instance: a, epoch: 10 })
    appendFileSync(path(), '{"instance":"b","ep')
    assert.deepEqual(dueIn(open(), 99), [a])
  })
})
