import { systemClock } from '../../src/base/clock.ts'
import { followLog } from '../../src/cli/log-follow.ts'
import type { HttpClient } from '../../src/client/http-client.ts'
import type { Instance } from '../../src/generated/types.ts'
import type { Ledger } from './ledger.ts'
import { LineReader } from './lines.ts'

/** Somebody who runs `pmk logs -f` on one Instance, by the command line's own code. */
export class Follower {
  readonly instance: Instance
  readonly #reader: LineReader
  readonly #ended: Promise<void>
  readonly #stop = new AbortController()
  #notes = 0
  over = false
  /** It has been at the end of the log once. */
  hasCaughtUp = false
  #taken = 0

  constructor(client: HttpClient, instance: Instance, ledger: Ledger, failed: (what: string) => void) {
    this.instance = instance
    this.#reader = new LineReader(ledger, instance.metadata.uid)
    this.#ended = this.#follow(client, failed)
  }

  /** How often it was told that lines were rotated away before they could be read, since it was asked last. */
  takeNotes(): number {
    const notes = this.#notes
    this.#notes = 0
    return notes
  }

  /** Bytes since it was asked last. */
  take(): number {
    const { bytes } = this.#reader
    const fresh = bytes - this.#taken
    this.#taken = bytes
    return fresh
  }

  get position(): LineReader['position'] {
    return this.#reader.position
  }

  async #follow(client: HttpClient, failed: (what: string) => void): Promise<void> {
    const { signal } = this.#stop
    const source = { client, clock: systemClock, instance: this.instance, parameters: {}, signal }
    const who = `a follower of ${this.instance.metadata.name}`
    try {
      const note = (): void => {
        // It begins with the run, whose first lines may be gone by the time it comes, and more of them on its way.
        if (this.hasCaughtUp) this.#notes += 1
        this.#reader.lost()
      }
      for await (const bytes of followLog(source, note)) for (const wrong of this.#reader.feed(bytes)) failed(`${who}: ${wrong}`)
    } catch (err) {
      if (!signal.aborted) failed(`${who} ended: ${(err as Error).stack}`)
    }
    this.over = true
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#ended
  }
}
