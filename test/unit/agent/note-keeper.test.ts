import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { type Memory, newMemory, parseMemory } from '../../../src/agent/memory.ts'
import { NoteKeeper } from '../../../src/agent/note-keeper.ts'
import { silentLogger } from '../../../src/base/log.ts'
import { FakeClock } from '../../support/fake-clock.ts'

describe('the note of an Instance', () => {
  let clock: FakeClock
  let keeper: NoteKeeper
  let written: (number | undefined)[]

  beforeEach(() => {
    clock = new FakeClock()
    written = []
    const saveNote = async (_: string, note: string): Promise<void> => void written.push(parseMemory(note)?.attempt)
    keeper = new NoteKeeper({ runtime: { saveNote }, clock, log: silentLogger })
  })

  const memory = (attempt: number): Memory => ({ ...newMemory({ now: clock.now(), monotonic: 0, bootId: 'b' }), attempt })

  test('is written at once before an effect, and with it what waited', async () => {
    keeper.saveSoon('u', memory(1))
    await keeper.save('u', memory(2))
    assert.deepEqual(written, [2])
    assert.equal(clock.pending, 0)
  })

  test('is written soon otherwise, the last one of many', async () => {
    for (const attempt of [1, 2, 3]) keeper.saveSoon('u', memory(attempt))
    await clock.advance(1_000)
    assert.deepEqual(written, [3])
  })

  test('is not written when it says what is on disk already', async () => {
    keeper.found('u', JSON.stringify(memory(1)))
    await keeper.save('u', memory(1))
    keeper.saveSoon('u', memory(1))
    await clock.advance(1_000)
    assert.deepEqual(written, [])
  })

  test('is written before the agent ends, and never after the Instance has gone', async () => {
    keeper.saveSoon('u', memory(1))
    keeper.saveSoon('gone', memory(7))
    keeper.forget('gone')
    await keeper.flush()
    assert.deepEqual(written, [1])
    assert.equal(clock.pending, 0)
  })

  test('waits for a disk that refuses it, and keeps nobody from going on; another failure does', async () => {
    let refusal: NodeJS.ErrnoException | undefined = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    const saveNote = async (_: string, note: string): Promise<void> => {
      if (refusal !== undefined) throw refusal
      written.push(parseMemory(note)?.attempt)
    }
    keeper = new NoteKeeper({ runtime: { saveNote }, clock, log: silentLogger })
    await keeper.save('u', memory(1))
    await keeper.save('u', memory(2))
    await clock.advance(10_000)
    assert.deepEqual(written, [])
    refusal = undefined
    await clock.advance(10_000)
    assert.deepEqual(written, [2])
    assert.equal(clock.pending, 0)
    refusal = Object.assign(new Error('permission denied'), { code: 'EACCES' })
    await assert.rejects(keeper.save('u', memory(3)), /permission denied/)
  })
})

test('a note that is damaged, or of another format, is as good as none', () => {
  for (const note of [undefined, '', '{', 'null', '[]', '{"format":2}', '{"format":1}']) assert.equal(parseMemory(note), undefined)
})
