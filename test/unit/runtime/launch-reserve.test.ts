import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { silentLogger } from '../../../src/base/log.ts'
import { LaunchReserve } from '../../../src/runtime/launch-reserve.ts'

describe('what is set aside for starts on a full disk', () => {
  let place: string
  let directory: string
  let reserve: LaunchReserve

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'pmk-reserve-'))
    directory = join(place, 'reserve')
    reserve = new LaunchReserve({ directory, log: silentLogger })
    reserve.open()
  })
  afterEach(() => rmSync(place, { recursive: true }))

  const blocks = (): number => readdirSync(directory).reduce((total, name) => total + statSync(join(directory, name)).blocks, 0)

  test('is allocated, lent as a launch text, and wiped when it comes back', () => {
    const all = blocks()
    assert.ok(all * 512 >= 8 * 64 * 1024, 'it has its blocks')
    const path = join(place, 'launch')
    writeFileSync(path, 'what could be written before the disk was full')
    assert.equal(reserve.lend(path, Buffer.from('exec secret\n')), true)
    assert.match(readFileSync(path, 'utf8'), /^exec secret\n\n*$/)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(reserve.takeBack(path), true)
    assert.equal(existsSync(path), false)
    assert.equal(blocks(), all)
    for (const name of readdirSync(directory)) assert.match(readFileSync(join(directory, name), 'utf8'), /^\n*$/)
    assert.equal(reserve.takeBack(path), false, 'it is none of these any more')
  })

  test('is bounded: when all is lent, or the text is too long, there is none', () => {
    assert.equal(reserve.lend(join(place, 'long'), Buffer.alloc(64 * 1024 + 1)), false)
    for (let n = 0; n < 8; n++) assert.equal(reserve.lend(join(place, `${n}`), Buffer.from('text')), true)
    assert.equal(reserve.lend(join(place, 'more'), Buffer.from('text')), false)
  })

  test('that an earlier server lent and never had back is made anew', () => {
    reserve.lend(join(place, 'lost'), Buffer.from('text'))
    writeFileSync(join(directory, 'half'), 'made')
    const next = new LaunchReserve({ directory, log: silentLogger })
    next.open()
    assert.equal(readdirSync(directory).length, 8)
  })
})
