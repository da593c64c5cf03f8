import { type Clock, epochOf, type Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { type RetiredLog, RetiredLogs } from './retired-logs.ts'
import type { InstanceId } from './runtime.ts'

const SWEEP_INTERVAL: Millis = 600_000

export interface LogRetentionOptions {
  /** The book of those that are kept for a while. */
  readonly path: string
  readonly clock: Clock
  readonly log: Logger
  readonly retention: Millis
  readonly discard: (log: RetiredLog) => Promise<void>
}

/** Keeps logs whose Instance is gone for as long as they are to be kept, and not longer. */
export class LogRetention {
  readonly #options: LogRetentionOptions
  readonly #retired: RetiredLogs
  #cancelSweep: (() => void) | undefined
  #sweeping: Promise<void> | undefined
  #closed = false

  constructor(options: LogRetentionOptions) {
    this.#options = options
    this.#retired = new RetiredLogs(options.path)
  }

  /** `orphaned`: logs without an Instance, in the book or not. */
  async open(orphaned: readonly InstanceId[]): Promise<void> {
    this.#retired.open()
    const epoch = this.#now()
    for (const instance of orphaned) if (!this.#retired.has(instance)) await this.#retired.add({ instance, epoch })
  }

  /** Sweeps soon, when `before` is through, and now and then from then on. */
  start(before: () => Promise<void>): void {
    this.#sweepIn(0, before)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelSweep?.()
    await this.#sweeping
    await this.#retired.close()
  }

  /** The Instance is gone; its log goes when it has been kept long enough. */
  async retire(instance: InstanceId, link: string | undefined): Promise<void> {
    const entry = { instance, epoch: this.#now(), ...(link === undefined ? {} : { link }) }
    if (this.#options.retention <= 0) await this.#options.discard(entry)
    else await this.#retired.add(entry)
  }

  /** The log has an Instance again. */
  revoke(instance: InstanceId): Promise<void> {
    return this.#retired.revoke(instance)
  }

  #now(): Millis {
    return epochOf(this.#options.clock.now())
  }

  #sweepIn(delay: Millis, before: () => Promise<void> = async () => {}): void {
    const { clock, log } = this.#options
    this.#cancelSweep = clock.schedule(delay, () => {
      this.#sweeping = before()
        .then(() => this.#sweep())
        .catch((err: unknown) => log.error({ err }, 'Could not delete old logs'))
        .finally(() => {
          if (!this.#closed) this.#sweepIn(SWEEP_INTERVAL)
        })
    })
  }

  async #sweep(): Promise<void> {
    const gone: RetiredLog[] = []
    for (const entry of this.#retired.before(this.#now() - this.#options.retention)) {
      if (this.#closed) break
      await this.#options.discard(entry)
      gone.push(entry)
    }
    if (gone.length > 0) await this.#retired.drop(gone)
  }
}
