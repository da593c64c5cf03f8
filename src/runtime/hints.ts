/** Tells whoever iterates what there is to know. Of two items with the same key, the later one takes the place of one that still waits. */
export class Hints<T> {
  readonly #keyOf: (item: T) => string
  readonly #listeners = new Set<(item: T) => void>()

  constructor(keyOf: (item: T) => string) {
    this.#keyOf = keyOf
  }

  publish(item: T): void {
    for (const listener of [...this.#listeners]) listener(item)
  }

  async *iterate(signal: AbortSignal): AsyncGenerator<T> {
    const pending = new Map<string, T>()
    let resume = (): void => {}
    const listener = (item: T): void => {
      pending.set(this.#keyOf(item), item)
      resume()
    }
    const stop = (): void => resume()
    this.#listeners.add(listener)
    signal.addEventListener('abort', stop, { once: true })
    try {
      while (!signal.aborted) {
        const [next] = pending
        if (next === undefined) {
          await new Promise<void>((resolve) => {
            resume = resolve
          })
          continue
        }
        pending.delete(next[0])
        yield next[1]
      }
    } finally {
      this.#listeners.delete(listener)
      signal.removeEventListener('abort', stop)
    }
  }
}
