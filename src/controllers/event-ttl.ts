import { lastSeen } from '../api/event-times.ts'
import { type ObjectKey, objectKey } from '../api/object.ts'
import { hasReason } from '../api/status.ts'
import { type Clock, epochOf, type Millis, type Timestamp } from '../base/clock.ts'
import { inParallel } from '../base/in-parallel.ts'
import type { Client } from '../client/client.ts'
import type { Event } from '../generated/types.ts'
import type { Lister } from '../informer/informer.ts'
import type { ReconcileContext, Reconciler, Result } from '../reconcile/reconciler.ts'

/** As in Kubernetes. */
export const EVENT_LIFETIME: Millis = 3_600_000
/** More than that, and the oldest go early. */
export const MAX_EVENTS = 10_000

const SWEEP_EVERY: Millis = 60_000
const DELETES = 32

/** There is one thing to look after: all Events. */
export const ALL_EVENTS: ObjectKey = objectKey(undefined, 'events')

/** Which Events have to go. Pure. */
export function expiredEvents(events: readonly Event[], now: Timestamp, limit: number = MAX_EVENTS): readonly Event[] {
  const oldest = epochOf(now) - EVENT_LIFETIME
  const aged = events.map((event) => ({ event, at: epochOf(lastSeen(event)) })).sort((a, b) => a.at - b.at)
  const surplus = Math.max(0, aged.length - limit)
  return aged.filter(({ at }, index) => at < oldest || index < surplus).map(({ event }) => event)
}

/** Deletes Events an hour after they were last seen, and the oldest when there are too many. */
export class EventTtlReconciler implements Reconciler {
  readonly #options: { readonly client: Client; readonly events: Lister<Event>; readonly clock: Clock }

  constructor(options: { readonly client: Client; readonly events: Lister<Event>; readonly clock: Clock }) {
    this.#options = options
  }

  async reconcile(_key: ObjectKey, { signal }: ReconcileContext): Promise<Result> {
    const { client, events, clock } = this.#options
    await inParallel(expiredEvents(events.list(), clock.now()), DELETES, async ({ metadata }) => {
      try {
        await client.for('Event').delete(metadata, { uid: metadata.uid, resourceVersion: metadata.resourceVersion, signal })
      } catch (err) {
        // Gone already, or seen again just now: then it isn't old.
        if (!hasReason(err, 'NotFound') && !hasReason(err, 'Conflict')) throw err
      }
    })
    return { requeueAfter: SWEEP_EVERY }
  }
}
