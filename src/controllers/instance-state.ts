import { findCondition } from '../api/conditions.ts'
import { epochOf, type Millis, type Timestamp } from '../base/clock.ts'
import type { Instance } from '../generated/types.ts'

/** A Ready condition from further ahead than any clock of another host comes from a time before this clock was put back. */
const CLOCK_SKEW: Millis = 60_000

export function isDeleting(object: { readonly metadata: { readonly deletionTimestamp?: string } }): boolean {
  return object.metadata.deletionTimestamp !== undefined
}

/** What its status says is about the program that its spec asks for, not about the one before a roll. */
export function isCurrent({ spec, status }: Instance): boolean {
  if (status?.revision !== spec.revision) return false
  return spec.rolloutRestartedAt === undefined || status.rolloutRestartedAt === spec.rolloutRestartedAt
}

export function isReady(instance: Instance): boolean {
  return !isDeleting(instance) && instance.status?.ready === true && isCurrent(instance)
}

/** Its program has come to a good end and is not started again. */
export function isFinished(instance: Instance): boolean {
  return !isDeleting(instance) && instance.status?.phase === 'Succeeded' && isCurrent(instance)
}

/** Its agent has seen the spec as it is. */
export function isObserved({ metadata, status }: Instance): boolean {
  return (status?.observedGeneration ?? 0) >= metadata.generation
}

/** How long until it is available: 0 when it is, undefined when it isn't ready. */
export function availableIn(instance: Instance, minReadySeconds: number, now: Timestamp): Millis | undefined {
  if (!isReady(instance)) return undefined
  const needed = minReadySeconds * 1_000
  if (needed === 0) return 0
  // A restart quick enough to go unseen leaves the condition as it was: what counts is the program that runs now.
  const readySince = findCondition(instance.status?.conditions, 'Ready')?.lastTransitionTime
  const since = [readySince, instance.status?.startedAt].filter((time) => time !== undefined).map(epochOf)
  if (since.length === 0) return needed
  const age = epochOf(now) - Math.max(...since)
  return age < -CLOCK_SKEW ? 0 : Math.min(needed, Math.max(0, needed - age))
}

export function isAvailable(instance: Instance, minReadySeconds: number, now: Timestamp): boolean {
  return availableIn(instance, minReadySeconds, now) === 0
}

/** How long a suspension still lasts: 0 when there is none, Infinity when it has no end. */
export function suspendedFor(spec: { readonly suspend: boolean; readonly suspendUntil?: string }, now: Timestamp): Millis {
  if (!spec.suspend) return 0
  if (spec.suspendUntil === undefined) return Number.POSITIVE_INFINITY
  return Math.max(0, epochOf(spec.suspendUntil) - epochOf(now))
}
