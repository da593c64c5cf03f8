import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import { ApiError, hasReason, type Status } from '../api/status.ts'
import type { WatchEvent } from '../api/watch-event.ts'
import { isAbort } from '../base/abort.ts'
import type { Clock, Millis } from '../base/clock.ts'
import type { Registry, WatchQuery } from '../registry/registry.ts'
import { prime } from './prime.ts'
import { JSON_TYPE, type StreamAnswer } from './route.ts'

/** Without a timeout of its own a watch ends after this much and up to once again as much, so that not all end at once. */
const DEFAULT_TIMEOUT: Millis = 30 * 60_000

/** How long the registry may wait for a resourceVersion that is yet to come, and a little more. */
const FUTURE_PATIENCE: Millis = 3_500

export interface WatchOptions {
  readonly registry: Registry
  readonly definition: ResourceDefinition
  readonly query: WatchQuery
  readonly timeoutSeconds: number | undefined
  /** JSON of an object in an event; `first` for the first event of the stream. */
  readonly render: (object: ApiObject, first: boolean) => string
  readonly clock: Clock
  readonly random: () => number
  readonly signal: AbortSignal
}

/** Bookmarks come from the registry about once a second while anything changes; so many would only cost. */
const BOOKMARK_INTERVAL: Millis = 60_000

/** One line of JSON an event. Throws what is wrong with the query; history that is gone is an event of the stream. */
export async function watchAnswer(options: WatchOptions): Promise<StreamAnswer> {
  const { registry, definition, query, clock, signal } = options
  const end = new AbortController()
  const events = registry.watch(definition, query, AbortSignal.any([signal, end.signal]))
  const isFuture = Number(query.resourceVersion ?? 0) > Number(registry.resourceVersion())
  // Errors that history brings come as events, so they must not be thrown by what waits for the first event.
  const primed = await prime(tolerant(events), clock, isFuture ? FUTURE_PATIENCE : 0, signal)
  return { contentType: JSON_TYPE, chunks: lines(options, primed, end) }
}

type Outcome = WatchEvent<ApiObject> | { readonly type: 'ERROR'; readonly status: Status }

/** Gives the end of history as a last event; every other failure before the first event is thrown. */
async function* tolerant(events: AsyncIterable<WatchEvent<ApiObject>>): AsyncGenerator<Outcome> {
  let begun = false
  try {
    for await (const event of events) {
      begun = true
      yield event
    }
  } catch (err) {
    if (!(err instanceof ApiError) || (!begun && !hasReason(err, 'Expired'))) throw err
    yield { type: 'ERROR', status: err.status }
  }
}

async function* lines(options: WatchOptions, events: AsyncIterable<Outcome>, end: AbortController): AsyncGenerator<string> {
  const { definition, render, clock, random, timeoutSeconds, signal } = options
  const timeout = timeoutSeconds === undefined ? DEFAULT_TIMEOUT * (1 + random()) : timeoutSeconds * 1_000
  const cancel = clock.schedule(timeout, () => end.abort())
  let first = true
  let nextBookmarkAt = 0
  /** Newer than what the client knows, and not sent because another one was, a moment ago. */
  let heldBack: string | undefined
  try {
    for await (const event of events) {
      switch (event.type) {
        case 'ADDED':
        case 'MODIFIED':
        case 'DELETED':
          yield `{"type":"${event.type}","object":${render(event.object, first)}}\n`
          first = false
          heldBack = undefined
          break
        case 'BOOKMARK':
          if (event.initialEventsEnd || clock.monotonic() >= nextBookmarkAt) {
            yield bookmark(definition, event.resourceVersion, event.initialEventsEnd ?? false)
            // The one that ends the initial events says nothing of how long the watch has been quiet.
            if (!event.initialEventsEnd) nextBookmarkAt = clock.monotonic() + BOOKMARK_INTERVAL
            heldBack = undefined
          } else {
            heldBack = event.resourceVersion
          }
          break
        case 'ERROR':
          yield errorLine(event.status)
          return
      }
    }
    if (heldBack !== undefined) yield bookmark(definition, heldBack, false)
  } catch (err) {
    if (err instanceof ApiError) yield errorLine(err.status)
    else if (!isAbort(err, signal) && !isAbort(err, end.signal)) throw err
  } finally {
    cancel()
    end.abort()
  }
}

function errorLine(status: Status): string {
  return `{"type":"ERROR","object":${JSON.stringify(status)}}\n`
}

function bookmark({ kind, apiVersion }: ResourceDefinition, resourceVersion: string, initialEventsEnd: boolean): string {
  const annotations = initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}
  const object = { kind, apiVersion, metadata: { resourceVersion, creationTimestamp: null, ...annotations } }
  return `{"type":"BOOKMARK","object":${JSON.stringify(object)}}\n`
}
