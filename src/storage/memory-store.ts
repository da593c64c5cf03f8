import type { Clock } from '../base/clock.ts'
import { silentLogger } from '../base/log.ts'
import type { Change } from './change-window.ts'
import { CommittedState } from './committed-state.ts'
import { Compactor } from './compactor.ts'
import { changeFor, requireKey, type Write } from './expectation.ts'
import type { KeyValue, Page, RangeOptions, Revision, Store, StoreEvent } from './store.ts'

/** The reference implementation: nothing survives `close`. For tests, and for trying pmk out. */
export class MemoryStore implements Store {
  readonly #state: CommittedState
  readonly #compactor: Compactor

  constructor(options: { readonly clock: Clock }) {
    this.#state = new CommittedState({
      clock: options.clock,
      revision: 1,
      compacted: 0,
      window: { changes: Number.POSITIVE_INFINITY, units: Number.POSITIVE_INFINITY },
      windowStart: 0,
      older: async (after) => ({ changes: [], reached: after }),
    })
    this.#compactor = new Compactor({
      clock: options.clock,
      log: silentLogger,
      extent: () => this.#state,
      compact: (before) => this.compact(before),
    })
  }

  /** How many watches are open: a test for leaks. */
  get watchers(): number {
    return this.#state.watchers
  }

  revision(): Revision {
    return this.#state.revision
  }

  refusal(): undefined {
    return undefined
  }

  async get(key: string): Promise<KeyValue | undefined> {
    this.#state.check(this.#state.revision)
    return this.#state.get(key)
  }

  async range(prefix: string, options?: RangeOptions): Promise<Page> {
    return this.#state.range(prefix, options)
  }

  async put(key: string, value: string, expect: Revision): Promise<KeyValue> {
    const change = this.#write({ key, value, expect })
    return change.type === 'put' ? change.kv : change.prev
  }

  async delete(key: string, expect: Revision): Promise<Revision> {
    return this.#write({ key, value: undefined, expect }).revision
  }

  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<StoreEvent> {
    return this.#state.watch(prefix, after, signal)
  }

  async compact(before: Revision): Promise<void> {
    this.#state.checkCompaction(before)
    this.#state.compactTo(before)
  }

  async close(): Promise<void> {
    if (this.#state.closed) return
    this.#state.close()
    await this.#compactor.close()
  }

  #write(write: Write): Change {
    this.#state.check(this.#state.revision)
    requireKey(write.key)
    const change = changeFor(write, this.#state.get(write.key), this.#state.revision + 1)
    this.#state.commit([change], change.revision)
    this.#compactor.noticed()
    return change
  }
}
