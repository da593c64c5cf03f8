import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { putFullLogAside } from '../../../src/app/server-log.ts'

test('a log of the server is put aside when it is full, and one of them is kept', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'pmk-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'server.log')
  putFullLogAside(file, 4)
  assert.ok(!existsSync(`${file}.1`), 'nothing is made of no log')
  for (const text of ['one', 'four', 'fives']) {
    writeFileSync(file, text)
    putFullLogAside(file, 4)
    assert.equal(existsSync(file), text === 'one', `after ${text}`)
  }
  assert.equal(readFileSync(`${file}.1`, 'utf8'), 'fives')
})
