import { epochOf, type Millis, type Timestamp } from '../base/clock.ts'
import type { Instance, Process, Revision } from '../generated/types.ts'
import { availableIn, isDeleting, isFinished, suspendedFor } from './instance-state.ts'
import { NEWEST_SINCE_ANNOTATION } from './well-known.ts'

export interface RolloutInput {
  readonly process: Process
  /** All Instances that it owns. */
  readonly instances: readonly Instance[]
  /** The newest Revision. */
  readonly revision: Revision
  readonly now: Timestamp
}

export interface Rollout {
  /** Numbers of Instances to be made. */
  readonly create: readonly number[]
  /** Surplus ones, and those on another Node than the one asked for: highest number first. */
  readonly remove: readonly Instance[]
  /** These take the newest Revision, and the restart that was asked for, now. */
  readonly update: readonly Instance[]
  /** All that are to take it, now or once others are available. */
  readonly pending: ReadonlySet<Instance>
  /** These differ, and nobody wants them changed yet: the roll is paused, or they change when they are next restarted. */
  readonly held: ReadonlySet<Instance>
  /** An Instance becomes available by the mere passing of time then. */
  readonly lookAgainAfter?: Millis
}

/** Which Instances to make, remove and change now. Reads nothing, changes nothing, and says the same for the same world. */
export function planRollout({ process, instances, revision, now }: RolloutInput): Rollout {
  const { spec } = process
  const byIndex = new Map(instances.filter((instance) => isWanted(process, instance)).map((instance) => [instance.spec.index, instance]))
  const wanted = wantedIndexes(process)
  const present = wanted
    .map((index) => byIndex.get(index))
    .filter((instance) => instance !== undefined && !isDeleting(instance)) as Instance[]
  const waits = present.map((instance) => availableIn(instance, spec.minReadySeconds, now))
  const available = new Set(present.filter((_, at) => waits[at] === 0))
  const outdated = present.filter((instance) => isOutdated(process, instance, revision))
  const held = new Set(outdated.filter((instance) => isHeld(process, instance, revision)))
  const allowed = outdated.filter((instance) => !held.has(instance))
  const behind = new Set(outdated)
  const finished = present.filter((instance) => !behind.has(instance) && isFinished(instance)).length
  const change = withinBudget(process, allowed, { available, finished, now })
  const moved = change.filter((instance) => isMisplaced(process, instance))
  const surplus = instances.filter((instance) => !isWanted(process, instance) && !isDeleting(instance))
  const soonest = Math.min(...waits.filter((wait) => wait !== undefined && wait > 0).map(Number))
  return {
    create: wanted.filter((index) => !byIndex.has(index)),
    remove: [...surplus, ...moved].sort((a, b) => b.spec.index - a.spec.index),
    update: change.filter((instance) => !isMisplaced(process, instance)),
    pending: new Set(allowed),
    held,
    ...(Number.isFinite(soonest) ? { lookAgainAfter: soonest } : {}),
  }
}

export function wantedIndexes({ spec }: Process): readonly number[] {
  return Array.from({ length: spec.replicas }, (_, at) => spec.indexStart + at)
}

export function instanceName(process: Process, index: number): string {
  return `${process.metadata.name}-${index}`
}

/** Its number is among those asked for, and its name is the one of that number. */
export function isWanted(process: Process, { metadata, spec }: Instance): boolean {
  const at = spec.index - process.spec.indexStart
  return at >= 0 && at < process.spec.replicas && metadata.name === instanceName(process, spec.index)
}

/** How many Instances a roll may make unavailable: at least one, or it would never go on. */
export function maxUnavailable({ spec }: Process): number {
  const value = spec.updateStrategy.rollingUpdate.maxUnavailable
  const amount = Number.parseInt(String(value), 10)
  const exact = typeof value === 'string' && value.endsWith('%') ? Math.floor((spec.replicas * amount) / 100) : amount
  return Math.max(1, exact)
}

/** Its spec isn't yet what a roll makes of it. */
export function isOutdated(process: Process, instance: Instance, revision: Revision): boolean {
  return instance.spec.revision !== revision.metadata.name || wantsRestart(process, instance) || isMisplaced(process, instance)
}

/** A restart of the Process that hasn't come to this Instance. Taking the field away restarts nothing. */
function wantsRestart({ spec }: Process, instance: Instance): boolean {
  return spec.restartedAt !== undefined && instance.spec.rolloutRestartedAt !== spec.restartedAt
}

function isMisplaced({ spec }: Process, instance: Instance): boolean {
  return spec.nodeName !== undefined && spec.nodeName !== instance.spec.nodeName
}

function isHeld(process: Process, instance: Instance, revision: Revision): boolean {
  const { updateStrategy, desiredState } = process.spec
  if (updateStrategy.paused) return true
  if (updateStrategy.type !== 'OnDelete' || desiredState === 'Stopped') return false
  return !wantsRestart(process, instance) && !wasRestartedSince(instance, revision)
}

/** Somebody restarted the Instance after the Revision had become the newest: the moment to change with OnDelete. */
function wasRestartedSince({ spec }: Instance, { metadata }: Revision): boolean {
  const newestSince = metadata.annotations?.[NEWEST_SINCE_ANNOTATION] ?? metadata.creationTimestamp
  return spec.restartedAt !== undefined && epochOf(spec.restartedAt) > epochOf(newestSince)
}

/**
 * An Instance that is unavailable anyway has nothing to lose: it changes at once, also when it is all that keeps others from
 * changing, so that a bad revision can be replaced. Available ones change as long as not too many are unavailable. Of one
 * whose Node doesn't answer nobody knows: it may run well, and all of them would restart at once when the Node is back. `finished`: so many
 * have run the newest Revision to its good end, and will never be available again.
 */
function withinBudget(
  process: Process,
  allowed: readonly Instance[],
  { available, finished, now }: { readonly available: ReadonlySet<Instance>; readonly finished: number; readonly now: Timestamp },
): readonly Instance[] {
  const idle = process.spec.desiredState === 'Stopped' || suspendedFor(process.spec, now) > 0
  if (idle) return allowed
  let budget = maxUnavailable(process) - (process.spec.replicas - available.size - finished)
  return allowed.filter((instance) => (available.has(instance) ? budget-- > 0 : instance.status?.phase !== 'Unknown'))
}
