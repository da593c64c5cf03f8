import type { Clock, Millis, Timestamp } from '../../src/base/clock.ts'

interface Timer {
  readonly at: Millis
  readonly order: number
  readonly fn: () => void
}

/** Time that only moves when a test says so. Timers fire in order, and promises settle after each. */
export class FakeClock implements Clock {
  #monotonic: Millis
  /** Wall time minus monotonic time; `jump` changes it alone. */
  #offset: Millis
  #timers: Timer[] = []
  #order = 0

  constructor(options: { readonly start?: Timestamp; readonly monotonic?: Millis } = {}) {
    this.#monotonic = options.monotonic ?? 1_000_000
    this.#offset = Date.parse(options.start ?? '2026-01-01T00:00:00.000Z') - this.#monotonic
  }

  now(): Timestamp {
    return new Date(this.#monotonic + this.#offset).toISOString()
  }

  monotonic(): Millis {
    return this.#monotonic
  }

  schedule(delay: Millis, fn: () => void): () => void {
    const timer = { at: this.#monotonic + Math.max(0, delay), order: this.#order++, fn }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** How many timers wait: a test for leaks. */
  get pending(): number {
    return this.#timers.length
  }

  /** The wall clock is set to another time; monotonic time goes on unmoved. */
  jump(by: Millis): void {
    this.#offset += by
  }

  /** Lets `by` pass: fires what is due, in order, with promises settled after each. */
  async advance(by: Millis): Promise<void> {
    const end = this.#monotonic + by
    await settle()
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at || a.order - b.order)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#monotonic = Math.max(this.#monotonic, next.at)
      next.fn()
      await settle()
    }
    this.#monotonic = end
    await settle()
  }
}

/** Lets every promise that can settle without time passing do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}
