import type { Millis } from '../base/clock.ts'

const RATE_WINDOW: Millis = 2_000
/** Between looks at a log into which nobody writes. */
export const QUIET_LOOK: Millis = 10_000

export interface Growth {
  /** Bytes more than at the last look. */
  readonly grown: number
  /** Bytes a second, of the last few seconds; infinite at the first look, which knows nothing. */
  readonly rate: number
}

interface Mark {
  readonly at: Millis
  readonly end: number
}

/** How fast a log grows. Many programs write in bursts: what counts is the rate of some seconds. */
export class LogGrowth {
  #end = 0
  /** Two earlier looks, the older one first, that are RATE_WINDOW apart. */
  #marks: readonly [Mark, Mark] | undefined

  /** What is there already, before the first look. */
  begin(end: number): void {
    this.#end = end
  }

  /** A look, at a time on the monotonic clock. */
  at(at: Millis, end: number): Growth {
    const grown = end - this.#end
    const first = { at, end: this.#end }
    const [from, middle] = this.#marks ?? [first, first]
    this.#end = end
    this.#marks = at - middle.at >= RATE_WINDOW ? [middle, { at, end }] : [from, middle]
    return { grown, rate: at > from.at ? ((end - from.end) / (at - from.at)) * 1_000 : Number.POSITIVE_INFINITY }
  }
}

/** When the next look is due, from how fast the log grows: often enough to stay near its size. */
export function nextLook(options: {
  readonly grown: number
  readonly during: Millis
  readonly maxSize: number
  readonly previous: Millis
}): Millis {
  const { grown, during, maxSize, previous } = options
  if (grown <= 0) return Math.min(QUIET_LOOK, Math.max(1_000, previous * 5))
  return Math.min(1_000, Math.max(50, (maxSize / 8 / grown) * Math.max(1, during)))
}
