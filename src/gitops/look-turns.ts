import { onAbort } from '../base/abort.ts'
import type { Clock, Millis } from '../base/clock.ts'

/**
 * A call to a file system whose server or disk is gone may never return, and each keeps one of the four threads that the
 * store's calls need as well: so many may hang, and the server goes on.
 */
const AT_ONCE = 2
/** A disk that has to spin up, or to read a sector again, takes some seconds. */
export const PATIENCE: Millis = 30_000

/** What hung stays away; `elsewhere`: it wasn't even begun, as too many others hang. */
export type NoAnswer = { readonly type: 'no answer'; readonly elsewhere: boolean }

/** Work on file systems, of which few at once are done for all sources of a server, one call after another. */
export class LookTurns {
  readonly #clock: Clock
  #busy = 0
  /** Of those that are busy. */
  #hanging = 0
  readonly #waiting = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Does the work when it is its turn. `tick` is to be called after each call to the file system. When none returns for long, or
   * the signal ends, the work is given up, and told so by its signal; it has its turn until it has noticed. Rejects with the
   * signal's reason, and as the work does.
   */
  async run<T>(work: (signal: AbortSignal, tick: () => void) => Promise<T>, signal: AbortSignal): Promise<T | NoAnswer> {
    signal.throwIfAborted()
    while (this.#busy >= AT_ONCE) {
      if (this.#hanging >= AT_ONCE) return { type: 'no answer', elsewhere: true }
      await this.#change(signal)
      signal.throwIfAborted()
    }
    return await this.#do(work, signal)
  }

  async #do<T>(work: (signal: AbortSignal, tick: () => void) => Promise<T>, signal: AbortSignal): Promise<T | NoAnswer> {
    const giveUp = new AbortController()
    let ticks = 0
    let isHanging = false
    let cancel = (): void => {}
    this.#busy += 1
    const done = work(giveUp.signal, () => {
      ticks += 1
    }).finally(() => {
      cancel()
      this.#busy -= 1
      if (isHanging) this.#hanging -= 1
      this.#tell()
    })
    let stop = (): void => {}
    const noAnswer = new Promise<NoAnswer>((resolve, reject) => {
      // It goes on when nobody waits any more: what ends in a moment doesn't hang.
      const look = (before: number): void => {
        cancel = this.#clock.schedule(PATIENCE, () => {
          if (ticks > before) return look(ticks)
          isHanging = true
          this.#hanging += 1
          giveUp.abort(new Error('the file system does not answer'))
          resolve({ type: 'no answer', elsewhere: false })
          this.#tell()
        })
      }
      look(0)
      stop = onAbort(signal, () => {
        giveUp.abort(signal.reason)
        reject(signal.reason)
      })
    })
    try {
      return await Promise.race([done, noAnswer])
    } finally {
      stop()
    }
  }

  /** Until a turn ends or hangs. */
  async #change(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const stop = onAbort(signal, () => {
        this.#waiting.delete(told)
        reject(signal.reason)
      })
      const told = (): void => {
        stop()
        resolve()
      }
      this.#waiting.add(told)
    })
  }

  #tell(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const told of waiting) told()
  }
}
