import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseStat } from '../../../src/runtime/proc-stat.ts'
import { parseExitRecord } from '../../../src/runtime/shim.ts'
import { signalName, signalNumber } from '../../../src/runtime/signals.ts'

describe('exit records', () => {
  const rows: readonly { given: string; text: string; attempt: number; expect: ReturnType<typeof parseExitRecord> }[] = [
    { given: 'nothing yet', text: ' '.repeat(512), attempt: 1, expect: undefined },
    { given: 'a plain exit', text: `1 0\n${' '.repeat(508)}`, attempt: 1, expect: { status: 0, bySignal: false } },
    { given: 'a death by signal', text: `Killed\n1 137\n${' '.repeat(499)}`, attempt: 1, expect: { status: 137, bySignal: true } },
    { given: 'an exit with the number of a signal', text: '1 137\n    ', attempt: 1, expect: { status: 137, bySignal: false } },
    { given: 'SIGINT, of which sh says nothing', text: '1 130\n    ', attempt: 1, expect: { status: 130, bySignal: true } },
    { given: 'SIGPIPE, of which sh says nothing', text: '1 141\n    ', attempt: 1, expect: { status: 141, bySignal: true } },
    { given: 'the record of an earlier attempt', text: '1 0\n    ', attempt: 2, expect: undefined },
    { given: 'a record written over a longer one', text: '2 0\n\n1 137\n   ', attempt: 2, expect: { status: 0, bySignal: false } },
    { given: 'the words of sh over an old record, and no status yet', text: 'Killed\nted\n1 143\n', attempt: 2, expect: undefined },
    { given: 'the words of sh over a short old record', text: 'Killed\n \n', attempt: 2, expect: undefined },
    { given: 'a line that is not ended', text: '1 13', attempt: 1, expect: undefined },
    { given: 'a core dump', text: 'Aborted (core dumped)\n7 134\n', attempt: 7, expect: { status: 134, bySignal: true } },
  ]
  for (const { given, text, attempt, expect } of rows) {
    test(`${given}: ${expect === undefined ? 'no end' : JSON.stringify(expect)}`, () => {
      assert.deepEqual(parseExitRecord(text, attempt), expect)
    })
  }

  test('each status is told, and is a code unless sh has said otherwise or says nothing of its signal', () => {
    for (let status = 0; status < 256; status++) {
      const bySignal = status === 130 || status === 141
      assert.deepEqual(parseExitRecord(`7 ${status}\n `, 7), { status, bySignal })
      assert.deepEqual(parseExitRecord(`Killed\n7 ${status}\n `, 7), { status, bySignal: status > 128 })
    }
  })
})

describe('process stat lines', () => {
  const tail = 'S 17 42 43 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 98765 2000000 321 18446744073709551615 1'

  test('fields are counted from the last bracket, whatever the name holds', () => {
    for (const name of ['sh', 'a b', ') S 1 (', 'x) R 9 9 9 (y']) {
      assert.deepEqual(parseStat(`42 (${name}) ${tail}`), {
        pid: 42,
        state: 'S',
        ppid: 17,
        pgrp: 42,
        session: 43,
        cpuTicks: 300,
        threads: 3,
        startTime: 98765,
        residentPages: 321,
      })
    }
  })

  test('what is no such line gives nothing', () => {
    for (const line of ['', ' '.repeat(512), '42', '42 (sh', 'x (sh) S']) assert.equal(parseStat(line), undefined)
  })
})

describe('signal names', () => {
  test('each name has its number, with and without SIG', () => {
    assert.equal(signalNumber('TERM'), 15)
    assert.equal(signalNumber('SIGHUP'), 1)
    assert.equal(signalNumber('usr1'), 10)
    assert.equal(signalNumber('RTMIN'), 34)
    assert.equal(signalNumber('RTMIN+5'), 39)
    assert.equal(signalNumber('RTMAX-1'), 63)
    assert.equal(signalNumber('9'), 9)
  })

  test('what is no signal has none', () => {
    for (const name of ['', 'NOSUCH', '0', '65', 'RTMIN+31', 'RTMIN-1', 'TERM ', 'RTMAX+1']) assert.equal(signalNumber(name), undefined)
  })

  test('a number has one name, and the name leads back to it', () => {
    for (let number = 1; number <= 64; number++) assert.equal(signalNumber(signalName(number)), number)
    assert.equal(signalName(6), 'ABRT')
    assert.equal(signalName(34), 'RTMIN')
  })
})
