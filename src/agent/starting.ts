import { formatDuration } from '../base/duration.ts'
import { attemptOf } from '../runtime/runtime.ts'
import { dueAt, isOverLimit, millis, withRestart } from './backoff.ts'
import { askedAnew, launchedOf } from './causes.ts'
import { formatLife } from './exits.ts'
import { type Cause, change, memoOf, type StartIntent } from './memory.ts'
import { type Decision, type Draft, emit, record } from './situation.ts'

/** Nothing runs, nothing is left of the last run, and it is wanted: start it, or say what it waits for. */
export function whileDown(draft: Draft): Decision {
  skipWaitsWhenAsked(draft)
  return finished(draft) ?? gaveUp(draft) ?? backedOff(draft) ?? delayed(draft) ?? blocked(draft) ?? start(draft)
}

/** A new revision or a restart asked for wipes out waits, surrender and completion. */
function skipWaitsWhenAsked(draft: Draft): void {
  const asked = askedAnew(draft.instance, draft.memory.launched)
  if (asked === undefined) return
  draft.memory = change(draft.memory, {
    launched: launchedOf(draft.instance),
    failures: 0,
    diedAt: undefined,
    startError: undefined,
    ended: undefined,
    gaveUpAt: undefined,
    restarts: [],
    starting: undefined,
    next: { ...asked.cause, unasked: false },
  })
}

function finished({ memory, instance }: Draft): Decision | undefined {
  const { restartPolicy } = instance.spec.template
  if (memory.ended === undefined || memory.starting !== undefined) return undefined
  if (restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && memory.ended === 'badly')) return undefined
  const phase = memory.ended === 'well' ? 'Succeeded' : 'Failed'
  return {
    standing: {
      phase,
      reason: phase,
      message: `${memory.next?.message.replace(/^Restarted\. /, '') ?? 'Ended'}; restartPolicy is ${restartPolicy}`,
    },
  }
}

function gaveUp(draft: Draft): Decision | undefined {
  const { memory, instance, time } = draft
  const { restartLimit } = instance.spec.template
  if (restartLimit.count === 0 || memory.starting !== undefined) return undefined
  if (memory.gaveUpAt === undefined) {
    if (memory.next?.unasked !== true || !isOverLimit(restartLimit, memory.restarts, time.monotonic)) return undefined
    draft.memory = { ...memory, gaveUpAt: time.monotonic }
    const message = `Gave up after ${restartLimit.count} restarts within ${restartLimit.window}`
    record(draft, 'Failed', { cause: 'GaveUp', message })
    emit(draft, 'Warning', 'GaveUp', message)
  }
  const since = draft.memory.gaveUpAt ?? time.monotonic
  const { retryAfter } = restartLimit
  const message = `Gave up after ${restartLimit.count} restarts within ${restartLimit.window}`
  if (retryAfter === undefined) {
    return { standing: { phase: 'Failed', reason: 'GaveUp', message: `${message}; start or restart it to try again` } }
  }
  const left = since + millis(retryAfter) - time.monotonic
  if (left > 0) return { standing: { phase: 'Failed', reason: 'GaveUp', message, nextStartIn: left }, lookAgainAfter: left }
  const next = { cause: 'RetryAfterGivingUp', message: `Tried again ${retryAfter} after giving up`, unasked: true }
  draft.memory = change(draft.memory, { gaveUpAt: undefined, failures: 0, diedAt: undefined, restarts: [], next })
  return undefined
}

function backedOff(draft: Draft): Decision | undefined {
  const { memory, instance, time } = draft
  if (memory.starting !== undefined) return undefined
  const due = dueAt(instance.spec.template.backoff, memory, instance.metadata.uid)
  const left = (due ?? 0) - time.monotonic
  if (due === undefined || left <= 0) return undefined
  const times = memory.failures === 1 ? 'once' : `${memory.failures} times`
  const what = memory.startError === undefined ? `Ended ${times} in a row` : `Could not be started, ${times} in a row`
  const message = `${what}; the next start waits ${formatLife(due - (memory.diedAt ?? due))}`
  const cause = { cause: 'Backoff', message }
  if (memory.transitions.at(-1)?.message !== message)
    emit(draft, 'Warning', 'BackOff', 'Waiting before the next start, because it has ended too soon too often')
  record(draft, 'Pending', cause)
  const standing =
    memory.startError === undefined
      ? ({ phase: 'Pending', reason: 'CrashLoopBackOff', message, nextStartIn: left } as const)
      : ({ phase: 'Pending', reason: 'StartError', message: memory.startError.message, nextStartIn: left } as const)
  return { standing, lookAgainAfter: left }
}

