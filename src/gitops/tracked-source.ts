import type { Clock, Millis } from '../base/clock.ts'
import { type Desired, desiredOf } from './desired.ts'
import { DocumentReader, type Documents } from './documents.ts'
import type { SourceRef } from './ownership.ts'
import { Restores } from './restores.ts'
import type { Fetched, ManifestOrigin } from './snapshot.ts'
import { Verified } from './verified.ts'

/** File events come in bursts. */
const GATHER: Millis = 250

export interface TrackedSourceOptions {
  readonly clock: Clock
  readonly origin: ManifestOrigin
  /** Says where the manifests come from; another one needs another origin. */
  readonly key: string
  /** Something may have changed. */
  readonly onHint: () => void
}

/** What the server remembers of one source between two looks; all of it can be found out again. */
export class TrackedSource {
  readonly origin: ManifestOrigin
  readonly key: string
  readonly reader: DocumentReader = new DocumentReader()
  readonly verified: Verified = new Verified()
  readonly restores: Restores
  /** Objects that another source keeps: looked at again when they change hands. */
  contested: ReadonlySet<string> = new Set()
  /** Since when its Processes are not well; undefined: they are, or nobody waits for them. */
  unwellSince: Millis | undefined
  readonly #options: TrackedSourceOptions
  readonly #stop = new AbortController()
  readonly #degraded: () => string | undefined
  #desired: { readonly documents: Documents; readonly list: readonly Desired[] } | undefined
  #fetched: Fetched | undefined
  #fetchedAt: Millis = 0
  #isHinted = false
  #cancel: (() => void) | undefined

  constructor(options: TrackedSourceOptions) {
    this.#options = options
    this.origin = options.origin
    this.key = options.key
    this.restores = new Restores(options.clock)
    this.#degraded = this.origin.watch(() => this.#hint(), this.#stop.signal).degraded
  }

  /** Why changes are found by looking only, if so. */
  get degraded(): string | undefined {
    return this.#degraded()
  }

  /** How long what was fetched stays good. */
  freshFor(interval: Millis): Millis {
    const { clock } = this.#options
    return Math.max(0, this.#fetchedAt + interval - clock.monotonic())
  }

  /** What the source holds: as it was found last, unless there is a reason to look. */
  async fetch(options: { readonly interval: Millis; readonly now: boolean; readonly signal: AbortSignal }): Promise<Fetched> {
    const { clock } = this.#options
    const known = this.#fetched
    if (known?.type === 'snapshot' && !options.now && !this.#isHinted && this.freshFor(options.interval) > 0) return known
    this.#isHinted = false
    // Until it has ended well nothing is known, and it must be tried again.
    this.#fetched = undefined
    const fetched = await this.origin.fetch(options.signal)
    this.#fetched = fetched
    this.#fetchedAt = clock.monotonic()
    return fetched
  }

  /** The same list for the same documents. */
  desired(documents: Documents, source: SourceRef): readonly Desired[] {
    if (this.#desired?.documents !== documents) this.#desired = { documents, list: desiredOf(documents.placed, source) }
    return this.#desired.list
  }

  end(): void {
    this.#cancel?.()
    this.#stop.abort()
  }

  #hint(): void {
    this.#isHinted = true
    if (this.#cancel !== undefined || this.#stop.signal.aborted) return
    this.#cancel = this.#options.clock.schedule(GATHER, () => {
      this.#cancel = undefined
      this.#options.onHint()
    })
  }
}
