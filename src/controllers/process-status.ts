import { findCondition, setCondition } from '../api/conditions.ts'
import { epochOf, type Millis, type Timestamp } from '../base/clock.ts'
import { parseDuration } from '../base/duration.ts'
import type { Condition, Instance, Process, ProcessStatus, Revision } from '../generated/types.ts'
import { isAvailable, isCurrent, isDeleting, isFinished, isObserved, isReady, suspendedFor } from './instance-state.ts'
import { processReason } from './process-reason.ts'
import { isWanted, maxUnavailable, type Rollout } from './rollout.ts'
import { PROCESS_LABEL } from './well-known.ts'

export interface StatusInput {
  readonly process: Process
  /** All Instances that it owns, as they are after what was done to them. */
  readonly instances: readonly Instance[]
  readonly revision: Revision
  /** The plan for these Instances. */
  readonly rollout: Rollout
  /** How often a new Revision found its name taken. */
  readonly collisions: number
  /** Why some Instances can't be made at all. */
  readonly obstacle?: string
  readonly now: Timestamp
}

export interface StatusOutcome {
  readonly status: ProcessStatus
  /** The deadline of a roll passes then. */
  readonly lookAgainAfter?: Millis
}

/** What there is to say of a Process. Pure: the status before is its only memory. */
export function processStatus(input: StatusInput): StatusOutcome {
  const { process, instances, revision, now } = input
  const { spec, status: prev, metadata } = process
  const wanted = instances.filter((instance) => isWanted(process, instance) && !isDeleting(instance))
  const counts: Counts = {
    present: wanted.length,
    ready: wanted.filter(isReady).length,
    available: wanted.filter((instance) => isAvailable(instance, spec.minReadySeconds, now)).length,
    finished: wanted.filter(isFinished).length,
    updated: wanted.filter((instance) => isUpdated(input, instance)).length,
    observed: wanted.every(isObserved),
  }
  const rolled = counts.present === spec.replicas && counts.updated === spec.replicas
  const progressTime = lastProgress(input, counts)
  const { reason, message } = processReason(input)
  const left = progressLeft(process, progressTime, now)
  const currentRevision = rolled ? revision.metadata.name : prev?.currentRevision
  const collisionCount = (prev?.collisionCount ?? 0) + input.collisions
  const status: ProcessStatus = {
    observedGeneration: metadata.generation,
    replicas: instances.length,
    readyReplicas: counts.ready,
    updatedReplicas: counts.updated,
    availableReplicas: counts.available,
    restartCount: instances.reduce((sum, instance) => sum + (instance.status?.restartCount ?? 0), 0),
    ...(currentRevision === undefined ? {} : { currentRevision }),
    updateRevision: revision.metadata.name,
    reason,
    message,
    selector: `${PROCESS_LABEL}=${metadata.name}`,
    lastProgressTime: progressTime,
    ...(collisionCount === 0 ? {} : { collisionCount }),
    conditions: conditions(input, counts, left),
  }
  const waitsForDeadline = isUnderWay(input, counts) && left > 0
  return { status, ...(waitsForDeadline ? { lookAgainAfter: left } : {}) }
}

interface Counts {
  /** Of those wanted, how many are there. */
  readonly present: number
  readonly ready: number
  readonly available: number
  /** Their programs came to a good end and are not started again. */
  readonly finished: number
  readonly updated: number
  readonly observed: boolean
}

/** Runs the newest revision, restarted if that was asked for; when nothing is to run: would, once started. */
function isUpdated({ process, rollout, revision }: StatusInput, instance: Instance): boolean {
  if (instance.spec.revision !== revision.metadata.name || rollout.held.has(instance) || rollout.pending.has(instance)) return false
  return process.spec.desiredState === 'Stopped' || isCurrent(instance)
}

/** From a change until every Instance has it and was available once; an Instance that dies later is no roll. */
function isUnderWay({ process, rollout, revision, now }: StatusInput, counts: Counts): boolean {
  const { spec, status: prev, metadata } = process
  if (isDeleting(process) || spec.desiredState === 'Stopped' || spec.updateStrategy.paused || suspendedFor(spec, now) > 0) return false
  if (counts.updated + rollout.held.size < spec.replicas) return true
  if (counts.available + counts.finished >= spec.replicas) return false
  const before = findCondition(prev?.conditions, 'Progressing')?.reason
  const sameRoll = prev?.observedGeneration === metadata.generation && prev.updateRevision === revision.metadata.name
  return !(sameRoll && (before === 'Complete' || before === 'WaitingForRestart'))
}

