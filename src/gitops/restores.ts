import type { Clock, Millis } from '../base/clock.ts'

/** Putting an object back more often than this within the interval means that something writes it again and again. */
const MOST: number = 5

/** Keeps a source and another program that both insist on a field from writing it as fast as they can. */
export class Restores {
  readonly #clock: Clock
  readonly #times = new Map<string, readonly Millis[]>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The object was put back. */
  add(id: string, interval: Millis): void {
    this.#times.set(id, [...this.#within(id, interval), this.#clock.monotonic()].slice(-MOST))
  }

  /** Whether it is to be put back with the next look only, and not at once. */
  isHeld(id: string, interval: Millis): boolean {
    return this.#within(id, interval).length >= MOST
  }

  /** Those that are held. */
  held(interval: Millis): readonly string[] {
    return [...this.#times.keys()].filter((id) => this.isHeld(id, interval)).sort()
  }

  #within(id: string, interval: Millis): readonly Millis[] {
    const times = this.#times.get(id)
    if (times === undefined) return []
    const recent = times.filter((time) => this.#clock.monotonic() - time < interval)
    if (recent.length === 0) this.#times.delete(id)
    return recent
  }
}
