import { ApiError } from '../../src/api/status.ts'
import type { HttpClient } from '../../src/client/http-client.ts'
import type { ConfigMap } from '../../src/generated/types.ts'
import type { Acknowledged } from './acting.ts'
import { pause } from './keeper.ts'
import { MARK } from './wanted.ts'

const WRITERS = 3
/** What is held up so long without an answer is a hang. */
const PATIENCE = 20_000
let next = 0

export interface FloodOptions {
  readonly newest: () => number
  readonly acknowledge: (write: Acknowledged) => void
  readonly over: () => boolean
  readonly failed: (what: string) => void
}

/** Writers that each write one ConfigMap again and again, so that kills meet writes. */
export class Flood {
  readonly #client: HttpClient
  readonly #every: number
  readonly #options: FloodOptions
  readonly #writers: Promise<unknown>

  constructor(client: HttpClient, every: number, options: FloodOptions) {
    this.#client = client
    this.#every = every
    this.#options = options
    this.#writers = Promise.all(Array.from({ length: WRITERS }, (_, index) => this.#write(`flood-${index}`)))
  }

  async done(): Promise<void> {
    await this.#writers
  }

  async #write(name: string): Promise<void> {
    const { newest, acknowledge, over, failed } = this.#options
    while (!over()) {
      next += 1
      const mark = `${name}.${next}`
      const value = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, namespace: 'default', annotations: { [MARK]: mark } },
        data: { mark, text: `${mark} `.repeat(next % 200) },
      }
      const after = newest()
      try {
        const patch = { type: 'apply', value, force: true } as const
        const { metadata } = await this.#client
          .for('ConfigMap')
          .patch({ name, namespace: 'default' }, patch, { signal: AbortSignal.timeout(PATIENCE) })
        acknowledge({ mark, key: `default/${name}`, revision: Number(metadata.resourceVersion), after })
      } catch (err) {
        if (err instanceof DOMException && err.name === 'TimeoutError') failed(`a write of ${name} had no answer in ${PATIENCE} ms`)
        else if (err instanceof ApiError && err.status.code !== 503 && err.status.code !== 507) failed(`a write of ${name}: ${err.message}`)
        await pause(20)
      }
      await pause(this.#every)
    }
  }

  /** A ConfigMap as it went by a watch. */
  static inspect({ metadata, data }: ConfigMap, failed: (what: string) => void): void {
    const mark = metadata.annotations?.[MARK]
    if (mark !== undefined && (data?.mark !== mark || (data.text !== '' && !data.text?.startsWith(`${mark} `))))
      failed(`a write was torn: ${mark} in ${metadata.name}`)
  }
}
