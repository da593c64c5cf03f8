import type { ApiObject, Kind } from '../../src/api/object.ts'
import { hasReason } from '../../src/api/status.ts'
import type { HttpClient } from '../../src/client/http-client.ts'
import { describe, type Happening, type History, happening } from './history.ts'
import { pause } from './keeper.ts'

/** So much of a history is kept at least, by the promise of the store. */
const KEPT_CHANGES = 10_000
const KEPT_TIME = 5 * 60_000

export interface Visit {
  readonly kind: Kind
  /** A revision to resume from; absent: the present state first. */
  readonly from?: number
  /** When that revision was the newest one, on the clock of performance.now. */
  readonly seenAt?: number
  readonly slow: boolean
}

/** One watcher that comes in the middle: what it was told is compared with the history once both have come as far. */
export class Visitor {
  readonly #visit: Visit
  readonly #client: HttpClient
  readonly #signal: AbortSignal
  readonly #events: Happening[] = []
  #initial: Map<string, number> | undefined
  #begin: number | undefined
  #position: number
  #expired = false
  #ended: Promise<void>

  constructor(client: HttpClient, visit: Visit, signal: AbortSignal) {
    this.#client = client
    this.#visit = visit
    this.#signal = signal
    this.#begin = visit.from
    this.#position = visit.from ?? 0
    this.#ended = this.#watch()
  }

  async #watch(): Promise<void> {
    const { kind, slow } = this.#visit
    while (!this.#signal.aborted && !this.#expired) {
      try {
        const begin = this.#begin
        if (begin === undefined) this.#initial = new Map()
        const place = begin === undefined ? {} : { resourceVersion: String(this.#position) }
        for await (const event of this.#client.for(kind).watch({ ...place, signal: this.#signal })) {
          if (event.type === 'BOOKMARK') {
            this.#position = Number(event.resourceVersion)
            if (event.initialEventsEnd === true) this.#begin = this.#position
            continue
          }
          const object: ApiObject = event.object
          const told = happening(kind, event.type, object)
          if (this.#begin === undefined) this.#initial?.set(told.key, told.revision)
          else {
            this.#events.push(told)
            this.#position = told.revision
          }
          if (slow) await pause(20)
        }
      } catch (err) {
        if (hasReason(err, 'Expired')) this.#expired = true
      }
      await pause(50)
    }
  }

  get kind(): Kind {
    return this.#visit.kind
  }

  toString(): string {
    return `a visitor of ${this.#visit.kind} from ${this.#visit.from ?? 'the present state'}`
  }

  /** Whether it has seen this revision, or ended. */
  hasReached(history: History, revision: number): boolean {
    if (this.#expired) return true
    const last = history.between(this.#visit.kind, this.#begin ?? 0, revision).at(-1)
    return this.#begin !== undefined && (last === undefined || this.#position >= last.revision)
  }

  /** After the signal: what was wrong, up to a revision that it has reached. `before`: the objects with which the history began. */
  async verdict(history: History, revision: number, before: ReadonlyMap<string, number>): Promise<string | undefined> {
    await this.#ended
    const { kind, seenAt } = this.#visit
    const who = String(this)
    if (this.#expired) {
      const old = history.newest - this.#position >= KEPT_CHANGES && performance.now() - (seenAt ?? 0) >= KEPT_TIME
      return old ? undefined : `${who} was told at ${this.#position} that its revision is too old, at ${history.newest}`
    }
    const begin = this.#begin
    if (begin === undefined) return `${who} was never told the end of the present state`
    if (this.#initial !== undefined) {
      const wanted = history.stateAt(kind, begin, before)
      for (const [key, at] of this.#initial)
        if (wanted.get(key) !== at) return `${who}: ${key} is at ${at}, in the history at ${wanted.get(key)}`
      for (const [key, at] of wanted) if (!this.#initial.has(key)) return `${who}: ${key} at ${at} is missing`
    }
    const wanted = history.between(kind, begin, revision)
    const seen = this.#events.filter((event) => event.revision <= revision)
    for (const [index, event] of seen.entries()) {
      const other = wanted[index]
      if (other === undefined || describe(other) !== describe(event))
        return `${who}: ${describe(event)} instead of ${other === undefined ? 'nothing' : describe(other)}`
    }
    const missing = wanted[seen.length]
    return missing === undefined ? undefined : `${who} lacks ${describe(missing)}`
  }
}
