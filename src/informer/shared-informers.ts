import type { Kind } from '../api/object.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Client } from '../client/client.ts'
import type { KindMap } from '../generated/types.ts'
import { WatchInformer } from './informer.ts'

/** One informer for each kind that somebody asks for, however many ask. */
export class SharedInformers {
  readonly #options: { readonly client: Client; readonly clock: Clock; readonly log: Logger }
  readonly #informers = new Map<Kind, WatchInformer<KindMap[Kind]>>()
  #started = false

  constructor(options: { readonly client: Client; readonly clock: Clock; readonly log: Logger }) {
    this.#options = options
  }

  /** Ask for all of them before `run`. */
  for<K extends Kind>(kind: K): WatchInformer<KindMap[K]> {
    const known = this.#informers.get(kind)
    // The map holds under each kind an informer of that kind: the types can't say so.
    if (known !== undefined) return known as unknown as WatchInformer<KindMap[K]>
    if (this.#started) throw new Error(`the informer of ${kind} was asked for after the start`)
    const { client, clock, log } = this.#options
    const informer = new WatchInformer<KindMap[K]>({ name: kind, client: client.for(kind), clock, log })
    this.#informers.set(kind, informer as unknown as WatchInformer<KindMap[Kind]>)
    return informer
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#started = true
    await Promise.all([...this.#informers.values()].map((informer) => informer.run(signal)))
  }
}
