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

/** How many watchers are woken in one turn of the event loop, so that a thousand of them hold up neither the writer's answer nor others. */
const WAKES_A_TURN = 32

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
  /** Watchers that have events waiting and are woken in later turns, in their order. */
  #asleep: Subscriber[] = []
  #wakesLeft = 0
  #waking = false

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
    if (this.#asleep.length === 0) this.#wakesLeft = WAKES_A_TURN
    for (const change of changes) this.#deliver(change)
    if (this.#asleep.length > 0) this.#wakeLater()
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
      if (group !== undefined) for (const subscriber of group) if (subscriber.push(change)) this.#wake(subscriber)
    }
  }

  #wake(subscriber: Subscriber): void {
    if (this.#wakesLeft === 0) {
      this.#asleep.push(subscriber)
      return
    }
    this.#wakesLeft -= 1
    subscriber.wake()
  }

  #wakeLater(): void {
    if (this.#waking) return
    this.#waking = true
    setImmediate(() => {
      this.#waking = false
      const woken = this.#asleep.splice(0, WAKES_A_TURN)
      for (const subscriber of woken) subscriber.wake()
      if (this.#asleep.length > 0) this.#wakeLater()
    })
  }

  #tick(): void {
    this.#cancelTick = undefined
    for (const group of this.#groups.values()) for (const subscriber of group) if (subscriber.progress(this.#revision)) subscriber.wake()
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

  /** Whether this is the first event of those that wait, and so the one to wake the watcher for. */
  push(event: StoreEvent): boolean {
    if (this.#events.length >= WATCH_BACKLOG) {
      this.fail(new StoreError('Slow', `The watcher is more than ${WATCH_BACKLOG} events behind; it can resume from its last revision`))
      return false
    }
    this.#last = event.revision
    return this.#events.push(event) === 1
  }

  /** Changes of other keys brought the store to `revision`. Says nothing to a watcher that still has events to take. */
  progress(revision: Revision): boolean {
    return this.#last < revision && this.#events.length === 0 && this.push({ type: 'progress', revision })
  }

  /** A watcher that waits takes what there is; one that doesn't comes by itself. */
  wake(): void {
    this.#wake?.()
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
