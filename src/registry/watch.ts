import { forbiddenField, invalidField } from '../api/field-errors.ts'
import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import type { Cause } from '../api/status.ts'
import { apiError } from '../api/status.ts'
import type { WatchEvent } from '../api/watch-event.ts'
import type { Clock } from '../base/clock.ts'
import type { Store, StoreEvent } from '../storage/store.ts'
import { isStoreError } from '../storage/store-error.ts'
import type { Codec } from './codec.ts'
import { expired, fromStore } from './errors.ts'
import type { FixedObjects } from './fixed-objects.ts'
import { prefixFor } from './keys.ts'
import { parseResourceVersion, refuseOptions, waitForRevision } from './query.ts'
import type { WatchQuery } from './registry.ts'
import { type Matches, selectionOf } from './selection.ts'

export interface WatchSources {
  readonly store: Store
  readonly codec: Codec
  readonly clock: Clock
  /** What there is of the kind beside what is stored. */
  readonly fixed: () => Promise<FixedObjects> | undefined
}

type Event = WatchEvent<ApiObject>

/**
 * The present state if it is asked for, then every change, each once and in order. A consumer that falls behind is given
 * what it missed from the history, in its own time; it is told Expired when that is gone. Where the query
 * allows it, a BOOKMARK comes as soon as a watch that was resumed has caught up, and about once a second while other objects change.
 */
export async function* watch(
  { store, codec, clock, fixed: fixedObjects }: WatchSources,
  definition: ResourceDefinition,
  query: WatchQuery,
  signal: AbortSignal,
): AsyncGenerator<Event, void, undefined> {
  const matches = selectionOf(definition, query) ?? everything
  const asked = parseResourceVersion(query.resourceVersion)
  refuseOptions(contradictionsOf(query))
  const prefix = prefixFor(definition, query.namespace)
  const bookmarks = query.allowWatchBookmarks === true
  try {
    if (asked !== undefined) await waitForRevision(store, clock, asked, signal)
    if (signal.aborted) return
    let position = asked ?? 0
    let marked = 0
    const fixed = await fixedObjects()
    if (query.sendInitialEvents ?? (asked ?? 0) === 0) {
      for (const object of fixed?.objects ?? []) if (matches(object)) yield { type: 'ADDED', object }
      const page = await store.range(prefix)
      for (const kv of page.items) {
        // One by one, so that nobody waits for thousands; what may have changed since is the past, which the codec keeps for a while only.
        const object = store.revision() === page.revision ? codec.decode(definition, kv) : codec.decodePast(definition, kv)
        if (!matches(object)) continue
        yield { type: 'ADDED', object }
        if (signal.aborted) return
      }
      position = page.revision
      marked = position
      if (bookmarks) yield { type: 'BOOKMARK', resourceVersion: String(position), initialEventsEnd: true }
    } else if (position === 0) {
      position = store.revision()
    } else if (fixed !== undefined && position < fixed.since) {
      throw expired('The server was started anew since this resourceVersion, perhaps in another version. List again.')
    }
    for (;;) {
      try {
        for await (const change of store.watch(prefix, position, signal)) {
          position = change.revision
          if (change.type === 'progress') {
            if (bookmarks && position > marked) yield { type: 'BOOKMARK', resourceVersion: String(position) }
            marked = position
            continue
          }
          const event = eventOf(codec, definition, matches, change)
          if (event !== undefined) yield event
          if (signal.aborted) return
        }
        break
      } catch (err) {
        // Too slow for the live stream, which bounds what is held for it. The history still has what comes next.
        if (!isStoreError(err, 'Slow')) throw err
      }
    }
  } catch (err) {
    throw fromStore(err)
  }
  if (!signal.aborted) throw apiError('ServiceUnavailable', 'the server is stopping', { retryAfterSeconds: 1 })
}

/** What a change means to a watcher that sees only what its selectors match. */
function eventOf(codec: Codec, definition: ResourceDefinition, matches: Matches, change: StoreChange): Event | undefined {
  const { prev, revision } = change
  // Who sees everything needn't know what was there before.
  const didMatch = prev !== undefined && (matches === everything || matches(codec.decodePast(definition, prev)))
  if (change.type === 'put') {
    const object = codec.decodePast(definition, change.kv)
    if (matches(object)) return { type: didMatch ? 'MODIFIED' : 'ADDED', object }
  }
  if (!didMatch) return undefined
  return { type: 'DELETED', object: codec.decodeDeleted(definition, prev, revision) }
}

type StoreChange = Exclude<StoreEvent, { readonly type: 'progress' }>

const everything: Matches = () => true

function contradictionsOf({ sendInitialEvents, resourceVersionMatch }: WatchQuery): readonly Cause[] {
  const field = 'resourceVersionMatch'
  if (sendInitialEvents === undefined) {
    return resourceVersionMatch
      ? [forbiddenField(field, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided')]
      : []
  }
  if (resourceVersionMatch === 'NotOlderThan') return []
  if (resourceVersionMatch) return [invalidField(field, resourceVersionMatch, 'must be NotOlderThan when sendInitialEvents is provided')]
  return sendInitialEvents ? [forbiddenField(field, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan')] : []
}
