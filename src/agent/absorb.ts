import type { Millis } from '../base/clock.ts'
import { attemptOf, type Run } from '../runtime/runtime.ts'
import { failuresAfter } from './backoff.ts'
import { launchedOf } from './causes.ts'
import { causeOfDeath, isSuccess, OOM_KILLED, terminationOf } from './exits.ts'
import { type Cause, change, type Launched, parseMemo, type RunMemory, type StopReason } from './memory.ts'
import { type Draft, emit, record } from './situation.ts'

type ExitedRun = Run & { readonly state: 'exited' }

/** Brings the memory up to what is observed: a reboot, a run that began, a launch that failed, a run that ended. */
export function absorb(draft: Draft): void {
  absorbReboot(draft)
  absorbStart(draft)
  absorbStartFailure(draft)
  absorbEnd(draft)
  absorbLoss(draft)
}

/** Monotonic times of an earlier boot mean nothing now: waits start over, and nothing that was counted then counts. */
function absorbReboot(draft: Draft): void {
  const { memory, time } = draft
  if (memory.bootId === time.bootId) return
  const { stop } = memory
  draft.memory = change(memory, {
    bootId: time.bootId,
    failures: 0,
    diedAt: undefined,
    blockedAt: undefined,
    restarts: [],
    gaveUpAt: undefined,
    wantedAt: memory.wanted ? time.monotonic : undefined,
    stop: stop && change(stop, { askedAt: time.monotonic, since: undefined }),
  })
}

/** A run that the memory doesn't have: the one just started, or one whose note was lost. */
function absorbStart(draft: Draft): void {
  const { observed, memory, instance } = draft
  const run = observed.run
  if (run === undefined) return
  const attempt = attemptOf(run.id)
  if (memory.run !== undefined && memory.run.attempt >= attempt) return
  const intended = memory.starting?.attempt === attempt
  const cause: Cause = memory.starting !== undefined && intended ? memory.starting.cause : { cause: 'Adopted', message: 'Found running' }
  const memo = parseMemo(run.memo)
  draft.memory = change(memory, {
    attempt: Math.max(memory.attempt, attempt),
    restartCount: Math.max(memory.restartCount, memo?.restartCount ?? 0),
    run: runMemory(draft, run, attempt),
    launched: intended ? (memory.launched ?? launchedOf(instance)) : (memo?.launched ?? adopted(draft, attempt)),
    // Without the note of this start, the end before it may be missing as well.
    lastTermination: intended ? memory.lastTermination : (memo?.lastTermination ?? memory.lastTermination),
    starting: undefined,
    stop: undefined,
    wantedAt: undefined,
    blockedAt: undefined,
    startError: undefined,
    ended: undefined,
    next: undefined,
    wanted: intended ? memory.wanted : true,
  })
  const pid = run.state === 'running' ? run.pid : undefined
  record(draft, instance.spec.template.startupProbe === undefined ? 'Running' : 'Starting', cause, pid)
  emit(draft, 'Normal', intended ? 'Started' : 'Adopted', intended ? 'Started the program' : 'Found the program running')
}

function runMemory(draft: Draft, run: Run, attempt: number): RunMemory {
  const { instance, observed, time } = draft
  const { dependsOn = [], startupProbe } = instance.spec.template
  const no = { value: false, at: time.now }
  return {
    attempt,
    startedAt: run.startedAt,
    started: startupProbe === undefined ? { value: true, at: run.startedAt } : no,
    ready: no,
    postStart: 0,
    over: false,
    postStop: 0,
    cleaned: false,
    dependencies: Object.fromEntries(dependsOn.map(({ name }, index) => [name, observed.dependencies[index]?.attempts ?? {}])),
  }
}

/** Of a run that carries no memo the status of the object tells best what it was started with. */
function adopted({ instance }: Draft, attempt: number): Launched {
  const { status } = instance
  const launched = launchedOf(instance)
  if (status?.attempt !== attempt || status.revision === undefined) return launched
  return change(launched, { revision: status.revision, rolloutRestartedAt: status.rolloutRestartedAt })
}

function absorbStartFailure(draft: Draft): void {
  const { observed, memory, time } = draft
  const failure = observed.startFailure
  if (failure === undefined || memory.starting?.attempt !== failure.attempt) return
  const { reason, message } = failure
  draft.memory = change(memory, {
    starting: undefined,
    startError: { reason, message },
    failures: memory.failures + 1,
    diedAt: time.monotonic,
    next: { cause: 'Retry', message: `Tried again after: ${message}`, unasked: true },
    lastTermination: { reason: 'StartError', message, finishedAt: time.now },
  })
  record(draft, 'Pending', { cause: reason, message })
  emit(draft, 'Warning', 'StartError', message)
}

