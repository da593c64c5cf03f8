/**
 * Lets those who change the same key take turns, in the order in which they came. A store would refuse all but one of them,
 * and until a write is durable the others would read the old state again and lose again.
 */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  /** How many keys are being changed: a test for leaks. */
  get size(): number {
    return this.#last.size
  }

  async take<T>(key: string, change: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key)
    const result = before === undefined ? change() : before.then(change)
    // A failure is the business of the one whose turn it was.
    const over = result.then(ignore, ignore)
    this.#last.set(key, over)
    try {
      return await result
    } finally {
      if (this.#last.get(key) === over) this.#last.delete(key)
    }
  }
}

function ignore(): void {}
