import type { Timestamp } from '../base/clock.ts'
import type { Instance, Process } from '../generated/types.ts'
import { isCurrent, isDeleting, isReady, suspendedFor } from './instance-state.ts'
import { isWanted, type Rollout } from './rollout.ts'

export interface Reason {
  /** What the STATUS column shows. */
  readonly reason: string
  readonly message: string
}

export interface ReasonInput {
  readonly process: Process
  readonly instances: readonly Instance[]
  readonly rollout: Rollout
  /** Why some Instances can't be made at all. */
  readonly obstacle?: string
  readonly now: Timestamp
}

/** Worst first: one Instance in such trouble is what the whole Process shows. */
const TROUBLES = ['GaveUp', 'StartError', 'CrashLoopBackOff', 'Failed', 'Unknown', 'Blocked']

/** What a Process does now, in a word and a sentence. Pure. */
export function processReason(input: ReasonInput): Reason {
  const { process, instances, now } = input
  const { spec } = process
  if (isDeleting(process)) return { reason: 'Stopping', message: `${count(instances.length, 'Instance')} to be gone before the Process is` }
  if (spec.desiredState === 'Stopped' || spec.replicas === 0) return stopReason(process, instances)
  const left = suspendedFor(spec, now)
  if (left > 0) {
    const until = Number.isFinite(left) ? `suspended until ${spec.suspendUntil}` : 'suspended until it is resumed'
    return { reason: 'Suspended', message: `${until}: nothing is started, stopped or restarted` }
  }
  return troubleReason(input) ?? activityReason(input)
}

function stopReason({ spec }: Process, instances: readonly Instance[]): Reason {
  const alive = instances.filter(({ status }) => status?.pid !== undefined || status?.phase === 'Running' || status?.phase === 'Stopping')
  if (spec.replicas === 0 ? instances.length > 0 : alive.length > 0) {
    return { reason: 'Stopping', message: `${count(Math.max(1, alive.length), 'Instance')} to be stopped` }
  }
  return { reason: 'Stopped', message: spec.replicas === 0 ? 'replicas is 0' : 'desiredState is Stopped' }
}

function troubleReason({ process, instances, obstacle }: ReasonInput): Reason | undefined {
  if (obstacle !== undefined) return { reason: 'Blocked', message: obstacle }
  const wanted = instances.filter((instance) => isWanted(process, instance) && !isDeleting(instance))
  for (const trouble of TROUBLES) {
    const [first, ...others] = wanted.filter((instance) => reasonOf(instance) === trouble)
    if (first === undefined) continue
    const message = first.status?.message ?? trouble
    return { reason: trouble, message: `${first.metadata.name}: ${message}${more(others)}` }
  }
  return undefined
}

function activityReason({ process, instances, rollout }: ReasonInput): Reason {
  const wanted = instances.filter((instance) => isWanted(process, instance) && !isDeleting(instance))
  const { replicas } = process.spec
  const behind = wanted.filter((instance) => rollout.pending.has(instance) || isBetweenRevisions(instance))
  if (behind.length > 0)
    return { reason: 'Rolling', message: `${replicas - behind.length} of ${replicas} Instances run the newest revision` }
  if (wanted.length === replicas && wanted.every(({ status }) => status?.phase === 'Succeeded')) {
    return { reason: 'Succeeded', message: 'every Instance has ended well' }
  }
  const unready = wanted.filter((instance) => !isReady(instance) && instance.status?.phase !== 'Succeeded')
  const ready = `${wanted.filter(isReady).length} of ${replicas} Instances are ready`
  const starting = unready.filter(({ status }) => status?.phase !== 'Running')
  if (wanted.length < replicas || starting.length > 0) return { reason: 'Starting', message: ready }
  const [paused, ...others] = unready.filter(({ status }) => status?.reason === 'Paused')
  if (paused !== undefined) return { reason: 'Paused', message: `${paused.metadata.name}${more(others)}: its processes are frozen` }
  if (unready.length > 0) return { reason: 'NotReady', message: `${unready[0]?.metadata.name}: ${unready[0]?.status?.message ?? ready}` }
  return { reason: 'Running', message: ready }
}

/** It was started with another revision than the one it is to run now. */
function isBetweenRevisions(instance: Instance): boolean {
  return instance.status?.revision !== undefined && !isCurrent(instance)
}

function reasonOf({ status }: Instance): string | undefined {
  return status?.reason ?? status?.phase
}

function more(others: readonly Instance[]): string {
  return others.length === 0 ? '' : ` (and ${others.length} more)`
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
