import { seededRandom } from '../../src/base/random.ts'

/** Decisions that follow from a seed. */
export class Random {
  readonly #next: () => number

  constructor(...seed: readonly number[]) {
    // Each part stirs the state, so that neighbouring seeds have nothing in common.
    let state = 0
    for (const part of seed) state = Math.floor(seededRandom((state ^ part) >>> 0)() * 2 ** 32)
    this.#next = seededRandom(state)
  }

  /** A whole number from `from` to `to`, both included. */
  int(from: number, to: number): number {
    return from + Math.floor(this.#next() * (to - from + 1))
  }

  chance(share: number): boolean {
    return this.#next() < share
  }

  pick<T>(all: readonly T[]): T {
    const one = all[this.int(0, all.length - 1)]
    if (one === undefined) throw new Error('Nothing to pick from')
    return one
  }

  /** One of the names, as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][]
    let left = this.#next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of entries) {
      left -= weight
      if (left < 0) return name
    }
    throw new Error('No weight')
  }
}
