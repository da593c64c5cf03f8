import { type ApiObject, keyOf, type ObjectKey } from '../api/object.ts'
import { hasReason } from '../api/status.ts'
import type { WatchEvent } from '../api/watch-event.ts'
import { type Backoff, exponential } from '../base/backoff.ts'
import { type Clock, type Millis, sleep } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { runForever } from '../base/loop.ts'
import { nextTurn } from '../base/turn.ts'
import type { ResourceClient, Selection } from '../client/client.ts'
import { Indexer, type IndexFunction } from './indexer.ts'

export interface Lister<T extends ApiObject> {
  get(key: ObjectKey): T | undefined
  list(): readonly T[]
  byIndex(index: string, value: string): readonly T[]
}

/** Created: no prev. Deleted: no next, and prev is the last state seen. */
export interface Change<T> {
  readonly prev: T | undefined
  readonly next: T | undefined
  /** Part of the first state; such keys are queued at low priority. */
  readonly initial: boolean
}

export interface Informer<T extends ApiObject> extends Lister<T> {
  /** Resolves once the cache has held the whole state for the first time. */
  readonly synced: Promise<void>
  /** Handlers are synchronous and may only compute keys and enqueue them. Returns the unsubscribe. */
  onChange(handler: (change: Change<T>) => void): () => void
  /** Watches, rewatches after errors with backoff, starts over on Expired. Ends only with its signal. */
  run(signal: AbortSignal): Promise<void>
}

export interface InformerOptions<T extends ApiObject> {
  /** For logs. */
  readonly name: string
  readonly client: Pick<ResourceClient<T>, 'watch'>
  readonly clock: Clock
  readonly log: Logger
  readonly selection?: Selection
  readonly indices?: Readonly<Record<string, IndexFunction<T>>>
  readonly backoff?: Backoff
}

/** A server that is away for long is asked twice a minute. */
const REWATCH: Backoff = exponential({ initial: 50, factor: 2, max: 30_000, jitter: 0.2 })

/** So that ten thousand objects at the start, from a client in the same process, don't hold up everything else. */
const EVENTS_A_TURN = 256

/**
 * One watch, one cache. The state comes first and then its changes, in one stream, so there is no list to get out of step
 * with. After a lost connection the watch goes on where it was; when that is too long ago the state is read anew and compared
 * with the cache, and what is missing from it was deleted.
 */
export class WatchInformer<T extends ApiObject> implements Informer<T> {
  readonly synced: Promise<void>
  readonly #options: InformerOptions<T>
  readonly #cache = new Indexer<T>()
  readonly #handlers = new Set<(change: Change<T>) => void>()
  readonly #backoff: Backoff
  readonly #markSynced: () => void
  #isSynced = false
  /** Where the watch goes on; undefined: from the state. */
  #resumeFrom: string | undefined

  constructor(options: InformerOptions<T>) {
    this.#options = options
    this.#backoff = options.backoff ?? REWATCH
    for (const [name, values] of Object.entries(options.indices ?? {})) this.#cache.addIndex(name, values)
    const { promise, resolve } = deferred()
    this.synced = promise
    this.#markSynced = resolve
  }

  get(key: ObjectKey): T | undefined {
    return this.#cache.get(key)
  }

  list(): readonly T[] {
    return this.#cache.list()
  }

  byIndex(index: string, value: string): readonly T[] {
    return this.#cache.byIndex(index, value)
  }

  addIndex(name: string, values: IndexFunction<T>): void {
    this.#cache.addIndex(name, values)
  }

  onChange(handler: (change: Change<T>) => void): () => void {
    this.#handlers.add(handler)
    return () => this.#handlers.delete(handler)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name, clock, log } = this.#options
    let failures = 0
    // Starts over with every event that arrives, not only when a watch ends well: most watches never do.
    const wait = (): Millis => this.#backoff(++failures)
    await runForever({ name: `informer ${name}`, clock, log, backoff: wait, signal }, async () => {
      await this.#watch(signal, () => {
        failures = 0
      })
      // Servers limit the length of a watch: no failure, but a server that ends each one at once must not be asked without a pause.
      if (!signal.aborted) await sleep(clock, wait(), signal)
    })
  }

  async #watch(signal: AbortSignal, alive: () => void): Promise<void> {
    const seen = this.#resumeFrom === undefined ? new Set<ObjectKey>() : undefined
    let state = seen
    const { client, selection } = this.#options
    const from = this.#resumeFrom === undefined ? {} : { resourceVersion: this.#resumeFrom }
    try {
      let events = 0
      for await (const event of client.watch({ ...selection, ...from, signal })) {
        alive()
        if (++events % EVENTS_A_TURN === 0) await nextTurn()
        if (event.type !== 'BOOKMARK') this.#apply(event, state)
        else if (event.initialEventsEnd && state !== undefined) {
          this.#finishState(state)
          state = undefined
        }
        // Amid the first state nothing may be resumed from: the objects come in no order of revision.
        if (state === undefined)
          this.#resumeFrom = event.type === 'BOOKMARK' ? event.resourceVersion : event.object.metadata.resourceVersion
      }
    } catch (err) {
      if (hasReason(err, 'Expired')) this.#resumeFrom = undefined
      throw err
    }
  }

  #apply(event: Exclude<WatchEvent<T>, { type: 'BOOKMARK' }>, state: Set<ObjectKey> | undefined): void {
    const { object } = event
    const key = keyOf(object)
    if (event.type === 'DELETED') {
      state?.delete(key)
      const prev = this.#cache.delete(key)
      if (prev !== undefined) this.#notify({ prev, next: undefined })
      return
    }
    state?.add(key)
    const prev = this.#cache.get(key)
    if (prev?.metadata.uid === object.metadata.uid && prev.metadata.resourceVersion === object.metadata.resourceVersion) return
    if (prev !== undefined && prev.metadata.uid !== object.metadata.uid) {
      // Deleted and created again while nobody looked: two changes, since whatever belonged to the first is gone with it.
      this.#cache.delete(key)
      this.#notify({ prev, next: undefined })
      this.#cache.set(object)
      this.#notify({ prev: undefined, next: object })
      return
    }
    this.#cache.set(object)
    this.#notify({ prev, next: object })
  }

  #finishState(seen: ReadonlySet<ObjectKey>): void {
    for (const key of this.#cache.keys()) {
      if (seen.has(key)) continue
      const prev = this.#cache.delete(key)
      if (prev !== undefined) this.#notify({ prev, next: undefined })
    }
    if (this.#isSynced) return
    this.#isSynced = true
    this.#markSynced()
  }

  #notify(change: Omit<Change<T>, 'initial'>): void {
    for (const handler of this.#handlers) {
      try {
        handler({ ...change, initial: !this.#isSynced })
      } catch (err) {
        // A mistake of one listener must not keep the change from the others, nor end the watch.
        this.#options.log.error({ informer: this.#options.name, err }, 'Change handler failed')
      }
    }
  }
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => {}
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil
  })
  return { promise, resolve }
}
