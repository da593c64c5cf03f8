import type { ApiObject, ObjectKey } from '../api/object.ts'
import { hasReason } from '../api/status.ts'
import { aborted, isAbort, onAbort } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { nextTurn } from '../base/turn.ts'
import type { Change, Informer } from '../informer/informer.ts'
import { PerKeyBackoff, type RateLimiter } from './rate-limiter.ts'
import { type Reconciler, TerminalError } from './reconciler.ts'
import { type AddOptions, INITIAL_PRIORITY, WorkQueue } from './workqueue.ts'

/** Something that makes keys worth looking at again. */
export interface Source {
  readonly synced: Promise<void>
  start(enqueue: (key: ObjectKey, options?: AddOptions) => void): () => void
}

/** The one mapping function does the work of source, handler and predicate: no keys means not interested. */
export function watches<T extends ApiObject>(informer: Informer<T>, keys: (change: Change<T>) => readonly ObjectKey[]): Source {
  return {
    synced: informer.synced,
    start: (enqueue) => {
      // What the informer knows already will not be told again.
      for (const next of informer.list()) {
        for (const key of keys({ prev: undefined, next, initial: true })) enqueue(key, { priority: INITIAL_PRIORITY })
      }
      return informer.onChange((change) => {
        for (const key of keys(change)) enqueue(key, change.initial ? { priority: INITIAL_PRIORITY } : {})
      })
    },
  }
}

/** One key, once, at the start: for reconcilers that look after a whole set. */
export function once(key: ObjectKey): Source {
  return {
    synced: Promise.resolve(),
    start: (enqueue) => {
      enqueue(key)
      return () => {}
    },
  }
}

export interface ControllerOptions {
  readonly name: string
  readonly sources: readonly Source[]
  readonly reconciler: Reconciler
  /** How many keys are in work at the same time. Default 1. */
  readonly workers?: number
  readonly clock: Clock
  readonly log: Logger
  readonly limiter?: RateLimiter<ObjectKey>
}

/** Runs a reconciler for each key that its sources name. */
export class Controller {
  readonly #options: ControllerOptions
  readonly #log: Logger
  readonly #queue: WorkQueue<ObjectKey>
  #reconciles = 0

  constructor(options: ControllerOptions) {
    this.#options = options
    this.#log = options.log.child({ controller: options.name })
    this.#queue = new WorkQueue({ clock: options.clock, limiter: options.limiter ?? new PerKeyBackoff<ObjectKey>() })
  }

  /** Keys waiting to be looked at. */
  get depth(): number {
    return this.#queue.size
  }

  /** Keys looked at since the start. */
  get reconciles(): number {
    return this.#reconciles
  }

  /** Starts sources, waits for caches, runs workers; resolves once the signal fired and every worker is idle. */
  async run(signal: AbortSignal): Promise<void> {
    const { sources, workers = 1 } = this.#options
    const stops = sources.map((source) => source.start((key, options) => this.#queue.add(key, options)))
    const stopClosing = onAbort(signal, () => this.#queue.close())
    try {
      // Acting on half a cache would take what isn't there yet for deleted.
      await Promise.race([Promise.all(sources.map((source) => source.synced)), aborted(signal)])
      await Promise.all(Array.from({ length: workers }, () => this.#work(signal)))
    } finally {
      stopClosing()
      for (const stop of stops) stop()
      this.#queue.close()
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const key = await this.#queue.take()
      if (key === undefined || signal.aborted) return
      await this.#reconcile(key, signal)
      // Caches first catch up with what was just written, or the next look at the key would be at the past. It also keeps a
      // thousand keys over an in-process client from holding up everything else.
      await nextTurn()
      this.#queue.done(key)
    }
  }

  async #reconcile(key: ObjectKey, signal: AbortSignal): Promise<void> {
    const log = this.#log.child({ object: key })
    this.#reconciles += 1
    try {
      const { requeueAfter } = await this.#options.reconciler.reconcile(key, { signal, log })
      this.#queue.forget(key)
      if (requeueAfter !== undefined) this.#queue.add(key, { after: requeueAfter })
    } catch (err) {
      if (isAbort(err, signal)) return
      if (err instanceof TerminalError) {
        this.#queue.forget(key)
        log.error({ err }, 'Reconcile failed for good')
        return
      }
      // These only say that the cache was behind: not worth anybody's look.
      if (hasReason(err, 'Conflict') || hasReason(err, 'AlreadyExists')) log.debug({ err }, 'Reconcile met a conflict')
      else log.warn({ err }, 'Reconcile failed')
      this.#queue.retry(key)
    }
  }
}
