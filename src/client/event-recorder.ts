import { createHash } from 'node:crypto'
import type { ApiObject } from '../api/object.ts'
import { hasReason } from '../api/status.ts'
import { isAbort } from '../base/abort.ts'
import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Client } from './client.ts'

export interface EventText {
  readonly type: 'Normal' | 'Warning'
  /** A CamelCase word for programs. */
  readonly reason: string
  /** A sentence for people. */
  readonly message: string
}

/** Takes what there is to tell about objects. Never throws and never waits. */
export interface EventSink {
  record(object: ApiObject, event: EventText): void
}

export interface EventRecorderOptions {
  readonly client: Client
  readonly clock: Clock
  readonly log: Logger
  /** Who says so: `pmk-agent`. */
  readonly component: string
  /** Name of the host, where that matters. */
  readonly host?: string
}

/** Events that wait for the writer; more come only when nobody writes, and are dropped. */
const MAX_PENDING = 1_000
/** Of one object: so many at once, then one each so often. A crash loop must not fill the store. */
const BURST = 25
const REFILL: Millis = 30_000
/** Objects whose buckets are remembered. A forgotten one is full again. */
const MAX_BUCKETS = 4_096

/**
 * Records Events. The same thing said of the same object again is the same Event with a higher count, also after a restart:
 * its name is derived from what it says. Few at a time: what comes too fast for an object is counted with its next Event of the kind.
 */
export class EventRecorder implements EventSink {
  readonly #options: EventRecorderOptions
  readonly #pending = new Map<string, Pending>()
  readonly #buckets = new Map<string, { tokens: number; filledAt: Millis }>()
  #dropped = 0
  #wake: () => void = () => {}

  constructor(options: EventRecorderOptions) {
    this.#options = options
  }

  /** How many Events were given up: too many at once, or refused by the server. */
  get dropped(): number {
    return this.#dropped
  }

  record(object: ApiObject, event: EventText): void {
    const now = this.#options.clock.now()
    const name = eventName(object, event, this.#options.component)
    const key = `${object.metadata.namespace ?? ''}/${name}`
    const known = this.#pending.get(key)
    if (known !== undefined) {
      this.#pending.set(key, { ...known, count: known.count + 1, last: now })
      return
    }
    if (!this.#takeToken(object.metadata.uid) || this.#pending.size >= MAX_PENDING) {
      this.#dropped += 1
      return
    }
    this.#pending.set(key, { name, object, event, count: 1, first: now, last: now })
    this.#wake()
  }

  /** The one writer. Ends with the signal, once the write under way has; what still waits is dropped. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#wake()
    signal.addEventListener('abort', stop)
    try {
      while (!signal.aborted) {
        const [next] = this.#pending
        if (next === undefined) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
          continue
        }
        this.#pending.delete(next[0])
        await this.#write(next[1], signal)
      }
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  async #write(pending: Pending, signal: AbortSignal): Promise<void> {
    try {
      await this.#createOrCount(pending, signal)
    } catch (err) {
      if (isAbort(err, signal)) return
      // Events are a courtesy: a namespace that is going, or a server that is away, takes them with it.
      this.#dropped += 1
      const { kind, metadata } = pending.object
      this.#options.log.debug({ kind, object: metadata.name, reason: pending.event.reason, err }, 'Event could not be written')
    }
  }

  async #createOrCount(pending: Pending, signal: AbortSignal): Promise<void> {
    const { object, name, event, first, last, count } = pending
    const { apiVersion, kind, metadata } = object
    const { component, host, client } = this.#options
    const events = client.for('Event')
    const namespace = metadata.namespace ?? 'default'
    try {
      await events.create(
        {
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { name, namespace },
          involvedObject: {
            apiVersion,
            kind,
            name: metadata.name,
            ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
            uid: metadata.uid,
            resourceVersion: metadata.resourceVersion,
          },
          type: event.type,
          reason: event.reason,
          message: event.message.slice(0, MAX_MESSAGE),
          count,
          firstTimestamp: first,
          lastTimestamp: last,
          source: { component, ...(host === undefined ? {} : { host }) },
          reportingComponent: component,
          ...(host === undefined ? {} : { reportingInstance: host }),
        },
        { signal },
      )
    } catch (err) {
      if (!hasReason(err, 'AlreadyExists')) throw err
      const present = await events.get({ name, namespace }, { signal })
      const value = { count: (present.count ?? 1) + count, lastTimestamp: last }
      await events.patch({ name, namespace }, { type: 'merge', value }, { signal })
    }
  }

  #takeToken(uid: string): boolean {
    const now = this.#options.clock.monotonic()
    const bucket = this.#buckets.get(uid) ?? { tokens: BURST, filledAt: now }
    const refilled = Math.floor((now - bucket.filledAt) / REFILL)
    const tokens = Math.min(BURST, bucket.tokens + refilled)
    // Deleted and set again: the map keeps the order of use, so that the one unused longest is forgotten first.
    this.#buckets.delete(uid)
    this.#buckets.set(uid, { tokens: Math.max(0, tokens - 1), filledAt: bucket.filledAt + refilled * REFILL })
    if (this.#buckets.size > MAX_BUCKETS) {
      const [oldest] = this.#buckets.keys()
      if (oldest !== undefined) this.#buckets.delete(oldest)
    }
    return tokens > 0
  }
}

interface Pending {
  readonly name: string
  readonly object: ApiObject
  readonly event: EventText
  readonly count: number
  readonly first: string
  readonly last: string
}

/** What the schema of Event allows. */
const MAX_MESSAGE = 1_024
const MAX_NAME = 253

function eventName(object: ApiObject, { type, reason, message }: EventText, component: string): string {
  const said = JSON.stringify([object.kind, object.metadata.uid, component, type, reason, message])
  const suffix = `.${createHash('sha256').update(said).digest('hex').slice(0, 16)}`
  return `${object.metadata.name.slice(0, MAX_NAME - suffix.length).replace(/[^a-z0-9]+$/, '')}${suffix}`
}
