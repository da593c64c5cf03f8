import { hasReason } from '../api/status.ts'
import { isAbort, onAbort } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { jsonEqual } from '../base/json.ts'
import type { Logger } from '../base/log.ts'
import type { ResourceClient } from '../client/client.ts'
import type { Instance, InstanceStatus } from '../generated/types.ts'
import { PerKeyBackoff } from '../reconcile/rate-limiter.ts'
import { WorkQueue } from '../reconcile/workqueue.ts'

/** Writes at the same time: enough to fill group commits, few enough to leave the event loop to the deaths. */
const WRITERS = 16

/** Each Instance's newest status, and whether its object is known. */
export interface StatusWriterOptions {
  readonly client: Pick<ResourceClient<Instance>, 'get' | 'updateStatus'>
  readonly cached: (uid: string) => Instance | undefined
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Reports statuses behind the agent's back: nobody waits for the API. Of several for one Instance only the last is written;
 * failures are tried again for as long as that status stands.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions
  readonly #queue: WorkQueue<string>
  readonly #wanted = new Map<string, InstanceStatus>()
  /** What the API answered last, which the cache may not have yet. */
  readonly #written = new Map<string, Instance>()

  constructor(options: StatusWriterOptions) {
    this.#options = options
    this.#queue = new WorkQueue<string>({ clock: options.clock, limiter: new PerKeyBackoff<string>() })
  }

  /** Statuses that are not written yet. */
  get pending(): number {
    return this.#wanted.size
  }

  set(uid: string, status: InstanceStatus): void {
    this.#wanted.set(uid, status)
    this.#queue.add(uid)
  }

  /** The Instance is gone. */
  forget(uid: string): void {
    this.#wanted.delete(uid)
    this.#written.delete(uid)
  }

  async run(signal: AbortSignal): Promise<void> {
    const release = onAbort(signal, () => this.#queue.close())
    try {
      await Promise.all(Array.from({ length: WRITERS }, () => this.#work(signal)))
    } finally {
      release()
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const uid = await this.#queue.take()
      if (uid === undefined || signal.aborted) return
      try {
        await this.#write(uid, signal)
        this.#queue.forget(uid)
      } catch (err) {
        if (isAbort(err, signal)) return
        if (hasReason(err, 'NotFound')) this.forget(uid)
        else {
          // What every write meets is told by the store; a thousand Instances needn't repeat it.
          const level = hasReason(err, 'ServiceUnavailable') ? 'debug' : 'warn'
          this.#options.log[level]({ uid, err }, 'Status could not be written')
          this.#queue.retry(uid)
        }
      } finally {
        this.#queue.done(uid)
      }
    }
  }

  async #write(uid: string, signal: AbortSignal): Promise<void> {
    const status = this.#wanted.get(uid)
    const base = newer(this.#options.cached(uid), this.#written.get(uid))
    if (status === undefined || base === undefined) {
      this.#wanted.delete(uid)
      return
    }
    if (!jsonEqual(base.status, status)) {
      try {
        this.#written.set(uid, await this.#options.client.updateStatus({ ...base, status }, { signal }))
      } catch (err) {
        if (!hasReason(err, 'Conflict')) throw err
        await this.#refresh(base, signal)
        this.#queue.add(uid)
        return
      }
    }
    // A newer one that came meanwhile is still to be written.
    if (this.#wanted.get(uid) === status) this.#wanted.delete(uid)
  }

  async #refresh({ metadata }: Instance, signal: AbortSignal): Promise<void> {
    const { name, namespace, uid } = metadata
    const fresh = await this.#options.client.get({ name, ...(namespace === undefined ? {} : { namespace }) }, { signal })
    if (fresh.metadata.uid === uid) this.#written.set(uid, fresh)
    else this.forget(uid)
  }
}

/** Versions of one object are numbers that grow, in this API. */
function newer(a: Instance | undefined, b: Instance | undefined): Instance | undefined {
  if (a === undefined || b === undefined) return a
  return Number(b.metadata.resourceVersion) > Number(a.metadata.resourceVersion) ? b : a
}
