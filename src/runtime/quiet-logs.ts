import type { Clock, Millis } from '../base/clock.ts'
import { nextTurn } from '../base/turn.ts'

/** Looked at before others get a turn. */
const SLICE = 100

export interface QuietLogsOptions<T> {
  readonly clock: Clock
  readonly interval: Millis
  /** One glance at a size, nothing more: hundreds are asked each time. */
  readonly hasGrown: (log: T) => boolean
  /** It is quiet no longer, and not looked at here any more. */
  readonly onGrowth: (log: T) => void
}

/** Logs into which nobody writes at the moment. One timer for all of them: a timer for each would wake the server all the time. */
export class QuietLogs<T> {
  readonly #options: QuietLogsOptions<T>
  readonly #logs = new Set<T>()
  #cancel: (() => void) | undefined
  #closed = false

  constructor(options: QuietLogsOptions<T>) {
    this.#options = options
  }

  add(log: T): void {
    this.#logs.add(log)
    if (this.#cancel === undefined) this.#schedule()
  }

  delete(log: T): void {
    this.#logs.delete(log)
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
    this.#logs.clear()
  }

  #schedule(): void {
    if (this.#closed) return
    const { clock, interval } = this.#options
    this.#cancel = clock.schedule(interval, () => {
      // Never fails: a size that can't be asked for has grown, and whoever looks closer has the failure.
      void this.#look().then(() => {
        this.#cancel = undefined
        if (this.#logs.size > 0) this.#schedule()
      })
    })
  }

  async #look(): Promise<void> {
    let seen = 0
    for (const log of [...this.#logs]) {
      seen += 1
      if (seen % SLICE === 0) await nextTurn()
      if (!this.#logs.has(log) || !this.#hasGrown(log)) continue
      this.#logs.delete(log)
      this.#options.onGrowth(log)
    }
  }

  #hasGrown(log: T): boolean {
    try {
      return this.#options.hasGrown(log)
    } catch {
      return true
    }
  }
}