function absorbEnd(draft: Draft): void {
  const { observed, memory } = draft
  const run = observed.run
  if (run?.state !== 'exited' || memory.run?.attempt !== attemptOf(run.id) || memory.run.over) return
  const stop = memory.stop?.attempt === memory.run.attempt ? memory.stop : undefined
  const asked = stop !== undefined && !isFailure(stop.reason)
  const ok = isSuccess(run.exit, draft.instance.spec.template.successExitCodes)
  const lived = lifeOf(run)
  const cause = causeOfDeath(run.exit, lived, requestedSignal(draft))
  const termination = terminationOf({
    exit: run.exit,
    startedAt: run.startedAt,
    stop: stop && { reason: stop.reason, killed: stop.stage === 'kill' },
    ok: ok && !(stop !== undefined && isFailure(stop.reason)),
    cause: cause.cause,
    message: stop === undefined ? cause.message : `${stop.cause.message}. ${endedBy(run)}`,
    tail: ok || asked ? undefined : observed.tail,
  })
  const over = change(memory.run, { over: true, ready: { value: false, at: run.exit.at } })
  draft.memory = change(memory, { run: over, lastTermination: termination })
  if (asked) {
    draft.memory = change(draft.memory, {
      failures: 0,
      diedAt: undefined,
      ended: undefined,
      startError: undefined,
      // Whoever asked for a start while it stopped is why it starts next.
      next: stop.reason === 'StopRequested' && memory.next !== undefined ? memory.next : { ...stop.cause, unasked: false },
    })
    return
  }
  if (run.exit.by === 'unknown' && run.exit.reason === 'Reboot') rebooted(draft, cause)
  else died(draft, run, { ok: ok && stop === undefined, lived: lived ?? 0, cause: stop?.cause ?? cause, probed: stop !== undefined })
}

function rebooted(draft: Draft, cause: Cause): void {
  draft.memory = change(draft.memory, { failures: 0, diedAt: undefined, next: { ...cause, unasked: false } })
  record(draft, 'Pending', cause)
}

/** Counts a death that nobody asked for, or that a probe did. */
function died(
  draft: Draft,
  run: ExitedRun,
  { ok, lived, cause, probed }: { readonly ok: boolean; readonly lived: Millis; readonly cause: Cause; readonly probed: boolean },
): void {
  const { memory, instance, time } = draft
  const { backoff } = instance.spec.template
  const failures = failuresAfter(backoff, memory.failures, lived)
  draft.memory = change(memory, {
    failures,
    // A time of an earlier boot is 0 and would end any wait at once; a time to come would lengthen it.
    diedAt: run.exitedAtMonotonic > 0 ? Math.min(run.exitedAtMonotonic, time.monotonic) : time.monotonic,
    startError: undefined,
    ended: ok ? 'well' : 'badly',
    next: { cause: cause.cause, message: `Restarted. ${cause.message}`, unasked: true },
  })
  if (!probed) record(draft, phaseAfter(instance.spec.template.restartPolicy, ok), cause)
  if (probed) return
  // Without the length of this life, so that the next such death is the same Event once more.
  const { message } = causeOfDeath(run.exit, undefined, requestedSignal(draft))
  const reason = cause.cause === 'SignalFromOutside' || cause.cause === OOM_KILLED ? cause.cause : 'Exited'
  emit(draft, ok ? 'Normal' : 'Warning', reason, message)
}

function phaseAfter(policy: 'Always' | 'OnFailure' | 'Never', ok: boolean): 'Pending' | 'Succeeded' | 'Failed' {
  if (policy === 'Always' || (policy === 'OnFailure' && !ok)) return 'Pending'
  return ok ? 'Succeeded' : 'Failed'
}

/** The runtime has no record of a run that should be there: its directory was taken away. What it ran can't be known. */
function absorbLoss(draft: Draft): void {
  const { observed, memory, time } = draft
  if (memory.run === undefined || memory.run.over) return
  if (observed.run !== undefined && attemptOf(observed.run.id) >= memory.run.attempt) return
  const message = 'The record of the run is gone from the data directory'
  draft.memory = change(memory, {
    run: { ...memory.run, over: true, ready: { value: false, at: time.now } },
    stop: undefined,
    next: { cause: 'RunLost', message, unasked: false },
    lastTermination: { reason: 'Unknown', message, startedAt: memory.run.startedAt, finishedAt: time.now },
  })
  record(draft, 'Pending', { cause: 'RunLost', message })
}

function requestedSignal({ observed, memory }: Draft): string | undefined {
  return observed.requestedSignal?.attempt === memory.run?.attempt ? observed.requestedSignal?.signal : undefined
}

/** A stop that makes up for a fault: it goes through the backoff as a death does. */
export function isFailure(reason: StopReason): boolean {
  return reason === 'LivenessProbeFailed' || reason === 'StartupProbeFailed'
}

/** How long a run lived; undefined when it began or ended in another boot. */
function lifeOf(run: ExitedRun): Millis | undefined {
  if (run.startedAtMonotonic <= 0 || run.exitedAtMonotonic <= 0) return undefined
  return Math.max(0, run.exitedAtMonotonic - run.startedAtMonotonic)
}

function endedBy({ exit }: ExitedRun): string {
  if (exit.by === 'code') return `Exited with code ${exit.code}`
  return exit.by === 'signal' ? `Ended by ${exit.signal}` : 'Ended'
}
