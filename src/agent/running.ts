import type { Run } from '../runtime/runtime.ts'
import { millis } from './backoff.ts'
import { askedAnew, dependencyRestart, type StopCause, stopRequest } from './causes.ts'
import type { Intent } from './intent.ts'
import { change, type Flag, type RunMemory } from './memory.ts'
import { type Activity, type Decision, type Draft, emit, type ProbeName, record, type Standing } from './situation.ts'
import { beginStop, continueStop, graceOf } from './stop-sequence.ts'

type LiveRun = Run & { readonly state: 'running' }

/** How often to see whether dependants are down; their own changes are looked at sooner. */
const DEPENDANT_POLL = 1_000

const PAUSED = { cause: 'Paused', message: 'Paused: its processes are frozen' } as const

/** The program runs and nobody has begun to stop it. */
export function whileRunning(draft: Draft, run: LiveRun, intent: Intent): Decision {
  takePause(draft, run)
  const probed = run.paused ? undefined : takeProbes(draft)
  const cause = reasonToStop(draft, intent) ?? (intent === 'Run' ? probed : undefined)
  if (cause === undefined) return run.paused ? leave(draft) : tend(draft, intent)
  const { dependants } = draft.observed
  const waits = (cause.reason === 'Deleted' || cause.reason === 'StopRequested') && dependants.length > 0 && graceOf(draft.instance) !== 0
  if (waits) {
    const message = `Waiting for ${dependants.join(', ')}, which depend on it, to stop first`
    record(draft, 'Running', { cause: 'DependantsFirst', message }, run.pid)
    return {
      ...(run.paused ? leave(draft) : tend(draft, intent)),
      standing: { phase: 'Running', reason: 'Stopping', message },
      lookAgainAfter: DEPENDANT_POLL,
    }
  }
  beginStop(draft, run, cause)
  return continueStop(draft, run)
}

function reasonToStop(draft: Draft, intent: Intent): StopCause | undefined {
  const { instance, memory, observed } = draft
  switch (intent) {
    case 'Delete':
    case 'Stop':
      return stopRequest(draft)
    case 'Hold':
      return undefined
    case 'Run':
      return askedAnew(instance, memory.launched) ?? dependencyRestart(instance, memory, observed)
  }
}

/** A program that is frozen answers nobody: it isn't ready, whatever probes said before. */
function takePause(draft: Draft, { paused, pid }: LiveRun): void {
  const run = runOf(draft)
  if (paused) setFlags(draft, { ...run, paused, ready: flag(run.ready, false, draft.time.now, PAUSED.message) })
  else if (run.paused === true) setFlags(draft, change(run, { paused: undefined }))
  if (paused === (run.paused === true)) return
  const cause = paused ? PAUSED : { cause: 'Unpaused', message: 'Unpaused: its processes go on' }
  record(draft, run.started.value ? 'Running' : 'Starting', cause, pid)
  emit(draft, 'Normal', cause.cause, cause.message)
}

/**
 * Nothing is done with a paused program but to wait: no probe is made, for a frozen program would fail it and be killed for that;
 * a hook that is under way is broken off, and made again when the program goes on.
 */
function leave(draft: Draft): Decision {
  const phase = runOf(draft).started.value ? 'Running' : 'Starting'
  return { standing: { phase, reason: 'Paused', message: PAUSED.message }, probing: [] }
}

