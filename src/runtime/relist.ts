import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { nextTurn } from '../base/turn.ts'
import type { Instance } from './instance.ts'
import type { ProcessTrees } from './process-tree.ts'
import type { RunObserver } from './run-observer.ts'

const RELIST_INTERVAL: Millis = 30_000
/** Each so many relists all records are opened. */
const THOROUGH = 10
/** The loop's own pulse: when it comes late by this much, file events may have been dropped. */
const PULSE: Millis = 1_000
const STALL: Millis = 100
/** Under lasting load every pulse is late: a look at all of them for each would add to it. */
const LEAST_INTERVAL: Millis = 5_000
/** Instances looked at before others get a turn. */
const SLICE = 50

export interface RelistOptions {
  readonly entries: () => readonly Instance[]
  readonly observer: RunObserver
  readonly trees: ProcessTrees
  readonly clock: Clock
  readonly log: Logger
}

/** Looks at every Instance now and then, whatever events said or didn't. */
export class Relist {
  readonly #options: RelistOptions
  #cancelPulse: (() => void) | undefined
  #relisting: Promise<void> | undefined
  #last: Millis = 0
  #late = false
  #closed = false
  #count = 0

  constructor(options: RelistOptions) {
    this.#options = options
  }

  start(): void {
    this.#last = this.#options.clock.monotonic()
    this.#pulse()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelPulse?.()
    await this.#relisting
  }

  #pulse(): void {
    const { clock, log } = this.#options
    const due = clock.monotonic() + PULSE
    this.#cancelPulse = clock.schedule(PULSE, () => {
      const now = clock.monotonic()
      this.#late ||= now - due > STALL
      if (this.#relisting === undefined && now - this.#last >= (this.#late ? LEAST_INTERVAL : RELIST_INTERVAL)) {
        this.#last = now
        this.#late = false
        this.#relisting = this.#relist()
          .catch((err: unknown) => log.error({ err }, 'Relist failed'))
          .finally(() => {
            this.#relisting = undefined
          })
      }
      this.#pulse()
    })
  }

  async #relist(): Promise<void> {
    const { entries, observer, trees } = this.#options
    this.#count += 1
    const isThorough = this.#count % THOROUGH === 0
    await inSlices(entries(), (entry) => (isThorough ? observer.recheck(entry) : observer.check(entry)))
    if (this.#closed) return
    const running = entries().filter((entry) => entry.run?.state === 'running')
    await trees.remember(running.map((entry) => entry.root))
  }
}

/** Those of a slice together, so that they share one look at the process table; others get a turn between slices. */
export async function inSlices(entries: readonly Instance[], look: (entry: Instance) => Promise<unknown>): Promise<void> {
  for (let start = 0; start < entries.length; start += SLICE) {
    await Promise.all(entries.slice(start, start + SLICE).map(look))
    if (start + SLICE < entries.length) await nextTurn()
  }
}
