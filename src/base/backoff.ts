import type { Millis } from './clock.ts'

/** How long to wait after the n-th failure in a row; n starts at 1. */
export type Backoff = (failures: number) => Millis

export interface ExponentialBackoff {
  readonly initial: Millis
  readonly factor: number
  readonly max: Millis
  /** Share of the wait that chance may add or take away: 0.1 is ±10 %. */
  readonly jitter: number
}

/** `initial × factor^(n−1)`, at most `max`, then ± jitter. `random` gives numbers in [0, 1). */
export function exponential(options: ExponentialBackoff, random: () => number = Math.random): Backoff {
  const { initial, factor, max, jitter } = options
  return (failures) => {
    const exact = Math.min(max, initial * factor ** Math.min(Math.max(0, failures - 1), 1_000))
    return Math.max(0, exact * (1 + jitter * (2 * random() - 1)))
  }
}
