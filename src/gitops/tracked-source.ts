import type { Clock, Millis } from '../base/clock.ts'
import { DocumentReader } from './documents.ts'
import type { Verified } from './pass.ts'
import type { Fetched, ManifestOrigin } from './snapshot.ts'

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
  readonly verified: Map<string, Verified> = new Map()
  /** Of the newest pass. */
  variablesDigest: string | undefined
  /** Since when health is waited for. */
  waitingSince: Millis | undefined
  readonly #options: TrackedSourceOptions
  readonly #stop = new AbortController()
  readonly #degraded: () => string | undefined
  #fetched: Fetched | undefined
  #fetchedAt: Millis = 0
  #isHinted = false
  #cancel: (() => void) | undefined

  constructor(options: TrackedSourceOptions) {
    this.#options = options
    this.origin = options.origin
    this.key = options.key
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
    this.#fetched = await this.origin.fetch(options.signal)
    this.#fetchedAt = clock.monotonic()
    return this.#fetched
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
