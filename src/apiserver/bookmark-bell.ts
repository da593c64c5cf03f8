import type { Clock, Millis } from '../base/clock.ts'

/** About once a minute, and not for all watches of a moment at once. */
const BOOKMARK_EVERY: Millis = 60_000
const SPREAD = 0.1

/** The last one before a watch ends in its time: late enough to be worth resuming from, early enough to arrive. */
const BEFORE_END: Millis = 2_000

/** Rings when a bookmark is due in a watch that takes `timeout`. */
export class BookmarkBell {
  readonly #clock: Clock
  readonly #random: () => number
  readonly #last: Millis
  #rung = false
  #ring: (() => void) | undefined
  #cancel: () => void = () => {}

  constructor(clock: Clock, random: () => number, timeout: Millis) {
    this.#clock = clock
    this.#random = random
    this.#last = clock.monotonic() + Math.max(timeout - BEFORE_END, timeout / 2)
    this.#wind()
  }

  /** What `next` gives; undefined when the bell rings first, or has rung since the last call. It may then be asked with the same `next` again. */
  orNext<T>(next: Promise<T>): Promise<T | undefined> {
    if (this.#rung) {
      this.#rung = false
      return Promise.resolve(undefined)
    }
    return new Promise((resolve, reject) => {
      this.#ring = () => {
        this.#rung = false
        resolve(undefined)
      }
      next.then((value) => {
        this.#ring = undefined
        resolve(value)
      }, reject)
    })
  }

  cancel(): void {
    this.#cancel()
    this.#ring = undefined
  }

  #wind(): void {
    const left = this.#last - this.#clock.monotonic()
    if (left <= 0) return
    const every = BOOKMARK_EVERY * (1 - SPREAD + 2 * SPREAD * this.#random())
    this.#cancel = this.#clock.schedule(Math.min(every, left), () => {
      this.#rung = true
      this.#wind()
      this.#ring?.()
    })
  }
}
