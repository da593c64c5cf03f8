import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { describe, it } from 'node:test'
import { plainSignalName, SIGNALS, signalNumberOf } from '../../../src/base/signals.ts'

describe('signals', () => {
  it('are numbered as this machine numbers them', () => {
    for (const [name, number] of Object.entries(constants.signals)) assert.equal(SIGNALS[name.slice(3)], number, name)
  })

  it('are found with and without SIG, in any case', () => {
    assert.deepEqual(
      ['TERM', 'SIGTERM', 'sigterm', 'Hup', 'RTMIN', 'SIGRTMIN+3', 'RTMAX', 'RTMAX-1', 'RTMIN+30'].map(signalNumberOf),
      [15, 15, 15, 1, 34, 37, 64, 63, 64],
    )
    assert.equal(plainSignalName('sigusr1'), 'USR1')
  })

  it('are only what exists', () => {
    for (const name of ['', 'SIG', 'TREM', '15', 'RTMIN+31', 'RTMAX-31', 'RTMAX+1', 'RTMIN-1', 'constructor', 'TERM ']) {
      assert.equal(signalNumberOf(name), undefined, name)
    }
  })
})
