import type { Millis } from '../base/clock.ts'
import { plainSignalName } from '../base/signals.ts'
import type { Instance, StopStep } from '../generated/types.ts'
import type { Run } from '../runtime/runtime.ts'
import { millis } from './backoff.ts'
import type { StopCause } from './causes.ts'
import { change, type StopMemory } from './memory.ts'
import { type Activity, type Decision, type Draft, emit, record, type Standing } from './situation.ts'

/** What the stop signal gets at least when preStop hooks have used up the grace period, as in a Pod. */
const LEAST_GRACE: Millis = 2_000
/** How often to look whether processes that outlived the main one are gone. */
const LEFTOVER_POLL: Millis = 50
/** A tree that was killed and is still reported is killed again, but not in a tight loop. */
const KILL_AGAIN: Millis = 1_000

/** Begins to stop the run that lives. */
export function beginStop(draft: Draft, run: Run & { readonly state: 'running' }, { reason, cause }: StopCause): void {
  const { memory, time } = draft
  const attempt = memory.run?.attempt
  if (attempt === undefined) throw new Error(`No memory of run ${run.id}`)
  const stop: StopMemory = { attempt, reason, cause, askedAt: time.monotonic, stage: 'hooks', index: 0 }
  const ready = { value: false, at: memory.run?.ready.value === true ? time.now : (memory.run?.ready.at ?? time.now) }
  draft.memory = change(memory, { stop, ...(memory.run === undefined ? {} : { run: { ...memory.run, ready } }) })
  record(draft, 'Stopping', cause, run.pid)
  emit(draft, reason.endsWith('Failed') ? 'Warning' : 'Normal', 'Killing', `Stopping: ${cause.message}`)
}

/** Takes a stop one step on. The caller has seen that something of the run is still alive. */
export function continueStop(draft: Draft, run: Run): Decision {
  for (;;) {
    const stop = draft.memory.stop
    if (stop === undefined) throw new Error(`No stop is under way for ${run.id}`)
    const decision = mustKill(draft, run, stop) ? kill(draft, run, stop) : (thaw(draft, run) ?? oneStage(draft, run, stop))
    if (decision !== undefined) return decision
  }
}

/** True when asking is over, or was never to be. */
function mustKill(draft: Draft, run: Run, stop: StopMemory): boolean {
  const { template } = draft.instance.spec
  if (stop.stage === 'kill' || graceOf(draft.instance) === 0) return true
  // What outlives the main process was asked as well, and keeps its time, only where signals reach it.
  return run.state === 'exited' && (template.killScope === 'Main' || stop.stage === 'hooks')
}

/** A frozen program heeds no signal but KILL, and its hooks would be frozen too. */
function thaw(draft: Draft, run: Run): Decision | undefined {
  return run.state === 'running' && run.paused ? waiting(draft, { step: { type: 'unpause', id: run.id } }) : undefined
}

function oneStage(draft: Draft, run: Run, stop: StopMemory): Decision | undefined {
  return stop.stage === 'hooks' ? hookStage(draft, stop) : stepStage(draft, run, stop)
}

function hookStage(draft: Draft, stop: StopMemory): Decision | undefined {
  const { instance, observed } = draft
  const hook = instance.spec.template.lifecycle?.preStop?.[stop.index]
  const left = hooksEndIn(draft, stop)
  if (hook === undefined || left <= 0) return advance(draft, { stage: 'steps', index: 0, since: undefined })
  const key = `preStop.${stop.attempt}.${stop.index}`
  if (observed.activity?.key === key && observed.activity.state === 'done') {
    if (!observed.activity.ok) emit(draft, 'Warning', 'FailedPreStopHook', `preStop hook ${stop.index + 1}: ${observed.activity.message}`)
    return advance(draft, { index: stop.index + 1 })
  }
  const activity: Activity = { key, exec: hook.exec, timeout: Math.min(millis(hook.timeout), left) }
  return waiting(draft, { activity, lookAgainAfter: left })
}

function stepStage(draft: Draft, run: Run, stop: StopMemory): Decision | undefined {
  const { instance, observed, time } = draft
  const steps = stepsOf(draft, stop)
  const step = steps[stop.index]
  if (step === undefined) return advance(draft, { stage: 'kill', since: undefined })
  if (stop.since === undefined) {
    advance(draft, { since: time.monotonic })
    if (step.signal === undefined) return undefined
    const signal = plainSignalName(step.signal)
    // A KILL among the steps is the last one of all: it reaches the whole tree.
    if (signal === 'KILL') return advance(draft, { stage: 'kill', since: undefined })
    return waiting(draft, { step: { type: 'signal', id: run.id, signal, scope: instance.spec.template.killScope } })
  }
  const left = Math.min(stop.since + step.wait, deadlineOf(draft, stop)) - time.monotonic
  if (left <= 0) return advance(draft, { index: stop.index + 1, since: undefined })
  const lookAgainAfter = run.state === 'exited' ? Math.min(left, LEFTOVER_POLL) : left
  if (step.exec === undefined) return waiting(draft, { lookAgainAfter })
  const key = `stopStep.${stop.attempt}.${stop.index}`
  if (observed.activity?.key === key && observed.activity.state === 'done') return waiting(draft, { lookAgainAfter })
  return waiting(draft, { activity: { key, exec: step.exec, timeout: step.wait }, lookAgainAfter })
}

