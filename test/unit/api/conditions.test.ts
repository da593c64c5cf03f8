import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findCondition, setCondition } from '../../../src/api/conditions.ts'

const t1 = '2025-01-01T00:00:00Z'
const t2 = '2025-01-02T00:00:00Z'

describe('conditions', () => {
  const ready = setCondition(undefined, { type: 'Ready', status: 'True', reason: 'A', observedGeneration: 1 }, t1)

  it('carry the time at which they were set first', () => {
    assert.deepEqual(ready, [{ type: 'Ready', status: 'True', reason: 'A', observedGeneration: 1, lastTransitionTime: t1 }])
  })

  it('keep their time while the status stays, and get a new one when it changes', () => {
    const same = setCondition(ready, { type: 'Ready', status: 'True', reason: 'B' }, t2)
    assert.deepEqual(same, [{ type: 'Ready', status: 'True', reason: 'B', lastTransitionTime: t1 }])
    assert.equal(setCondition(ready, { type: 'Ready', status: 'False' }, t2)[0]?.lastTransitionTime, t2)
  })

  it('are the very same list when nothing changed', () => {
    assert.equal(setCondition(ready, { reason: 'A', status: 'True', observedGeneration: 1, type: 'Ready' }, t2), ready)
  })

  it('keep their places', () => {
    const two = setCondition(ready, { type: 'Available', status: 'Unknown' }, t1)
    assert.deepEqual(
      setCondition(two, { type: 'Ready', status: 'False' }, t2).map(({ type }) => type),
      ['Ready', 'Available'],
    )
  })

  it('are found by their type', () => {
    assert.equal(findCondition(ready, 'Ready')?.status, 'True')
    assert.equal(findCondition(ready, 'Other'), undefined)
    assert.equal(findCondition(undefined, 'Ready'), undefined)
  })
})