/** Carries probe verdicts over into Started and Ready; answers with the failure that asks for a restart, if there is one. */
function takeProbes(draft: Draft): StopCause | undefined {
  const { instance, observed, time } = draft
  const { startupProbe, readinessProbe, livenessProbe } = instance.spec.template
  const run = runOf(draft)
  const { startup, readiness, liveness } = observed.probes

  const started = run.started.value || startupProbe === undefined || startup?.passing === true
  // Without a verdict on readiness what was known stays: Ready survives a restart of the agent.
  const passing = readinessProbe === undefined ? true : (readiness?.passing ?? run.ready.value)
  const ready = started && passing
  const message = started && !passing ? readiness?.message : undefined
  setFlags(draft, { ...run, started: flag(run.started, started, time.now), ready: flag(run.ready, ready, time.now, message) })

  const pid = observed.run?.state === 'running' ? observed.run.pid : undefined
  if (started && !run.started.value) record(draft, 'Running', { cause: 'StartupProbePassed', message: 'The startup probe passed' }, pid)
  if (ready && !run.ready.value && readinessProbe !== undefined)
    record(draft, 'Running', { cause: 'Ready', message: 'The readiness probe passes' }, pid)
  if (!ready && readinessProbe !== undefined && readiness?.passing === false) {
    const cause = { cause: 'ReadinessProbeFailed', message: `The readiness probe failed: ${readiness.message}` }
    if (run.ready.value || run.ready.message === undefined) {
      record(draft, 'Running', cause, pid)
      emit(draft, 'Warning', 'Unhealthy', cause.message)
    }
  }
  if (!started && startup?.passing === false) return probeFailure(draft, 'StartupProbeFailed', 'startup', startup.message)
  if (started && livenessProbe !== undefined && liveness?.passing === false) {
    return probeFailure(draft, 'LivenessProbeFailed', 'liveness', liveness.message)
  }
  return undefined
}

function probeFailure(draft: Draft, reason: 'StartupProbeFailed' | 'LivenessProbeFailed', probe: ProbeName, why: string): StopCause {
  const message = `The ${probe} probe failed: ${why}`
  const last = draft.memory.transitions.at(-1)
  // While suspended it stays running and failing: said once.
  if (last?.cause !== reason) {
    emit(draft, 'Warning', 'Unhealthy', message)
    if (draft.memory.suspended) record(draft, 'Running', { cause: reason, message })
  }
  return { reason, cause: { cause: reason, message } }
}

/** Nothing to correct: hooks after the start, probes, and how it stands. */
function tend(draft: Draft, intent: Intent): Decision {
  const { startupProbe, readinessProbe, livenessProbe } = draft.instance.spec.template
  const activity = intent === 'Run' || intent === 'Hold' ? postStart(draft) : undefined
  const run = runOf(draft)
  const probing: ProbeName[] = []
  if (!run.started.value && startupProbe !== undefined) probing.push('startup')
  if (run.started.value && readinessProbe !== undefined) probing.push('readiness')
  if (run.started.value && livenessProbe !== undefined) probing.push('liveness')
  return { standing: standingOf(run, intent), probing, ...(activity === undefined ? {} : { activity }) }
}

function standingOf(run: RunMemory, intent: Intent): Standing {
  const phase = run.started.value ? 'Running' : 'Starting'
  if (intent === 'Hold') return { phase, reason: 'Suspended', message: 'Suspended: it is watched, and nothing is corrected' }
  if (!run.started.value) return { phase, reason: 'Starting', message: 'The startup probe has not passed yet' }
  if (run.ready.value) return { phase, reason: 'Running' }
  return { phase, reason: 'NotReady', message: run.ready.message ?? 'The readiness probe has not passed yet' }
}

function postStart(draft: Draft): Activity | undefined {
  const run = runOf(draft)
  const hook = draft.instance.spec.template.lifecycle?.postStart?.[run.postStart]
  if (hook === undefined) return undefined
  const key = `postStart.${run.attempt}.${run.postStart}`
  const state = draft.observed.activity
  if (state?.key !== key || state.state !== 'done') return { key, exec: hook.exec, timeout: millis(hook.timeout) }
  if (!state.ok) emit(draft, 'Warning', 'FailedPostStartHook', `postStart hook ${run.postStart + 1}: ${state.message}`)
  setFlags(draft, { ...run, postStart: run.postStart + 1 })
  return postStart(draft)
}

function flag(before: Flag, value: boolean, now: string, message?: string): Flag {
  if (before.value === value && before.message === message) return before
  return { value, at: before.value === value ? before.at : now, ...(message === undefined ? {} : { message }) }
}

function runOf({ memory }: Draft): RunMemory {
  if (memory.run === undefined) throw new Error('A run that lives has no memory')
  return memory.run
}

function setFlags(draft: Draft, run: RunMemory): void {
  draft.memory = { ...draft.memory, run }
}