function kill(draft: Draft, run: Run, stop: StopMemory): Decision {
  const { time } = draft
  if (stop.stage === 'kill' && stop.since !== undefined && time.monotonic - stop.since < KILL_AGAIN) {
    return waiting(draft, { lookAgainAfter: stop.since + KILL_AGAIN - time.monotonic })
  }
  if (stop.stage !== 'kill' || stop.since === undefined) {
    const message =
      graceOf(draft.instance) === 0 ? 'Killing it at once, as asked' : 'It did not end when asked; killing all of its processes'
    emit(draft, graceOf(draft.instance) === 0 ? 'Normal' : 'Warning', 'Killing', message)
  }
  advance(draft, { stage: 'kill', since: time.monotonic })
  return waiting(draft, { step: { type: 'killTree', id: run.id } })
}

function advance(draft: Draft, changes: { readonly [K in keyof StopMemory]?: StopMemory[K] | undefined }): undefined {
  const { stop } = draft.memory
  if (stop !== undefined) draft.memory = { ...draft.memory, stop: change(stop, changes) }
}

function waiting(draft: Draft, decision: Omit<Decision, 'standing'>): Decision {
  const message = draft.memory.stop?.cause.message
  const standing: Standing = { phase: 'Stopping', reason: 'Stopping', ...(message === undefined ? {} : { message }) }
  return { standing, ...decision }
}

interface TimedStep {
  readonly signal?: string
  readonly exec?: StopStep['exec']
  readonly wait: Millis
}

function stepsOf(draft: Draft, stop: StopMemory): readonly TimedStep[] {
  const { template } = draft.instance.spec
  const { stopSteps, stopSignal, terminationGracePeriodSeconds, lifecycle } = template
  if (stopSteps !== undefined && stopSteps.length > 0) {
    return stopSteps.map(({ signal, exec, wait }) => ({
      ...(signal === undefined ? {} : { signal }),
      ...(exec === undefined ? {} : { exec }),
      wait: millis(wait),
    }))
  }
  const grace = graceOf(draft.instance) ?? terminationGracePeriodSeconds * 1000
  const since = stop.since ?? draft.time.monotonic
  const left = stop.askedAt + grace - since
  return [{ signal: stopSignal, wait: (lifecycle?.preStop ?? []).length > 0 ? Math.max(left, LEAST_GRACE) : left }]
}

/** The grace period that the deletion was asked with; absent: the template's own. */
export function graceOf(instance: Instance): Millis | undefined {
  const { deletionTimestamp, deletionGracePeriodSeconds } = instance.metadata
  if (deletionTimestamp === undefined)
    return instance.spec.template.terminationGracePeriodSeconds === 0 && !hasSteps(instance) ? 0 : undefined
  if (deletionGracePeriodSeconds !== undefined) return deletionGracePeriodSeconds * 1000
  return instance.spec.template.terminationGracePeriodSeconds === 0 && !hasSteps(instance) ? 0 : undefined
}

function hasSteps(instance: Instance): boolean {
  return (instance.spec.template.stopSteps ?? []).length > 0
}

/** When hooks have had all the time there is. With stopSteps there is no grace period: each hook has its own timeout. */
function hooksEndIn(draft: Draft, stop: StopMemory): Millis {
  const grace =
    graceOf(draft.instance) ?? (hasSteps(draft.instance) ? undefined : draft.instance.spec.template.terminationGracePeriodSeconds * 1000)
  if (grace === undefined) {
    const hooks = draft.instance.spec.template.lifecycle?.preStop ?? []
    return stop.askedAt + hooks.reduce((sum, hook) => sum + millis(hook.timeout), 0) - draft.time.monotonic
  }
  return stop.askedAt + grace - draft.time.monotonic
}

/** A deletion's own grace period bounds stopSteps too. */
function deadlineOf(draft: Draft, stop: StopMemory): Millis {
  const grace = graceOf(draft.instance)
  return hasSteps(draft.instance) && grace !== undefined ? stop.askedAt + grace : Number.POSITIVE_INFINITY
}
