import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import { ApiError, hasReason, type Status } from '../api/status.ts'
import type { WatchEvent } from '../api/watch-event.ts'
import { isAbort } from '../base/abort.ts'
import type { Clock, Millis } from '../base/clock.ts'
import type { Registry, WatchQuery } from '../registry/registry.ts'
import { BookmarkBell } from './bookmark-bell.ts'
import { begun } from './prime.ts'
import type { RenderEvent } from './render.ts'
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
  /** The line of an event; `first` for the first one of the stream. */
  readonly render: RenderEvent
  readonly clock: Clock
  readonly random: () => number
  readonly signal: AbortSignal
}

/** One line of JSON an event. Throws what is wrong with the query; history that is gone is an event of the stream. */
export async function watchAnswer(options: WatchOptions): Promise<StreamAnswer> {
  const { registry, definition, query, clock, signal } = options
  const end = new AbortController()
  const events = registry.watch(definition, query, AbortSignal.any([signal, end.signal]))[Symbol.asyncIterator]()
  const isFuture = Number(query.resourceVersion ?? 0) > Number(registry.resourceVersion())
  const first = events.next()
  try {
    await begun(first, clock, isFuture ? FUTURE_PATIENCE : 0, signal)
  } catch (err) {
    // That history is gone comes as an event.
    if (!hasReason(err, 'Expired')) throw err
  }
  return { contentType: JSON_TYPE, chunks: lines(options, events, first, end), messages: true }
}

type Event = WatchEvent<ApiObject>

async function* lines(
  options: WatchOptions,
  events: AsyncIterator<Event>,
  first: Promise<IteratorResult<Event>>,
  end: AbortController,
): AsyncGenerator<string | Uint8Array> {
  const { definition, query, render, clock, random, timeoutSeconds, signal } = options
  const timeout = timeoutSeconds === undefined ? DEFAULT_TIMEOUT * (1 + random()) : timeoutSeconds * 1_000
  const cancel = clock.schedule(timeout, () => end.abort())
  const bell = query.allowWatchBookmarks === true ? new BookmarkBell(clock, random, timeout) : undefined
  let isFirst = true
  /** From where a client that was told everything so far can go on; undefined while it isn't told all of the beginning. */
  let position = Number(query.resourceVersion ?? 0) === 0 || query.sendInitialEvents === true ? undefined : query.resourceVersion
  let isMarked = false
  try {
    for (let pending = first; ; ) {
      const next = bell === undefined ? await pending : await bell.orNext(pending)
      if (next === undefined) {
        // Nothing new may have come: it is a sign of life, too.
        if (position !== undefined) {
          yield render('BOOKMARK', bookmark(definition, position, false), isFirst)
          isFirst = false
        }
        continue
      }
      if (next.done) break
      const event = next.value
      if (event.type !== 'BOOKMARK') {
        yield render(event.type, event.object, isFirst)
        isFirst = false
        if (position !== undefined) position = event.object.metadata.resourceVersion
      } else {
        position = event.resourceVersion
        const isEnd = event.initialEventsEnd ?? false
        // Of the registry's, which come every second, the first one is passed on: with a server that is restarted often, nobody would see a
        // later one, and who watches what seldom changes would one day ask for history that is gone.
        if (isEnd || !isMarked) {
          yield render('BOOKMARK', bookmark(definition, position, isEnd), isFirst)
          isFirst = false
        }
        isMarked = true
      }
      pending = events.next()
    }
  } catch (err) {
    if (err instanceof ApiError) yield errorLine(err.status)
    else if (!isAbort(err, signal) && !isAbort(err, end.signal)) throw err
  } finally {
    cancel()
    bell?.cancel()
    end.abort()
    // Whoever stops early lets the source clean up.
    await events.return?.()
  }
}

function errorLine(status: Status): string {
  return `{"type":"ERROR","object":${JSON.stringify(status)}}\n`
}

/** An object of the watched kind that has a version, and nothing else. */
function bookmark({ kind, apiVersion }: ResourceDefinition, resourceVersion: string, initialEventsEnd: boolean): ApiObject {
  const annotations = initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}
  return { kind, apiVersion, metadata: { resourceVersion, creationTimestamp: null, ...annotations } } as object as ApiObject
}
