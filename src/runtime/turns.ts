import type { Clock } from '../base/clock.ts'
import { nextTurn } from '../base/turn.ts'
import { Gate } from './gate.ts'
import { pause } from './process-tree.ts'

/**
 * One at a time, tasks that hold up the event loop while they run, such as a fork. After each, others have the loop for as long as
 * it took: however many wait, at least half of the time is left.
 */
export class Turns {
  readonly #clock: Clock
  readonly #gate = new Gate(1)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves with the task's result, before the pause that follows it. Tasks go in the order of asking. */
  take<T>(task: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      // Never rejects: how the task fails is the caller's.
      void this.#gate.run(async () => {
        await nextTurn()
        const began = this.#clock.monotonic()
        await task().then(resolve, reject)
        await pause(this.#clock, this.#clock.monotonic() - began)
      })
    })
  }
}