/** Something new to roll, or to make up for, or one more Instance that has it or is available. */
function lastProgress({ process, revision, now }: StatusInput, counts: Counts): Timestamp {
  const { status: prev, metadata } = process
  if (prev?.lastProgressTime === undefined || prev.observedGeneration !== metadata.generation) return now
  if (prev.updateRevision !== revision.metadata.name) return now
  const further = counts.updated !== (prev.updatedReplicas ?? 0) || counts.available > (prev.availableReplicas ?? 0)
  return further ? now : prev.lastProgressTime
}

function progressLeft({ spec }: Process, since: Timestamp, now: Timestamp): Millis {
  const deadline = parseDuration(spec.updateStrategy.progressDeadline) ?? 0
  // A clock that was put back must not lengthen the deadline.
  return Math.min(deadline, deadline - (epochOf(now) - epochOf(since)))
}

type Said = Pick<Condition, 'status' | 'reason' | 'message'>

function conditions(input: StatusInput, counts: Counts, left: Millis): readonly Condition[] {
  const { process, now } = input
  const said: Readonly<Record<string, Said | undefined>> = {
    Ready: readyCondition(input, counts),
    Available: availableCondition(process, counts),
    Progressing: progressingCondition(input, counts, left),
    HostSupports: hostCondition(input),
  }
  let result = process.status?.conditions ?? []
  for (const [type, condition] of Object.entries(said)) {
    if (condition === undefined) continue
    result = setCondition(result, { type, ...condition, observedGeneration: process.metadata.generation }, now)
  }
  return result
}

function readyCondition(input: StatusInput, counts: Counts): Said {
  const { spec } = input.process
  if (isDeleting(input.process)) return { status: 'False', reason: 'Deleting', message: 'the Process is being deleted' }
  if (spec.desiredState === 'Stopped') return { status: 'False', reason: 'Stopped', message: 'desiredState is Stopped' }
  // What is held back is as its owner wants it: not updated, and yet not a reason to be unready.
  const updated = counts.updated + input.rollout.held.size
  if (counts.ready === spec.replicas && updated === spec.replicas && counts.observed) {
    return { status: 'True', reason: 'AllReady', message: `${spec.replicas} of ${spec.replicas} Instances are ready` }
  }
  const { reason, message } = processReason(input)
  if (reason !== 'Running') return { status: 'False', reason, message }
  return { status: 'False', reason: 'NotObserved', message: 'an agent has yet to take up the newest change' }
}

function availableCondition(process: Process, counts: Counts): Said {
  const { replicas, desiredState } = process.spec
  if (desiredState === 'Stopped') return { status: 'False', reason: 'Stopped', message: 'desiredState is Stopped' }
  // A lone Instance that doesn't run is not available, whatever a roll may do to it.
  const needed = Math.min(replicas, Math.max(1, replicas - maxUnavailable(process)))
  const message = `${counts.available} of ${replicas} Instances are available, ${needed} needed`
  if (counts.available >= needed) return { status: 'True', reason: 'EnoughAvailable', message }
  return { status: 'False', reason: 'TooFewAvailable', message }
}

function progressingCondition(input: StatusInput, counts: Counts, left: Millis): Said {
  const { process, rollout } = input
  const { spec } = process
  const message = `${counts.updated} of ${spec.replicas} Instances run the newest revision, ${counts.available} are available`
  if (spec.updateStrategy.paused) return { status: 'Unknown', reason: 'Paused', message: 'updateStrategy.paused is true' }
  if (isDeleting(process) || !isUnderWay(input, counts)) {
    return { status: 'True', reason: rollout.held.size > 0 ? 'WaitingForRestart' : 'Complete', message }
  }
  if (left > 0) return { status: 'True', reason: 'Rolling', message }
  const deadline = spec.updateStrategy.progressDeadline
  return { status: 'False', reason: 'ProgressDeadlineExceeded', message: `no progress for ${deadline}: ${message}` }
}

function hostCondition({ instances }: StatusInput): Said | undefined {
  const seen = instances.filter(({ status }) => status !== undefined)
  if (seen.length === 0) return undefined
  const gaps = new Set(seen.flatMap(({ status }) => status?.hostGaps ?? []))
  if (gaps.size === 0) return { status: 'True', reason: 'Honoured', message: 'the host honours every field' }
  return { status: 'False', reason: 'NotHonoured', message: `the host can't honour: ${[...gaps].sort().join('; ')}` }
}
