import nodeProcess from 'node:process'
import { ApiError, hasReason } from '../../src/api/status.ts'
import type { HttpClient } from '../../src/client/http-client.ts'
import type { Process } from '../../src/generated/types.ts'
import { run } from '../support/pmk.ts'
import { pause } from './keeper.ts'
import type { Deed } from './plan.ts'
import { MARK, Wanted } from './wanted.ts'

/** How long a write is tried again, counted in tries: the server is dead half of the time. */
const TRIES = 60
const TRY_AGAIN = 50

/** A write that was answered. */
export interface Acknowledged {
  readonly mark: string
  readonly key: string
  readonly revision: number
  /** All that was known of revisions when the request was sent for the first time and answered at once; absent: it was tried before. */
  readonly after?: number
}

export interface ActingOptions {
  readonly client: HttpClient
  readonly main: string
  readonly dataDir: string
  /** The newest revision that anybody knows. */
  readonly newest: () => number
  readonly acknowledge: (write: Acknowledged) => void
  readonly failed: (what: string) => void
  /** Until here the round goes on. */
  readonly over: () => boolean
}

/** Carries out the deeds of one Process, one after another, and keeps the books of what may have come of them. */
export class Acting {
  readonly #options: ActingOptions
  readonly name: string
  readonly wanted: Wanted = new Wanted()
  /** Deleted alone: its Instances run on until there is a Process of the name again. */
  orphaned = false
  /** Deeds that were done in this round, or may have been. */
  touched = 0
  signals = 0

  constructor(name: string, options: ActingOptions) {
    this.name = name
    this.#options = options
  }

