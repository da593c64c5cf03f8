import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { readNote, writeNote } from '../../../src/runtime/note-file.ts'

describe('notes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pmk-note-'))
  after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'note')

  test('the newest is read, be it longer or shorter than those before', () => {
    for (const [index, note] of ['first', 'x'.repeat(60_000), '', 'é'].entries()) {
      writeNote(path, index + 1, note)
      assert.deepEqual(readNote(path), { sequence: index + 1, note })
    }
  })

  test('a note that was cut off at any byte leaves the one before', () => {
    writeNote(path, 5, 'the one before')
    const before = readFileSync(path)
    writeNote(path, 6, 'the newest')
    const whole = readFileSync(path)
    const written = Buffer.byteLength(`6 10 ${'0'.repeat(16)}\nthe newest`)
    for (let kept = 0; kept < written; kept++) {
      writeFileSync(path, Buffer.concat([whole.subarray(0, kept), before.subarray(kept)]))
      assert.deepEqual(readNote(path), { sequence: 5, note: 'the one before' }, `after ${kept} bytes`)
    }
  })

  test('no file, an empty file and rubbish hold no note', () => {
    assert.equal(readNote(join(directory, 'none')), undefined)
    for (const content of ['', ' '.repeat(512), '1 5 0123456789abcdef\nhello']) {
      writeFileSync(path, content)
      assert.equal(readNote(path), undefined)
    }
  })

  test('a note too long for its place is refused and changes nothing', () => {
    rmSync(path)
    writeNote(path, 1, 'kept')
    assert.throws(() => writeNote(path, 2, 'x'.repeat(70_000)), /too long/)
    assert.equal(readNote(path)?.note, 'kept')
  })
})
