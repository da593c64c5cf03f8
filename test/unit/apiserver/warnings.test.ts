import assert from 'node:assert/strict'
import { test } from 'node:test'
import { warningHeaders } from '../../../src/apiserver/warnings.ts'

/** What a client reads: bytes as UTF-8, the quoting undone. */
function read(header: string): string {
  const text = Buffer.from(header, 'latin1').toString('utf8')
  const [, quoted = ''] = /^299 - "(.*)"$/.exec(text) ?? assert.fail(text)
  return quoted.replaceAll(/\\(.)/g, '$1')
}

test('a warning arrives as it was written, on one line and once', () => {
  const texts = ['plain', 'a "quoted" word', 'back\\slash \\" both', 'füße → 🦶', 'plain']
  assert.deepEqual(warningHeaders(texts).map(read), texts.slice(0, 4))
  assert.deepEqual(warningHeaders(['one\r\ntwo\0three\u0085four']).map(read), ['one two three four'])
  assert.deepEqual(warningHeaders([]), [])
})

test('of more than 4096 characters the rest is counted', () => {
  const texts = Array.from({ length: 10 }, (_, n) => `${n}${'x'.repeat(999)}`)
  const shown = warningHeaders(texts).map(read)
  assert.deepEqual(shown, [...texts.slice(0, 4), '6 more could not be shown'])
  assert.deepEqual(warningHeaders(['x'.repeat(5_000)]).map(read), ['1 more could not be shown'])
})

test('no client is sent more headers than it takes, whatever they consist of', () => {
  for (const texts of [
    Array.from({ length: 4_000 }, (_, n) => String(n)),
    Array.from({ length: 40 }, (_, n) => `${n}${'🦶'.repeat(100)}`),
    Array.from({ length: 40 }, (_, n) => `${n}${'"'.repeat(100)}`),
  ]) {
    const headers = warningHeaders(texts)
    const bytes = headers.reduce((sum, header) => sum + header.length + 'Warning: \r\n'.length, 0)
    assert.ok(bytes < 8_300, String(bytes))
    assert.match(read(headers.at(-1) ?? ''), /^\d+ more could not be shown$/)
  }
})
