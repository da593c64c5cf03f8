import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LookTurns, type NoAnswer, PATIENCE } from '../../../src/gitops/look-turns.ts'
import { FakeClock, settle } from '../../support/fake-clock.ts'

/** A file system that answers when the test says so. */
class Disk {
  signal: AbortSignal | undefined
  #answer: (() => void) | undefined
  #tick: (() => void) | undefined

  readonly work = async (signal: AbortSignal, tick: () => void): Promise<string> => {
    this.signal = signal
    this.#tick = tick
    await new Promise<void>((resolve) => {
      this.#answer = resolve
    })
    signal.throwIfAborted()
    return 'read'
  }

  get isAsked(): boolean {
    return this.#answer !== undefined
  }

  tick(): void {
    this.#tick?.()
  }

  answer(): void {
    this.#answer?.()
  }
}

const HANGS: NoAnswer = { type: 'no answer', elsewhere: false }
const never = (): AbortSignal => new AbortController().signal

describe('looks at file systems', () => {
  test('two are done at once, and the others after them', async () => {
    const turns = new LookTurns(new FakeClock())
    const disks = [new Disk(), new Disk(), new Disk()] as const
    const results = disks.map(({ work }) => turns.run(work, never()))
    await settle()
    assert.deepEqual(
      disks.map(({ isAsked }) => isAsked),
      [true, true, false],
    )
    disks[1].answer()
    await settle()
    assert.ok(disks[2].isAsked, 'the third has its turn')
    for (const disk of disks) disk.answer()
    assert.deepEqual(await Promise.all(results), ['read', 'read', 'read'])
  })

  test('one that goes on, however slowly, is waited for, and one that hangs is given up', async () => {
    const clock = new FakeClock()
    const turns = new LookTurns(clock)
    const disk = new Disk()
    const result = turns.run(disk.work, never())
    await settle()
    for (let n = 0; n < 5; n++) {
      disk.tick()
      await clock.advance(PATIENCE)
    }
    assert.equal(disk.signal?.aborted, false)
    await clock.advance(PATIENCE)
    assert.deepEqual(await result, HANGS)
    assert.equal(disk.signal?.aborted, true)
  })

  test('those that hang keep their turns until their call returns, and nobody waits for them', async () => {
    const clock = new FakeClock()
    const turns = new LookTurns(clock)
    const disks = [new Disk(), new Disk(), new Disk(), new Disk()] as const
    const results = disks.slice(0, 3).map(({ work }) => turns.run(work, never()))
    await settle()
    await clock.advance(PATIENCE)
    assert.deepEqual(await Promise.all(results), [HANGS, HANGS, { type: 'no answer', elsewhere: true }])
    assert.deepEqual(await turns.run(disks[3].work, never()), { type: 'no answer', elsewhere: true })
    assert.ok(!disks[2].isAsked && !disks[3].isAsked, 'no third call is made')
    disks[0].answer()
    await settle()
    const later = turns.run(disks[3].work, never())
    await settle()
    disks[3].answer()
    assert.equal(await later, 'read')
  })

  test('the end of a pass ends the wait at once, for a turn and for an answer', async () => {
    const turns = new LookTurns(new FakeClock())
    const disks = [new Disk(), new Disk(), new Disk()] as const
    const stop = new AbortController()
    const results = disks.map(({ work }) => turns.run(work, stop.signal))
    await settle()
    stop.abort(new Error('timed out'))
    for (const result of results) await assert.rejects(result, /timed out/)
    assert.ok(!disks[2].isAsked, 'it never had its turn')
    const later = turns.run(disks[2].work, never())
    await settle()
    assert.ok(!disks[2].isAsked, 'the calls of the others have not returned yet')
    disks[0].answer()
    disks[1].answer()
    await settle()
    disks[2].answer()
    assert.equal(await later, 'read')
  })
})
