import { watch } from 'node:fs'
import type { Clock, Millis } from '../base/clock.ts'
import { nextTurn } from '../base/turn.ts'

/** Looked at before others get a turn. */
const SLICE = 100
/** Those that the kernel watches are looked at all the same, each so many rounds: it may lose an event, and tells of none through mapped memory. */
const ROUNDS_OF_WATCHED = 6

export interface QuietLogsOptions<T> {
  readonly clock: Clock
  /** Between looks at those that aren't watched. */
  readonly interval: Millis
  /** Calls `onChange` when the log may have grown, any number of times. Gives the end of that, or undefined where it can't be had. */
  readonly watch: (log: T, onChange: () => void) => (() => void) | undefined
  /** One glance at a size, nothing more: hundreds are asked each time. */
  readonly hasGrown: (log: T) => boolean
  /** It is quiet no longer, and not looked at here any more. */
  readonly onGrowth: (log: T) => void
}

/**
 * Logs into which nobody writes at the moment. The kernel tells when that ends. One timer for all of them: a timer for each would wake the
 * server all the time.
 */
export class QuietLogs<T> {
  readonly #options: QuietLogsOptions<T>
  /** Each with the end of its watch. */
  readonly #logs = new Map<T, (() => void) | undefined>()
  #round = 0
  #cancel: (() => void) | undefined
  #closed = false

  constructor(options: QuietLogsOptions<T>) {
    this.#options = options
  }

  add(log: T): void {
    if (this.#closed || this.#logs.has(log)) return
    const unwatch = this.#options.watch(log, () => this.#grew(log))
    this.#logs.set(log, unwatch)
    if (this.#cancel === undefined) this.#schedule()
    // Nobody has told of what came since the last look and before the watch.
    if (unwatch !== undefined && this.#hasGrown(log)) this.#grew(log)
  }

  delete(log: T): void {
    this.#logs.get(log)?.()
    this.#logs.delete(log)
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
    for (const log of this.#logs.keys()) this.delete(log)
  }

  #grew(log: T): void {
    if (!this.#logs.has(log)) return
    this.delete(log)
    this.#options.onGrowth(log)
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
    this.#round += 1
    const isForAll = this.#round % ROUNDS_OF_WATCHED === 0
    let seen = 0
    for (const [log, unwatch] of [...this.#logs]) {
      if (unwatch !== undefined && !isForAll) continue
      seen += 1
      if (seen % SLICE === 0) await nextTurn()
      if (this.#logs.has(log) && this.#hasGrown(log)) this.#grew(log)
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

/** File events of a directory, until the returned function is called; undefined where the kernel watches no more. */
export function watchDirectory(directory: string, onChange: () => void): (() => void) | undefined {
  try {
    const watcher = watch(directory, { persistent: false }, onChange)
    watcher.on('error', onChange)
    return () => watcher.close()
  } catch {
    return undefined
  }
}
