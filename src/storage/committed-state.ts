import { onAbort } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { type Change, ChangeWindow, keyOfChange, type WindowBounds } from './change-window.ts'
import { pageOf } from './page.ts'
import { SortedMap } from './sorted-map.ts'
import type { KeyValue, Page, RangeOptions, Revision, StoreEvent } from './store.ts'
import { StoreError } from './store-error.ts'
import { WatchHub } from './watch-hub.ts'

/** Reads kept changes that have left the memory: the first ones behind `after`, and up to which revision they are complete. */
export type OlderChanges = (after: Revision, upTo: Revision) => Promise<{ readonly changes: readonly Change[]; readonly reached: Revision }>

export interface CommittedStateOptions {
  readonly clock: Clock
  readonly revision: Revision
  readonly compacted: Revision
  readonly window: WindowBounds
  /** The revision behind which `commit` will give every change; history before it comes from `older`. */
  readonly windowStart: Revision
  readonly older: OlderChanges
}

/**
 * Every acknowledged write, and nothing else: the present view, the newest changes and the watchers. What readers of a
 * store see comes from here; its writers call `commit` once a write is durable.
 */
export class CommittedState {
  readonly #view = new SortedMap<KeyValue>()
  readonly #window: ChangeWindow
  readonly #hub: WatchHub
  readonly #older: OlderChanges
  #revision: Revision
  #compacted: Revision
  #closed = false

  constructor(options: CommittedStateOptions) {
    this.#window = new ChangeWindow(options.windowStart, options.window)
    this.#hub = new WatchHub({ clock: options.clock, revision: options.revision })
    this.#older = options.older
    this.#revision = options.revision
    this.#compacted = options.compacted
  }

  get revision(): Revision {
    return this.#revision
  }

  /** The oldest revision that can be read and watched from. */
  get compacted(): Revision {
    return this.#compacted
  }

  get watchers(): number {
    return this.#hub.size
  }

  get closed(): boolean {
    return this.#closed
  }

  get(key: string): KeyValue | undefined {
    return this.#view.get(key)
  }

  keys(): Iterable<readonly [key: string, kv: KeyValue]> {
    return this.#view.entriesFrom('')
  }

  /** A key as found on disk at the start; part of no change. */
  load(kv: KeyValue): void {
    this.#view.set(kv.key, kv)
  }

  /** A kept change as found on disk at the start, already part of the loaded keys. */
  loadChange(change: Change): void {
    this.#window.append(change)
  }

  /** In the order of their revisions, each above the last. `revision` may be above the newest change when numbers were given up. */
  commit(changes: readonly Change[], revision: Revision): void {
    for (const change of changes) {
      if (change.type === 'put') this.#view.set(change.kv.key, change.kv)
      else this.#view.delete(change.prev.key)
      this.#window.append(change)
    }
    this.#revision = revision
    this.#hub.publish(changes, revision)
  }

  compactTo(before: Revision): void {
    if (before <= this.#compacted) return
    this.#compacted = before
    this.#window.dropTo(before)
  }

  async range(prefix: string, options: RangeOptions = {}): Promise<Page> {
    const revision = options.revision ?? this.#revision
    this.check(revision)
    // What the keys changed since then were: the value before the first of each one's later changes.
    const past = new Map<string, KeyValue | undefined>()
    for (let position = revision; position < this.#revision; ) {
      const page = await this.#pull(prefix, position)
      for (const change of page.changes) {
        const key = keyOfChange(change)
        if (!past.has(key)) past.set(key, change.prev)
      }
      position = page.reached
      this.check(position)
    }
    // No `await` between the loop's end and here: `past` undoes exactly what the view has.
    return pageOf(this.#view, { prefix, revision, past, after: options.after, limit: options.limit })
  }

  async *watch(prefix: string, after: Revision, signal: AbortSignal): AsyncGenerator<StoreEvent, void, undefined> {
    if (signal.aborted) return
    this.check(after)
    // Catching up is pulled, so that a watcher far behind holds one page of history and no backlog. The step from the
    // last empty pull to the subscription has no `await` in it: no change can come between them or be given twice.
    let position = after
    for (;;) {
      const page = await this.#pull(prefix, position)
      for (const change of page.changes) {
        yield change
        if (signal.aborted) return
      }
      position = page.reached
      if (signal.aborted) return
      this.check(position)
      if (position === this.#revision) break
    }
    const subscription = this.#hub.subscribe(prefix)
    const cancel = onAbort(signal, () => subscription.end())
    try {
      yield { type: 'progress', revision: position }
      for (;;) {
        const events = await subscription.take()
        if (events === undefined) return
        for (const event of events) {
          if (signal.aborted) return
          yield event
        }
      }
    } finally {
      cancel()
      subscription.end()
    }
  }

  close(): void {
    this.#closed = true
    this.#hub.close()
  }

  /** Throws unless the state at `revision` can be read and watched from. */
  check(revision: Revision): void {
    if (this.#closed) throw new StoreError('Closed', 'The store is closed')
    if (revision > this.#revision) {
      throw new StoreError('Future', `Revision ${revision} is not reached yet: the store is at ${this.#revision}`, {
        revision: this.#revision,
      })
    }
    if (revision < this.#compacted) {
      throw new StoreError('Compacted', `History before revision ${this.#compacted} is gone, ${revision} with it`, {
        revision: this.#compacted,
      })
    }
  }

  /** Throws unless history can be forgotten up to `before`. Forgetting what is gone already is no error. */
  checkCompaction(before: Revision): void {
    this.check(Math.max(before, this.#compacted))
  }

  /** The first kept changes of the prefix behind `position`, and up to which revision they are complete. */
  async #pull(prefix: string, position: Revision): Promise<{ readonly changes: readonly Change[]; readonly reached: Revision }> {
    if (position >= this.#window.start) {
      const changes = this.#window.read(position, prefix, PULL)
      const last = changes.at(-1)
      return { changes, reached: last !== undefined && changes.length === PULL ? last.revision : this.#revision }
    }
    const { changes, reached } = await this.#older(position, this.#window.start)
    return { changes: changes.filter((change) => keyOfChange(change).startsWith(prefix)), reached }
  }
}

/** Bounds what one watcher that reads slowly holds of the history. */
const PULL = 512
