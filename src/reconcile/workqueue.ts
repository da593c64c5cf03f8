import type { Clock, Millis } from '../base/clock.ts'
import { Heap } from './heap.ts'
import type { RateLimiter } from './rate-limiter.ts'

export interface AddOptions {
  readonly after?: Millis
  /** Higher goes first. Default 0. */
  readonly priority?: number
}

/** What the keys of the first state are queued with, so that a start doesn't delay live changes. */
export const INITIAL_PRIORITY = -100

/** Waiting: not due yet. Ready: to be taken. Held: due, but the key is in work. */
interface Entry<K> {
  readonly key: K
  state: 'waiting' | 'ready' | 'held'
  at: Millis
  priority: number
  order: number
}

interface Ticket<K> {
  readonly entry: Entry<K>
  /** `at` or `priority` of the entry when the ticket was made; another value now: a newer ticket has taken its place. */
  readonly rank: number
  readonly order: number
}

/** A key is in work at most once; added while in work, it comes back once after `done`. */
export class WorkQueue<K extends string> {
  readonly #clock: Clock
  readonly #limiter: RateLimiter<K>
  readonly #entries = new Map<K, Entry<K>>()
  readonly #working = new Set<K>()
  readonly #waiting = new Heap<Ticket<K>>((a, b) => a.rank < b.rank)
  readonly #ready = new Heap<Ticket<K>>((a, b) => a.rank > b.rank || (a.rank === b.rank && a.order < b.order))
  readonly #takers: ((key: K | undefined) => void)[] = []
  #order = 0
  #closed = false
  #timer: { readonly at: Millis; readonly cancel: () => void } | undefined

  constructor(options: { readonly clock: Clock; readonly limiter: RateLimiter<K> }) {
    this.#clock = options.clock
    this.#limiter = options.limiter
  }

  /** Keys that are queued, waiting ones included; those in work are not. */
  get size(): number {
    return this.#entries.size
  }

  /** A key already queued keeps its highest priority and its earliest time. */
  add(key: K, options: AddOptions = {}): void {
    if (this.#closed) return
    const { after = 0, priority = 0 } = options
    const at = this.#clock.monotonic() + Math.max(0, after)
    const known = this.#entries.get(key)
    if (known === undefined) {
      const entry: Entry<K> = { key, state: 'waiting', at, priority, order: 0 }
      this.#entries.set(key, entry)
      if (after > 0) this.#wait(entry)
      else this.#makeReady(entry)
      return
    }
    if (priority > known.priority) {
      known.priority = priority
      if (known.state === 'ready') this.#ready.push({ entry: known, rank: priority, order: known.order })
    }
    if (known.state !== 'waiting' || at >= known.at) return
    known.at = at
    if (after > 0) this.#wait(known)
    else this.#makeReady(known)
  }

  /** Adds the key after as long as its limiter says. */
  retry(key: K): void {
    this.add(key, { after: this.#limiter.next(key) })
  }

  /** The failures of the key no longer count. */
  forget(key: K): void {
    this.#limiter.forget(key)
  }

  /** The next key, or undefined once the queue is closed and empty. */
  take(): Promise<K | undefined> {
    const entry = this.#nextReady()
    if (entry !== undefined) return Promise.resolve(this.#begin(entry))
    if (this.#closed) return Promise.resolve(undefined)
    return new Promise((resolve) => this.#takers.push(resolve))
  }

  done(key: K): void {
    this.#working.delete(key)
    const entry = this.#entries.get(key)
    if (entry?.state === 'held') this.#makeReady(entry)
  }

  /** Takes no more keys and forgets those that wait for a time; what is ready may still be taken. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    this.#timer = undefined
    for (const [key, entry] of this.#entries) if (entry.state !== 'ready') this.#entries.delete(key)
    for (const taker of this.#takers.splice(0)) taker(undefined)
  }

  #makeReady(entry: Entry<K>): void {
    if (this.#working.has(entry.key)) {
      entry.state = 'held'
      return
    }
    entry.state = 'ready'
    entry.order = this.#order++
    const taker = this.#takers.shift()
    if (taker !== undefined) taker(this.#begin(entry))
    else this.#ready.push({ entry, rank: entry.priority, order: entry.order })
  }

  #begin(entry: Entry<K>): K {
    this.#entries.delete(entry.key)
    this.#working.add(entry.key)
    return entry.key
  }

  #nextReady(): Entry<K> | undefined {
    for (;;) {
      const ticket = this.#ready.pop()
      if (ticket === undefined) return undefined
      const { entry } = ticket
      if (this.#entries.get(entry.key) === entry && entry.state === 'ready' && entry.priority === ticket.rank) return entry
    }
  }

  #wait(entry: Entry<K>): void {
    this.#waiting.push({ entry, rank: entry.at, order: 0 })
    this.#arm()
  }

  /** One timer for all keys: that of the earliest. */
  #arm(): void {
    const next = this.#waiting.peek()
    if (next === undefined || (this.#timer !== undefined && this.#timer.at <= next.rank)) return
    this.#timer?.cancel()
    const cancel = this.#clock.schedule(Math.max(0, next.rank - this.#clock.monotonic()), () => this.#release())
    this.#timer = { at: next.rank, cancel }
  }

  #release(): void {
    this.#timer = undefined
    const now = this.#clock.monotonic()
    for (;;) {
      const ticket = this.#waiting.peek()
      if (ticket === undefined || ticket.rank > now) break
      this.#waiting.pop()
      const { entry } = ticket
      const current = this.#entries.get(entry.key) === entry && entry.state === 'waiting' && entry.at === ticket.rank
      if (current) this.#makeReady(entry)
    }
    this.#arm()
  }
}
