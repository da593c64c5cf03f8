import type { Clock, Millis } from '../base/clock.ts'
import { type Change, keyOfChange } from './change-window.ts'
import type { Revision, StoreEvent } from './store.ts'
import { StoreError } from './store-error.ts'

/**
 * How many events wait for one watcher before it is cut off. Five hundred Processes applied at once make a few thousand
 * changes within one sync or two and must pass; a watcher that never reads holds at most this many references.
 */
export const WATCH_BACKLOG = 4_096

/** How often a watch hears how far the store is while only other keys change. */
const PROGRESS_EVERY: Millis = 1_000

/** The live end of one watch. */
export interface Subscription {
  /** What has come since the last call, waiting for it if need be; undefined after `end`. Throws StoreError(Slow) or (Closed). */
  take(): Promise<readonly StoreEvent[] | undefined>
  /** Releases everything; a waiting `take` gets undefined. May be called again. */
  end(): void
}

/**
 * Gives each change to the watchers of its key's prefixes. Watchers are grouped by prefix, and a change asks only for the
 * prefixes that its own key has, so watchers of other keys cost nothing.
 */
export class WatchHub {
  readonly #clock: Clock
  readonly #groups = new Map<string, Set<Subscriber>>()
  /** How many prefixes there are of each length. */
  readonly #lengths = new Map<number, number>()
  #size = 0
  #revision: Revision
  #cancelTick: (() => void) | undefined

  constructor(options: { readonly clock: Clock; readonly revision: Revision }) {
    this.#clock = options.clock
    this.#revision = options.revision
  }

  /** How many watchers there are: a test for leaks. */
  get size(): number {
    return this.#size
  }

  /** Follows every change that is published from now on; `revision` is that of the last one published. */
  subscribe(prefix: string): Subscription {
    const subscriber = new Subscriber(this.#revision, () => this.#remove(prefix, subscriber))
    const group = this.#groups.get(prefix)
    if (group === undefined) {
      this.#groups.set(prefix, new Set([subscriber]))
      this.#lengths.set(prefix.length, (this.#lengths.get(prefix.length) ?? 0) + 1)
    } else {
      group.add(subscriber)
    }
    this.#size += 1
    return subscriber
  }

  /** Never waits for a watcher: one that is too far behind is cut off. */
  publish(changes: readonly Change[], revision: Revision): void {
    this.#revision = revision
    if (this.#size === 0) return
    for (const change of changes) this.#deliver(change)
    this.#cancelTick ??= this.#clock.schedule(PROGRESS_EVERY, () => this.#tick())
  }

  /** Ends every watch with StoreError(Closed). */
  close(): void {
    for (const group of [...this.#groups.values()]) {
      for (const subscriber of [...group]) subscriber.fail(new StoreError('Closed', 'The store is closed'))
    }
  }

  #deliver(change: Change): void {
    const key = keyOfChange(change)
    for (const length of this.#lengths.keys()) {
      if (length > key.length) continue
      const group = this.#groups.get(key.slice(0, length))
      // A Set may lose members while it is walked, which is what happens to a watcher that is cut off here.
      if (group !== undefined) for (const subscriber of group) subscriber.push(change)
    }
  }

  #tick(): void {
    this.#cancelTick = undefined
    for (const group of this.#groups.values()) for (const subscriber of group) subscriber.progress(this.#revision)
  }

  #remove(prefix: string, subscriber: Subscriber): void {
    const group = this.#groups.get(prefix)
    if (group === undefined || !group.delete(subscriber)) return
    this.#size -= 1
    if (group.size === 0) this.#forget(prefix)
    if (this.#size > 0) return
    this.#cancelTick?.()
    this.#cancelTick = undefined
  }

  #forget(prefix: string): void {
    this.#groups.delete(prefix)
    const left = (this.#lengths.get(prefix.length) ?? 0) - 1
    if (left > 0) this.#lengths.set(prefix.length, left)
    else this.#lengths.delete(prefix.length)
  }
}

class Subscriber implements Subscription {
  readonly #leave: () => void
  #events: StoreEvent[] = []
  #wake: (() => void) | undefined
  #ended = false
  #failure: StoreError | undefined
  /** Revision of the newest event given or waiting. */
  #last: Revision

  constructor(last: Revision, leave: () => void) {
    this.#last = last
    this.#leave = leave
  }

  push(event: StoreEvent): void {
    if (this.#events.length >= WATCH_BACKLOG) {
      this.fail(new StoreError('Slow', `The watcher is more than ${WATCH_BACKLOG} events behind; it can resume from its last revision`))
      return
    }
    this.#events.push(event)
    this.#last = event.revision
    this.#wake?.()
  }

  /** Changes of other keys brought the store to `revision`. Says nothing to a watcher that still has events to take. */
  progress(revision: Revision): void {
    if (this.#last < revision && this.#events.length === 0) this.push({ type: 'progress', revision })
  }

  fail(failure: StoreError): void {
    this.#failure = failure
    this.#events = []
    this.#leave()
    this.#wake?.()
  }

  end(): void {
    this.#ended = true
    this.#events = []
    this.#leave()
    this.#wake?.()
  }

  async take(): Promise<readonly StoreEvent[] | undefined> {
    if (!this.#ended && this.#failure === undefined && this.#events.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
    if (this.#ended) return undefined
    if (this.#failure !== undefined) throw this.#failure
    const events = this.#events
    this.#events = []
    return events
  }
}
