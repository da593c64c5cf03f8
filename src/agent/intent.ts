import { epochOf, type Millis } from '../base/clock.ts'
import type { Instance } from '../generated/types.ts'
import { startRequest, stopRequest } from './causes.ts'
import { change, type Time } from './memory.ts'
import { type Draft, record } from './situation.ts'

/** What people want of an Instance now. Hold: watch and report, correct nothing. */
export type Intent = 'Run' | 'Hold' | 'Stop' | 'Delete'

/** The end of a suspension is on the wall clock, which may be set: look again at least this often. */
const LONGEST_LOOK: Millis = 30_000

export function intentOf(instance: Instance, time: Time, draining: boolean): Intent {
  if (instance.metadata.deletionTimestamp !== undefined) return 'Delete'
  if (draining) return 'Stop'
  if (isSuspended(instance, time)) return 'Hold'
  return instance.spec.desiredState === 'Running' ? 'Run' : 'Stop'
}

function isSuspended({ spec }: Instance, { now }: Time): boolean {
  if (!spec.suspend) return false
  return spec.suspendUntil === undefined || epochOf(now) < epochOf(spec.suspendUntil)
}

/** When to see whether a suspension has ended by itself. */
export function suspensionCheck({ spec }: Instance, { now }: Time): Millis | undefined {
  if (!spec.suspend || spec.suspendUntil === undefined) return undefined
  const left = epochOf(spec.suspendUntil) - epochOf(now)
  return left > 0 ? Math.min(left, LONGEST_LOOK) : undefined
}

/** Notes what people have changed their mind about since the last look: suspend, resume, start, stop. */
export function absorbIntent(draft: Draft, intent: Intent): void {
  absorbSuspension(draft, intent === 'Hold')
  if (intent === 'Hold') return
  const { memory, instance, time } = draft
  const wanted = intent === 'Run'
  if (wanted === memory.wanted) return
  if (!wanted) {
    draft.memory = change(memory, { wanted, wantedAt: undefined, blockedAt: undefined, starting: undefined })
    // A live run tells of it when it is stopped.
    if (memory.run?.over !== false && memory.attempt > 0) record(draft, 'Stopped', stopRequest(draft).cause)
    return
  }
  draft.memory = change(memory, {
    wanted,
    wantedAt: time.monotonic,
    failures: 0,
    diedAt: undefined,
    startError: undefined,
    ended: undefined,
    gaveUpAt: undefined,
    restarts: [],
    // What was asked for while it was down is part of this start; a run that lives is still compared with what it was started with.
    launched: draft.observed.run?.state === 'running' ? memory.launched : undefined,
    next: { ...startRequest(instance, memory), unasked: false },
  })
}

function absorbSuspension(draft: Draft, suspended: boolean): void {
  const { memory, observed } = draft
  if (suspended === memory.suspended) return
  draft.memory = { ...memory, suspended }
  const phase = observed.run?.state === 'running' ? 'Running' : 'Pending'
  const cause = suspended
    ? { cause: 'Suspended', message: 'Suspended: it is watched, and nothing is corrected' }
    : { cause: 'Resumed', message: 'The suspension has ended' }
  record(draft, phase, cause)
}
