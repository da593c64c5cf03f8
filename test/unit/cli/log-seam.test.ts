import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LinePrefix, prefixOf } from '../../../src/cli/line-prefix.ts'
import { LogWindow } from '../../../src/cli/log-seam.ts'

/** What is told after `shown`, when `again` is read anew in pieces of this size. */
function resume(
  shown: string,
  again: string,
  options: { readonly piece?: number; readonly stamped?: boolean; readonly since?: number } = {},
): { readonly told: string; readonly lost: boolean } {
  const { piece = 7, stamped = false, since = Math.max(0, shown.length - again.length) } = options
  const window = new LogWindow({ stamped })
  for (let at = 0; at < shown.length; at += 5) window.add(Buffer.from(shown.slice(at, at + 5)), at)
  const seam = window.seam(since)
  let told = ''
  for (let at = 0; at < again.length; at += piece) told += seam.feed(Buffer.from(again.slice(at, at + piece))).toString()
  return { told: told + seam.end().toString(), lost: seam.isLost }
}

const lines = (from: number, to: number): string => Array.from({ length: to - from }, (_, n) => `line ${from + n}\n`).join('')

const rows: readonly {
  readonly title: string
  readonly shown: string
  readonly again: string
  readonly told: string
  readonly lost?: true
}[] = [
  { title: 'from the very beginning', shown: lines(0, 50), again: lines(0, 60), told: lines(50, 60) },
  { title: 'from somewhere before the end', shown: lines(0, 50), again: lines(42, 60), told: lines(50, 60) },
  { title: 'from the line after the last', shown: lines(0, 50), again: lines(49, 51), told: lines(50, 51) },
  { title: 'with a half line at the end', shown: `${lines(0, 50)}line`, again: lines(48, 52), told: ' 50\nline 51\n' },
  { title: 'with nothing new', shown: lines(0, 50), again: lines(40, 50), told: '' },
  { title: 'from before all that is remembered', shown: lines(1_000, 40_000), again: lines(500, 40_010), told: lines(40_000, 40_010) },
  { title: 'not to be found', shown: lines(0, 50), again: lines(70, 80), told: lines(70, 80), lost: true },
]
for (const { title, shown, again, told, lost = false } of rows) {
  for (const piece of [3, 1_000_000]) {
    test(`a log that is read anew goes on where it was: ${title}, in pieces of ${piece}`, () => {
      if (piece === 3 && again.length > 100_000) return
      assert.deepEqual(resume(shown, again, { piece }), { told, lost })
    })
  }
}

test('lines that are all the same are told from each other by the time from which on they are read anew', () => {
  // Received at 5,000 ms each: 20 are shown, and what is read anew begins with the 16th.
  const window = new LogWindow()
  for (let n = 0; n < 20; n++) window.add(Buffer.from('tick\n'), n * 5_000)
  const seam = window.seam(15 * 5_000)
  assert.equal(seam.feed(Buffer.from('tick\n'.repeat(8))).toString() + seam.end().toString(), 'tick\n'.repeat(3))
})

test('a line that was there before is no end', () => {
  const shown = lines(0, 9) + lines(0, 3)
  const window = new LogWindow()
  for (const [n, line] of shown.match(/.*\n/g)?.entries() ?? []) window.add(Buffer.from(line), n * 1_000)
  const seam = window.seam(8_000)
  assert.equal(
    seam.feed(Buffer.from(`${lines(7, 9)}${lines(0, 3)}${lines(0, 1)}new\n`)).toString() + seam.end().toString(),
    `${lines(0, 1)}new\n`,
  )
})

test('times in front of lines may be reckoned otherwise when they are read anew', () => {
  const stamp = (second: number, from: number, to: number): string =>
    lines(from, to)
      .replaceAll(/^/gm, `2026-11-22T12:00:0${second}.000Z `)
      .replace(/2026-11-22T12:00:0\d.000Z $/, '')
  assert.deepEqual(resume(stamp(1, 0, 20), stamp(2, 10, 25), { stamped: true }), { told: stamp(2, 20, 25), lost: false })
})

test('each line has its prefix, however its bytes come', () => {
  const prefix = new LinePrefix('[web-0] ')
  const told = ['a\nb', 'c\n', '\n', 'tail'].map((text) => prefix.feed(Buffer.from(text)).toString()).join('') + prefix.end().toString()
  assert.equal(told, '[web-0] a\n[web-0] bc\n[web-0] \n[web-0] tail\n')
  assert.equal(prefix.end().length, 0)
})

test('a line without an end does not fill the memory', () => {
  const prefix = new LinePrefix('> ')
  assert.equal(prefix.feed(Buffer.alloc(65 * 1024, 'x')).length, 65 * 1024 + 3)
})

test('a prefix has colour only where there is colour', () => {
  assert.equal(prefixOf('web-0', 0, false), '[web-0] ')
  assert.equal(prefixOf('web-0', 1, true), '\u001b[33m[web-0]\u001b[0m ')
})
