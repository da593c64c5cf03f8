import type { ObjectKey } from '../api/object.ts'
import type { Clock } from '../base/clock.ts'
import type { ManifestSource } from '../generated/types.ts'
import type { ManifestOrigin } from './snapshot.ts'
import { TrackedSource } from './tracked-source.ts'

export interface TrackedSourcesOptions {
  readonly clock: Clock
  readonly originOf: (source: ManifestSource) => ManifestOrigin
  /** Asks for another look at a source. */
  readonly onHint: (key: ObjectKey) => void
}

/** What is remembered of all sources. */
export class TrackedSources {
  readonly #options: TrackedSourcesOptions
  readonly #tracked = new Map<ObjectKey, TrackedSource>()

  constructor(options: TrackedSourcesOptions) {
    this.#options = options
  }

  find(key: ObjectKey): TrackedSource | undefined {
    return this.#tracked.get(key)
  }

  /** What is known of a source; nothing at first, and once it points at other manifests. */
  async get(key: ObjectKey, source: ManifestSource): Promise<TrackedSource> {
    const { clock, originOf, onHint } = this.#options
    const { spec, metadata } = source
    const origin = JSON.stringify([metadata.uid, spec.path, spec.git])
    const known = this.#tracked.get(key)
    if (known?.key === origin) return known
    await this.forget(key)
    const tracked = new TrackedSource({ clock, origin: originOf(source), key: origin, onHint: () => onHint(key) })
    this.#tracked.set(key, tracked)
    return tracked
  }

  /** Sources that name an object which another one keeps; without `id` those with any such object. */
  contenders(id?: string): readonly ObjectKey[] {
    return [...this.#tracked].flatMap(([key, { contested }]) => ((id === undefined ? contested.size > 0 : contested.has(id)) ? [key] : []))
  }

  /** Watches it no longer. What lies on disk stays. */
  end(key: ObjectKey): void {
    this.#tracked.get(key)?.end()
    this.#tracked.delete(key)
  }

  endAll(): void {
    for (const key of [...this.#tracked.keys()]) this.end(key)
  }

  /** The same, and what lies on disk is given back. */
  async forget(key: ObjectKey): Promise<void> {
    const origin = this.#tracked.get(key)?.origin
    this.end(key)
    await origin?.discard()
  }

  /** The same, also for a source that was not looked at since the start of the server. */
  async discard(key: ObjectKey, source: ManifestSource): Promise<void> {
    if (this.#tracked.has(key)) await this.forget(key)
    else await this.#options.originOf(source).discard()
  }
}