  get #ref(): { readonly name: string; readonly namespace: string } {
    return { name: this.name, namespace: 'default' }
  }

  async do(deed: Deed, mark: string): Promise<void> {
    if (this.wanted.present !== true && !(await this.#settlePresence(deed.type === 'apply'))) return
    if (this.wanted.present === false && deed.type !== 'apply') return
    this.touched += 1
    const { client } = this.#options
    const marks = { metadata: { annotations: { [MARK]: mark } } }
    const patch = (fields: Record<string, unknown>): Promise<boolean> =>
      this.#write({ fields: { ...fields, description: mark, mark } }, mark, () =>
        client.for('Process').patch(this.#ref, { type: 'merge', value: { ...marks, spec: { ...fields, description: mark } } }),
      )
    switch (deed.type) {
      case 'apply': {
        const { args, replicas, desiredState, suspend } = deed.spec
        const value = {
          apiVersion: 'pmk.dev/v1',
          kind: 'Process',
          metadata: { ...this.#ref, ...marks.metadata },
          spec: { ...deed.spec, description: mark },
        }
        const fields = { args, replicas, desiredState, suspend, description: mark, mark }
        if (
          await this.#write({ present: true, fields }, mark, () =>
            client.for('Process').patch(this.#ref, { type: 'apply', value, force: true }),
          )
        )
          this.orphaned = false
        return
      }
      case 'patch': {
        const { args, ...rest } = deed.spec
        const fields = args === undefined ? {} : { args }
        await this.#write({ fields: { ...fields, description: mark, mark } }, mark, () =>
          client.for('Process').patch(this.#ref, { type: 'merge', value: { ...marks, spec: { ...rest, ...fields, description: mark } } }),
        )
        return
      }
      case 'scale':
        await this.#write({ fields: { replicas: deed.replicas } }, undefined, () =>
          client.for('Process').patch(this.#ref, { type: 'merge', value: { spec: { replicas: deed.replicas } } }, { subresource: 'scale' }),
        )
        return
      case 'start':
        await patch({ desiredState: 'Running' })
        return
      case 'stop':
        await patch({ desiredState: 'Stopped' })
        return
      case 'suspend':
        await patch({ suspend: true })
        return
      case 'resume':
        await patch({ suspend: false })
        return
      case 'restart':
        await patch({ restartedAt: new Date().toISOString() })
        return
      case 'restartNow':
        await this.#restartNow()
        return
      case 'delete':
      case 'orphan':
        if (deed.type === 'orphan') this.orphaned = true
        await this.#delete(deed.type === 'orphan' ? 'Orphan' : 'Background')
        return
      case 'signal':
      case 'reload':
      case 'action':
        await this.#request(deed.type)
        return
      case 'pause':
        await this.#pause(deed.ms)
        return
      case 'cli':
        await this.#cli(deed.verb)
        return
    }
  }

  /** Makes sure of whether it exists. False: the round was over before. */
  async #settlePresence(wantsAbsence: boolean): Promise<boolean> {
    while (!this.#options.over()) {
      try {
        const { metadata } = await this.#options.client.for('Process').get(this.#ref, { signal: AbortSignal.timeout(10_000) })
        if (metadata.deletionTimestamp === undefined) {
          this.wanted.found(true)
          return true
        }
        // What is on its way out keeps nothing of what is written now.
        if (!wantsAbsence) return false
      } catch (err) {
        if (hasReason(err, 'NotFound')) {
          this.wanted.found(false)
          return true
        }
      }
      await pause(TRY_AGAIN)
    }
    return false
  }

  /** True once it was acknowledged. */
  async #write(
    change: { readonly present?: boolean; readonly fields: Readonly<Record<string, unknown>> },
    mark: string | undefined,
    send: () => Promise<Process>,
  ): Promise<boolean> {
    const { newest, acknowledge, over, failed } = this.#options
    this.wanted.sending(change)
    for (let tries = 0; tries < TRIES && !(tries > 0 && over()); tries++) {
      const after = newest()
      try {
        const { metadata, spec } = await send()
        this.wanted.acknowledged(change)
        for (const [field, value] of Object.entries(change.fields)) {
          const stored = field === 'mark' ? metadata.annotations?.[MARK] : spec[field as keyof Process['spec']]
          if (JSON.stringify(stored) !== JSON.stringify(value))
            failed(`${this.name}: the answer to ${mark} has ${field} ${JSON.stringify(stored)} instead of ${JSON.stringify(value)}`)
        }
        if (mark !== undefined) {
          const write = { mark, key: `default/${this.name}`, revision: Number(metadata.resourceVersion) }
          acknowledge(tries === 0 ? { ...write, after } : write)
        }
        return true
      } catch (err) {
        const why = refusalOf(err)
        if (why !== undefined) {
          failed(`${this.name}: the write ${mark ?? 'of a scale'} was refused: ${why}`)
          return false
        }
      }
      await pause(TRY_AGAIN)
    }
    return false
  }

  async #delete(propagation: 'Background' | 'Orphan'): Promise<void> {
    const { client, over, failed } = this.#options
    this.wanted.sending({ present: false })
    for (let tries = 0; tries < TRIES && !(tries > 0 && over()); tries++) {
      try {
        await client.for('Process').delete(this.#ref, { propagation })
        this.wanted.leaving()
        return
      } catch (err) {
        if (hasReason(err, 'NotFound')) {
          this.wanted.found(false)
          return
        }
        const why = refusalOf(err)
        if (why !== undefined) failed(`${this.name}: the deletion was refused: ${why}`)
      }
      await pause(TRY_AGAIN)
    }
  }

  /** `pmk restart --now`: a time on each Instance. */
  async #restartNow(): Promise<void> {
    const { client } = this.#options
    const value = { spec: { restartedAt: new Date().toISOString() } }
    try {
      const { items } = await client.for('Instance').list({ namespace: 'default', labelSelector: `pmk.dev/process=${this.name}` })
      for (const { metadata } of items) {
        await client.for('Instance').patch({ namespace: 'default', name: metadata.name }, { type: 'merge', value })
      }
    } catch (err) {
      // Instances come and go; a half done restart is one that some didn't get.
      const why = hasReason(err, 'NotFound') ? undefined : refusalOf(err)
      if (why !== undefined) this.#options.failed(`${this.name}: restart --now was refused: ${why}`)
    }
  }

  async #request(type: 'signal' | 'reload' | 'action'): Promise<void> {
    const body = type === 'signal' ? { signal: 'USR1' } : type === 'action' ? { action: 'ping' } : {}
    const path = `/apis/pmk.dev/v1/namespaces/default/processes/${this.name}/${type}`
    try {
      const answer = await this.#options.client.request({
        method: 'POST',
        path,
        ...jsonBody(body),
        signal: AbortSignal.timeout(15_000),
      })
      await answer.text()
      this.signals += 1
    } catch (err) {
      if (err instanceof ApiError && err.status.code >= 500 && err.status.code !== 503)
        this.#options.failed(`${this.name}: ${type}: ${err.message}`)
    }
  }

  /** What is frozen still when the round is over is let go on then. */
  async #pause(ms: number): Promise<void> {
    const { client, over, failed } = this.#options
    const path = `/apis/pmk.dev/v1/namespaces/default/processes/${this.name}/pause`
    for (const paused of [true, false]) {
      for (let tries = 0; tries < TRIES && !over(); tries++) {
        try {
          await (await client.request({ method: 'POST', path, ...jsonBody({ paused }), signal: AbortSignal.timeout(15_000) })).text()
          break
        } catch (err) {
          const code = err instanceof ApiError ? err.status.code : 0
          if (code === 500) failed(`${this.name}: pause ${paused}: ${(err as Error).message}`)
          if (code >= 400 && code < 500) break
        }
        await pause(TRY_AGAIN)
      }
      if (paused) await pause(ms)
    }
  }

  async #cli(verb: 'stop' | 'start' | 'restart'): Promise<void> {
    // A restart starts what is stopped.
    const fields = { desiredState: verb === 'stop' ? 'Stopped' : 'Running' }
    this.wanted.sending({ fields })
    this.wanted.forget('restartedAt')
    const { code } = await run([nodeProcess.execPath, this.#options.main, verb, this.name, '--wait=false'], {
      PMK_HOME: this.#options.dataDir,
    })
    if (code === 0) this.wanted.acknowledged({ fields })
  }
}

function jsonBody(body: object): { readonly headers: Readonly<Record<string, string>>; readonly body: string } {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

/** What an answer says that tells that the write is wrong; undefined: there was no answer, or no server that could do it now. */
function refusalOf(err: unknown): string | undefined {
  if (!(err instanceof ApiError)) return undefined
  const { code, message } = err.status
  return [429, 503, 504, 507].includes(code) ? undefined : `${code} ${message}`
}
