import type { Instance } from '../generated/types.ts'
import type { Run } from '../runtime/runtime.ts'
import { absorb } from './absorb.ts'
import { millis } from './backoff.ts'
import { absorbIntent, type Intent, intentOf, suspensionCheck } from './intent.ts'
import { change, type Memory, type RunMemory, type Time } from './memory.ts'
import { whileRunning } from './running.ts'
import { type Activity, type Decision, type Draft, emit, type Observed, type Plan, record } from './situation.ts'
import { whileDown } from './starting.ts'
import { continueStop } from './stop-sequence.ts'

/** A tree that was killed and is still there is killed again after so long. */
const SWEEP_AGAIN = 1_000

/**
 * The whole supervision policy: start, restart, back off, give up, probe, stop, escalate, forget. Reads nothing and changes
 * nothing; the same input gives the same answer. The caller saves `memory`, does the step, makes the activity and the
 * probes be what they should be, and asks again until there is no step.
 */
export function plan(instance: Instance, memory: Memory, observed: Observed, time: Time): Plan {
  const draft: Draft = { instance, observed, time, memory, events: [] }
  const intent = intentOf(instance, time, observed.draining === true)
  absorb(draft)
  absorbIntent(draft, intent)
  const { standing, step, activity, probing, lookAgainAfter } = decide(draft, intent)
  const looks = [lookAgainAfter, suspensionCheck(instance, time)].filter((look) => look !== undefined)
  return {
    memory: draft.memory,
    steps: step === undefined ? [] : [step],
    ...(activity === undefined ? {} : { activity }),
    probing: probing ?? [],
    standing,
    events: draft.events,
    ...(looks.length === 0 ? {} : { lookAgainAfter: Math.max(1, Math.min(...looks)) }),
  }
}

function decide(draft: Draft, intent: Intent): Decision {
  const run = draft.observed.run
  // A stop that has begun is carried to its end, whatever people say meanwhile: half stopped is nobody's wish.
  if (run !== undefined && draft.memory.stop !== undefined) {
    if (isAlive(run)) return continueStop(draft, run)
    draft.memory = change(draft.memory, { stop: undefined })
    record(draft, 'Stopped', { cause: 'Stopped', message: draft.memory.lastTermination?.message ?? 'Nothing of it is left' })
  }
  if (run?.state === 'running') return whileRunning(draft, run, intent)
  return clearUp(draft, run, intent) ?? whenDown(draft, intent)
}

/** After the main process has ended: what it left behind goes, and the postStop hooks run, before anything else. */
function clearUp(draft: Draft, run: (Run & { readonly state: 'exited' }) | undefined, intent: Intent): Decision | undefined {
  const { memory, instance, time } = draft
  const past = memory.run
  if (run === undefined || past === undefined || (past.cleaned && !run.leftovers)) return undefined
  if (intent === 'Hold') return held(draft)
  const { forking, lifecycle } = instance.spec.template
  // What a forking daemon leaves behind may be sessions that shall outlive its restart; they go when it is not wanted. What ran may
  // have been none: the template that makes it one may have come since.
  const mayLeave = forking !== undefined && memory.launched?.revision === instance.spec.revision && intent === 'Run'
  if (run.leftovers && !mayLeave) {
    const since = past.sweptAt === undefined ? Number.POSITIVE_INFINITY : time.monotonic - past.sweptAt
    const standing = { phase: 'Stopping', reason: 'Stopping', message: 'Ending the processes that the main process left behind' } as const
    if (since < SWEEP_AGAIN) return { standing, lookAgainAfter: SWEEP_AGAIN - since }
    setRun(draft, { ...past, sweptAt: time.monotonic })
    emit(draft, 'Normal', 'Killing', standing.message)
    return { standing, step: { type: 'killTree', id: run.id } }
  }
  const activity = past.cleaned ? undefined : postStop(draft, lifecycle?.postStop ?? [])
  if (activity !== undefined) {
    return { standing: { phase: 'Stopping', reason: 'Stopping', message: 'Its postStop hooks are running' }, activity }
  }
  return undefined
}

function postStop(
  draft: Draft,
  hooks: NonNullable<NonNullable<Instance['spec']['template']['lifecycle']>['postStop']>,
): Activity | undefined {
  const past = draft.memory.run
  if (past === undefined) return undefined
  const hook = hooks[past.postStop]
  if (hook === undefined) {
    setRun(draft, { ...past, cleaned: true })
    return undefined
  }
  const key = `postStop.${past.attempt}.${past.postStop}`
  const state = draft.observed.activity
  if (state?.key !== key || state.state !== 'done') return { key, exec: hook.exec, timeout: millis(hook.timeout) }
  if (!state.ok) emit(draft, 'Warning', 'FailedPostStopHook', `postStop hook ${past.postStop + 1}: ${state.message}`)
  setRun(draft, { ...past, postStop: past.postStop + 1 })
  return postStop(draft, hooks)
}

function whenDown(draft: Draft, intent: Intent): Decision {
  switch (intent) {
    case 'Run':
      return whileDown(draft)
    case 'Hold':
      return held(draft)
    case 'Stop':
      return {
        standing: {
          phase: 'Stopped',
          reason: 'Stopped',
          message: draft.observed.draining ? 'The server is being stopped' : 'desiredState is Stopped',
        },
      }
    case 'Delete':
      return { standing: { phase: 'Stopped', reason: 'Stopped', message: 'It is being deleted' }, step: { type: 'forget' } }
  }
}

function held(draft: Draft): Decision {
  const message = `Suspended: it is not running and is not started${draft.memory.next === undefined ? '' : `. ${draft.memory.next.message}`}`
  return { standing: { phase: 'Pending', reason: 'Suspended', message } }
}

function isAlive(run: Run): boolean {
  return run.state === 'running' || run.leftovers
}

function setRun(draft: Draft, run: RunMemory): void {
  draft.memory = { ...draft.memory, run }
}
