import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import { type Clock, epochOf, timestampOf, wholeSeconds } from '../base/clock.ts'
import type { ObjectMeta } from '../generated/types.ts'
import { checkIdentity } from './admission.ts'
import type { DeleteQuery } from './registry.ts'
import { strategyOf } from './strategies.ts'
import { dutiesOf } from './writer.ts'

/** Keeps an owner until its dependents that block it are gone; the garbage collector takes it away. */
export const FOREGROUND_FINALIZER = 'foregroundDeletion'
/** Keeps an owner until its dependents no longer refer to it; the garbage collector takes it away. */
export const ORPHAN_FINALIZER = 'orphan'
/** Whose objects have something to stop, for which a grace period means something. */
const STOP_FINALIZER = 'pmk.dev/stop'

export interface Deletion {
  /** Whether nothing keeps it: then `object` is its last state. */
  readonly removed: boolean
  /** The very same one when it was being deleted already and nothing changes. */
  readonly object: ApiObject
}

/** What a DELETE makes of an object. Throws when its preconditions don't hold, or when the object can't be deleted at all. */
export function deletionOf(definition: ResourceDefinition, prev: ApiObject, query: DeleteQuery, clock: Clock): Deletion {
  checkIdentity(definition, { uid: query.uid, resourceVersion: query.resourceVersion }, prev)
  const strategy = strategyOf(definition)
  const refusal = strategy.refuseDeletion?.(definition, prev)
  if (refusal !== undefined) throw refusal
  if (prev.metadata.deletionTimestamp !== undefined) return { removed: false, object: withShorterGrace(prev, query, clock) }
  const finalizers = finalizersFor(prev.metadata, query.propagation)
  const { finalizers: _, ...metadata } = prev.metadata
  const marked = { ...prev, metadata: finalizers.length === 0 ? metadata : { ...metadata, finalizers } }
  if (dutiesOf(definition, marked).length === 0) return { removed: true, object: prev }
  const deleted = {
    ...marked,
    metadata: { ...marked.metadata, generation: metadata.generation + 1, ...graceOf(finalizers, query.gracePeriodSeconds, clock) },
  }
  return { removed: false, object: strategy.prepareForDelete?.(deleted) ?? deleted }
}

/** The finalizers of the server itself follow the policy; without one they stay as they are. */
function finalizersFor({ finalizers = [] }: ObjectMeta, propagation: DeleteQuery['propagation']): readonly string[] {
  if (propagation === undefined) return finalizers
  const others = finalizers.filter((name) => name !== FOREGROUND_FINALIZER && name !== ORPHAN_FINALIZER)
  if (propagation === 'Foreground') return [...others, FOREGROUND_FINALIZER]
  return propagation === 'Orphan' ? [...others, ORPHAN_FINALIZER] : others
}

/**
 * When it is to be gone. With nothing said, an object that has something to stop takes the time that its own spec gives
 * it, and has no grace period; others have nothing to wait for.
 */
function graceOf(finalizers: readonly string[], seconds: number | undefined, clock: Clock): Partial<ObjectMeta> {
  if (!finalizers.includes(STOP_FINALIZER)) return { deletionTimestamp: wholeSeconds(clock.now()), deletionGracePeriodSeconds: 0 }
  if (seconds === undefined) return { deletionTimestamp: wholeSeconds(clock.now()) }
  const grace = atLeastZero(seconds)
  return { deletionTimestamp: inSeconds(clock, grace), deletionGracePeriodSeconds: grace }
}

/** Who asks again may be in more of a hurry, never in less. */
function withShorterGrace(prev: ApiObject, { gracePeriodSeconds }: DeleteQuery, clock: Clock): ApiObject {
  const { finalizers = [], deletionGracePeriodSeconds: known } = prev.metadata
  if (gracePeriodSeconds === undefined || !finalizers.includes(STOP_FINALIZER)) return prev
  const grace = atLeastZero(gracePeriodSeconds)
  if (known !== undefined && grace >= known) return prev
  const metadata = { ...prev.metadata, deletionTimestamp: inSeconds(clock, grace), deletionGracePeriodSeconds: grace }
  return { ...prev, metadata }
}

/** Kubernetes' meaning of a negative one: as little as there is without being at once. */
function atLeastZero(seconds: number): number {
  return seconds < 0 ? 1 : seconds
}

function inSeconds(clock: Clock, seconds: number): string {
  return wholeSeconds(timestampOf(epochOf(clock.now()) + seconds * 1_000))
}
