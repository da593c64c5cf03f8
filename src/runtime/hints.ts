import type { InstanceId } from './runtime.ts'

/** Tells whoever iterates which Instances may have changed. An Instance waits in line once, however often it is told. */
export class Hints {
  readonly #listeners = new Set<(instance: InstanceId) => void>()

  publish(instance: InstanceId): void {
    for (const listener of [...this.#listeners]) listener(instance)
  }

  async *iterate(signal: AbortSignal): AsyncGenerator<InstanceId> {
    const pending = new Set<InstanceId>()
    let resume = (): void => {}
    const listener = (instance: InstanceId): void => {
      pending.add(instance)
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
        pending.delete(next)
        yield next
      }
    } finally {
      this.#listeners.delete(listener)
      signal.removeEventListener('abort', stop)
    }
  }
}
