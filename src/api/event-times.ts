import type { Timestamp } from '../base/clock.ts'
import type { Event } from '../generated/types.ts'

/** When what an Event tells happened last: newer clients say it in other fields than older ones. */
export function lastSeen({ series, lastTimestamp, eventTime, metadata }: Event): Timestamp {
  return series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp
}

/** How often it happened so far. */
export function occurrences({ series, count = 1 }: Event): number {
  return series?.count ?? count
}
