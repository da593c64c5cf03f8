import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Mark } from './history-marks.ts'
import type { Revision } from './store.ts'

/** History that is always kept: what happened lately, and enough of a quiet store's past for every page and watch under way. */
export const KEEP_CHANGES = 10_000
export const KEEP_TIME: Millis = 5 * 60_000
/** Beyond this even recent history goes, so that a write storm can't fill the disk; five minutes of 1,600 writes a second. */
export const MOST_CHANGES = 500_000

const COMPACT_EVERY: Millis = 30_000
/** After a start, so that also servers that live for seconds forget what is old. */
const FIRST_AFTER: Millis = 1_000
/** How exactly the age of a revision is known. */
const MARK_EVERY: Millis = 10_000

export interface CompactorOptions {
  readonly clock: Clock
  readonly log: Logger
  /** Where the store is, and how far its history reaches back. */
  readonly extent: () => { readonly revision: Revision; readonly compacted: Revision }
  readonly compact: (before: Revision) => Promise<void>
  /** What an earlier server of this store has noted, by the present clock, oldest first. */
  readonly marks?: readonly Mark[]
}

/**
 * Forgets old history now and then. Ages are counted from marks, which the store keeps, so that they outlive a server that is
 * often restarted. No timer runs while there is nothing to forget.
 */
export class Compactor {
  readonly #options: CompactorOptions
  #marks: Mark[]
  #areNew = false
  #cancel: (() => void) | undefined
  #running: Promise<void> = Promise.resolve()
  #closed = false

  constructor(options: CompactorOptions) {
    this.#options = options
    const { revision } = options.extent()
    this.#marks = (options.marks ?? []).filter((mark) => mark.revision <= revision)
    this.#markIfDue()
    this.#arm(FIRST_AFTER)
  }

  /** To be called after each commit; costs one look at the clock. */
  noticed(): void {
    this.#markIfDue()
    this.#arm()
  }

  /** The marks, when there are others than those taken last: to be kept with whatever is written next. */
  takeMarks(): readonly Mark[] | undefined {
    if (!this.#areNew) return undefined
    this.#areNew = false
    return this.#marks
  }

  /** Resolves once a compaction under way has ended. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    await this.#running
  }

  #markIfDue(): void {
    const now = this.#options.clock.monotonic()
    const last = this.#marks.at(-1)
    if (last === undefined || now - last.at >= MARK_EVERY) this.#mark(now)
  }

  #mark(now: Millis): void {
    this.#areNew = true
    this.#marks.push({ at: now, revision: this.#options.extent().revision })
    // Of the marks that are old enough, only the newest says anything.
    const old = this.#marks.findLastIndex((mark) => now - mark.at >= KEEP_TIME)
    if (old > 0) this.#marks = this.#marks.slice(old)
  }

  #arm(delay: Millis = COMPACT_EVERY): void {
    const { revision, compacted } = this.#options.extent()
    if (this.#closed || this.#cancel !== undefined || revision - compacted <= KEEP_CHANGES) return
    this.#cancel = this.#options.clock.schedule(delay, () => {
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
