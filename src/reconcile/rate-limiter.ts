import { type Backoff, exponential } from '../base/backoff.ts'
import type { Millis } from '../base/clock.ts'

export interface RateLimiter<K> {
  /** Counts one more failure and says how long to wait. */
  next(key: K): Millis
  forget(key: K): void
}

/** From 5 ms (a conflict is over by then) to a minute. */
const RETRY: Backoff = exponential({ initial: 5, factor: 2, max: 60_000, jitter: 0.2 })

/** A backoff of its own for each key. */
export class PerKeyBackoff<K> implements RateLimiter<K> {
  readonly #backoff: Backoff
  readonly #failures = new Map<K, number>()

  constructor(backoff: Backoff = RETRY) {
    this.#backoff = backoff
  }

  next(key: K): Millis {
    const failures = (this.#failures.get(key) ?? 0) + 1
    this.#failures.set(key, failures)
    return this.#backoff(failures)
  }

  forget(key: K): void {
    this.#failures.delete(key)
  }
}