function delayed({ memory, instance, time }: Draft): Decision | undefined {
  const delay = millis(instance.spec.template.startDelay)
  if (memory.wantedAt === undefined || delay === 0) return undefined
  const left = memory.wantedAt + delay - time.monotonic
  if (left <= 0) return undefined
  const message = `startDelay lets it wait ${formatDuration(delay)}`
  return { standing: { phase: 'Pending', reason: 'Delayed', message, nextStartIn: left }, lookAgainAfter: left }
}

function blocked(draft: Draft): Decision | undefined {
  const { instance, observed, time } = draft
  const { dependsOn = [] } = instance.spec.template
  const unmet = dependsOn.filter((_, index) => observed.dependencies[index]?.met !== true)
  if (unmet.length === 0) {
    draft.memory = change(draft.memory, { blockedAt: undefined })
    return undefined
  }
  const since = draft.memory.blockedAt ?? time.monotonic
  draft.memory = { ...draft.memory, blockedAt: since }
  const lefts = unmet.map(({ timeout }) => (timeout === undefined ? Number.POSITIVE_INFINITY : since + millis(timeout) - time.monotonic))
  if (lefts.every((left) => left <= 0)) {
    const names = unmet.map(({ name }) => name).join(', ')
    if (draft.memory.starting === undefined)
      emit(draft, 'Warning', 'DependencyTimeout', `Started although ${names} is not there: the timeout is over`)
    return undefined
  }
  // A start that was about to happen is off; its preStart hooks run again when it comes.
  draft.memory = change(draft.memory, { starting: undefined })
  const messages = dependsOn.flatMap((_, index) => {
    const state = observed.dependencies[index]
    return state?.met === true ? [] : [state?.message ?? 'unknown dependency']
  })
  const message = `Waiting for its dependencies: ${messages.join('; ')}`
  record(draft, 'Pending', { cause: 'DependencyNotReady', message })
  const next = Math.min(...lefts.filter((left) => left > 0))
  return { standing: { phase: 'Pending', reason: 'Blocked', message }, ...(Number.isFinite(next) ? { lookAgainAfter: next } : {}) }
}

function start(draft: Draft): Decision {
  const intent = draft.memory.starting ?? intend(draft)
  const hook = draft.instance.spec.template.lifecycle?.preStart?.[intent.hook]
  const standing = { phase: 'Starting', reason: 'Starting', message: intent.cause.message } as const
  if (hook === undefined) {
    const { attempt, fresh } = intent
    return { standing, step: { type: 'start', attempt, fresh, memo: memoOf(draft.memory) } }
  }
  const key = `preStart.${intent.attempt}.${intent.hook}`
  const state = draft.observed.activity
  if (state?.key !== key || state.state !== 'done') {
    return { standing, activity: { key, exec: hook.exec, timeout: millis(hook.timeout) } }
  }
  if (state.ok) {
    draft.memory = { ...draft.memory, starting: { ...intent, hook: intent.hook + 1 } }
    return start(draft)
  }
  return hookFailed(draft, intent, state.message)
}

/** Gives out the next attempt number: from here on this start is under way, whatever becomes of the agent. */
function intend(draft: Draft): StartIntent {
  const { memory, instance, observed, time } = draft
  const newest = observed.run === undefined ? 0 : attemptOf(observed.run.id)
  const next: Cause & { readonly unasked: boolean } = memory.next ?? {
    cause: 'StartRequested',
    message: 'It is wanted and did not run',
    unasked: false,
  }
  const { unasked, ...cause } = next
  const intent: StartIntent = { attempt: Math.max(memory.attempt, newest) + 1, cause, hook: 0, fresh: !unasked }
  draft.memory = change(memory, {
    attempt: intent.attempt,
    starting: intent,
    launched: launchedOf(instance),
    // A failed launch was no death; only what follows a death is a restart.
    restartCount: memory.restartCount + (unasked && memory.startError === undefined ? 1 : 0),
    restarts: unasked ? withRestart(instance.spec.template.restartLimit, memory.restarts, time.monotonic) : memory.restarts,
  })
  return intent
}

function hookFailed(draft: Draft, intent: StartIntent, why: string): Decision {
  const message = `preStart hook ${intent.hook + 1} failed: ${why}`
  draft.memory = change(draft.memory, {
    starting: undefined,
    failures: draft.memory.failures + 1,
    diedAt: draft.time.monotonic,
    startError: { reason: 'PreStartHookFailed', message },
    next: { cause: 'Retry', message: `Tried again after: ${message}`, unasked: true },
    lastTermination: { reason: 'StartError', message, finishedAt: draft.time.now },
  })
  record(draft, 'Pending', { cause: 'PreStartHookFailed', message })
  emit(draft, 'Warning', 'FailedPreStartHook', message)
  return whileDown(draft)
}
