import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Revision } from './store.ts'

/** History that is always kept: what happened lately, and enough of a quiet store's past for every page and watch under way. */
export const KEEP_CHANGES = 10_000
export const KEEP_TIME: Millis = 5 * 60_000
/** Beyond this even recent history goes, so that a write storm can't fill the disk; five minutes of 1,600 writes a second. */
export const MOST_CHANGES = 500_000

const COMPACT_EVERY: Millis = 30_000
/** How exactly the age of a revision is known. */
const MARK_EVERY: Millis = 10_000

export interface CompactorOptions {
  readonly clock: Clock
  readonly log: Logger
  /** Where the store is, and how far its history reaches back. */
  readonly extent: () => { readonly revision: Revision; readonly compacted: Revision }
  readonly compact: (before: Revision) => Promise<void>
}

/** At `at`, the store was at `revision`: what is not above it is at least that old. */
interface Mark {
  readonly at: Millis
  readonly revision: Revision
}

/**
 * Forgets old history now and then. Ages are counted from marks in memory, so what a store finds at its start counts as
 * new: a restart keeps history longer and never shorter. No timer runs while there is nothing to forget.
 */
export class Compactor {
  readonly #options: CompactorOptions
  #marks: Mark[]
  #cancel: (() => void) | undefined
  #running: Promise<void> = Promise.resolve()
  #closed = false

  constructor(options: CompactorOptions) {
    this.#options = options
    this.#marks = [{ at: options.clock.monotonic(), revision: options.extent().revision }]
    this.#arm()
  }

  /** To be called after each commit; costs one look at the clock. */
  noticed(): void {
    const now = this.#options.clock.monotonic()
    const last = this.#marks.at(-1)
    if (last === undefined || now - last.at >= MARK_EVERY) this.#mark(now)
    this.#arm()
  }

  /** Resolves once a compaction under way has ended. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    await this.#running
  }

  #mark(now: Millis): void {
    this.#marks.push({ at: now, revision: this.#options.extent().revision })
    // Of the marks that are old enough, only the newest says anything.
    const old = this.#marks.findLastIndex((mark) => now - mark.at >= KEEP_TIME)
    if (old > 0) this.#marks = this.#marks.slice(old)
  }

  #arm(): void {
    const { revision, compacted } = this.#options.extent()
    if (this.#closed || this.#cancel !== undefined || revision - compacted <= KEEP_CHANGES) return
    this.#cancel = this.#options.clock.schedule(COMPACT_EVERY, () => {
      this.#running = this.#run()
    })
  }

  async #run(): Promise<void> {
    const { clock, log, extent, compact } = this.#options
    const now = clock.monotonic()
    this.#mark(now)
    const { revision, compacted } = extent()
    const oldEnough = this.#marks.findLast((mark) => now - mark.at >= KEEP_TIME)?.revision ?? 0
    const before = Math.max(Math.min(oldEnough, revision - KEEP_CHANGES), revision - MOST_CHANGES)
    try {
      if (before > compacted) await compact(before)
    } catch (err) {
      // Tried again at the next turn; until then there is only more history than needed.
      if (!this.#closed) log.warn({ before, err }, 'Could not compact the history of the store')
    }
    this.#cancel = undefined
    this.#arm()
  }
}
