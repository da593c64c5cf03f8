import { epochOf } from '../base/clock.ts'
import type { Instance, Process } from '../generated/types.ts'
import type { ProcessView } from './follow-process.ts'

/** How far what a verb asked for has come. */
export type Outcome =
  | { readonly state: 'done' }
  | { readonly state: 'waiting'; readonly message: string }
  /** It went wrong; `instance` is the one whose output tells most. */
  | { readonly state: 'failed'; readonly message: string; readonly instance?: Instance }

/** What to wait for after a write that left the Process at `generation`. */
export type Goal =
  | { readonly type: 'running'; readonly generation: number; readonly restartedAt?: string; readonly anew?: readonly Anew[] }
  | { readonly type: 'stopped'; readonly generation: number }

/** An Instance that was told to start anew: it is at a later attempt then. */
export interface Anew {
  readonly name: string
  readonly generation: number
  readonly attempt: number
}

/** These won't get better by waiting a moment, or not soon. */
const FAILED: ReadonlySet<string> = new Set(['GaveUp', 'Failed', 'StartError', 'CrashLoopBackOff'])

/** Whether a Process has become what was asked for. Only what was reported since then counts. Pure. */
export function outcomeOf({ process, instances }: ProcessView, goal: Goal): Outcome {
  if (process === undefined) return { state: 'failed', message: 'it was deleted meanwhile' }
  if ((process.status?.observedGeneration ?? 0) < goal.generation)
    return { state: 'waiting', message: 'the server has yet to see the change' }
  if (goal.type === 'stopped') return stopOutcome(process, instances)
  if (process.spec.desiredState === 'Stopped') return { state: 'failed', message: 'somebody stopped it meanwhile' }
  const { replicas, indexStart } = process.spec
  const wanted = instances.filter(({ spec }) => spec.index >= indexStart && spec.index < indexStart + replicas)
  const outcomes = wanted.map((instance) => instanceOutcome(instance, goal))
  const failed = outcomes.find((outcome) => outcome.state === 'failed')
  if (failed !== undefined) return failed
  const waiting = outcomes.find((outcome) => outcome.state === 'waiting')
  if (waiting !== undefined) return waiting
  if (wanted.length < replicas)
    return { state: 'waiting', message: process.status?.message ?? `${wanted.length} of ${replicas} Instances are there` }
  return { state: 'done' }
}

function stopOutcome({ spec }: Process, instances: readonly Instance[]): Outcome {
  if (spec.desiredState !== 'Stopped') return { state: 'failed', message: 'somebody started it meanwhile' }
  const left = instances.filter(
    (instance) => !isObserved(instance) || instance.spec.desiredState !== 'Stopped' || instance.status?.phase !== 'Stopped',
  )
  const [first] = left
  if (first === undefined) return { state: 'done' }
  return { state: 'waiting', message: said(first) }
}

/** Whether one Instance runs and is ready, at a start that is late enough. */
export function instanceOutcome(instance: Instance, goal: { readonly restartedAt?: string; readonly anew?: readonly Anew[] }): Outcome {
  const { metadata, spec, status } = instance
  const waiting: Outcome = { state: 'waiting', message: said(instance) }
  if (!isObserved(instance)) return waiting
  const anew = goal.anew?.find(({ name }) => name === metadata.name)
  if (anew !== undefined && metadata.generation < anew.generation) return waiting
  const isLate = anew === undefined || (status?.attempt ?? 0) > anew.attempt
  const tookUp = goal.restartedAt === undefined || epochOf(status?.rolloutRestartedAt ?? '') >= epochOf(goal.restartedAt)
  const reason = status?.reason ?? ''
  if (isLate && tookUp && status?.revision === spec.revision) {
    if (status.ready === true || status.phase === 'Succeeded') return { state: 'done' }
    if (FAILED.has(reason)) return { state: 'failed', message: said(instance), instance }
  }
  return waiting
}

function isObserved({ metadata, status }: Instance): boolean {
  return (status?.observedGeneration ?? 0) >= metadata.generation
}

function said({ metadata, status }: Instance): string {
  const reason = status?.reason ?? 'Pending'
  return `${metadata.name} is ${reason}${status?.message === undefined ? '' : `: ${status.message}`}`
}

/** It is ready for no better reason than that it was started. */
export function isUnprobed({ spec, status }: Instance): boolean {
  const { readinessProbe, startupProbe } = spec.template
  return readinessProbe === undefined && startupProbe === undefined && status?.ready === true
}

/** Of one Instance, a moment apart: it ended badly in between, without being asked to. */
export function hasFallen(before: Instance, { status }: Instance): boolean {
  if (status?.phase === 'Succeeded' || status?.phase === 'Stopped' || status?.phase === 'Stopping') return false
  const isOther = status?.attempt !== before.status?.attempt
  const wasAsked = isOther && status?.restartCount === before.status?.restartCount
  return status?.ready !== true ? !isOther || !wasAsked : isOther && !wasAsked
}
