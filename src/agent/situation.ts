import type { Millis } from '../base/clock.ts'
import type { ExecAction, Instance, InstanceStatus, Transition } from '../generated/types.ts'
import type { Run, RunId, SignalName, SignalScope } from '../runtime/runtime.ts'
import type { Cause, Memory, Time } from './memory.ts'

export type ProbeName = 'startup' | 'readiness' | 'liveness'

/** What a probe's threshold has come to. Absent: neither threshold reached since the run began or the agent came. */
export interface ProbeVerdict {
  readonly passing: boolean
  /** The last failure, for people. */
  readonly message: string
}

/** Something with a command that takes its time: under way, or done and waiting to be taken note of. */
export type ActivityState =
  | { readonly key: string; readonly state: 'running' }
  | { readonly key: string; readonly state: 'done'; readonly ok: boolean; readonly message: string }

/** What a dependency is like now. */
export interface DependencyState {
  readonly met: boolean
  /** When not met: what is missing. */
  readonly message: string
  /** The attempts that its Instances are at, by uid. */
  readonly attempts: Readonly<Record<string, number>>
}

/** All that is seen of one Instance and its surroundings at one moment. */
export interface Observed {
  /** The newest run, as the runtime knows it. */
  readonly run: Run | undefined
  /** The attempt under `memory.starting` could not be launched. */
  readonly startFailure?: { readonly attempt: number; readonly reason: string; readonly message: string }
  /** Of the present run only. */
  readonly probes: { readonly [name in ProbeName]?: ProbeVerdict }
  /** One for each of template.dependsOn, in order. */
  readonly dependencies: readonly DependencyState[]
  /** Names of Instances that depend on this one, are going down too, and are not down yet. */
  readonly dependants: readonly string[]
  readonly activity?: ActivityState
  /** The last signal that somebody sent to this attempt through pmk. */
  readonly requestedSignal?: { readonly attempt: number; readonly signal: SignalName }
  /** The server goes down and takes its processes with it. */
  readonly draining?: boolean
  /** The end of the output of a run that has just ended. */
  readonly tail?: string
}

export type Step =
  | { readonly type: 'start'; readonly attempt: number; readonly fresh: boolean; readonly memo: string }
  | { readonly type: 'signal'; readonly id: RunId; readonly signal: SignalName; readonly scope: SignalScope }
  | { readonly type: 'killTree'; readonly id: RunId }
  /** Its processes were frozen because somebody asked for it; they go on. */
  | { readonly type: 'unpause'; readonly id: RunId }
  /** Forget the runs, then let the object go. */
  | { readonly type: 'forget' }

/** A command that should be under way now. Another key, or none, means that it should not be any more. */
export interface Activity {
  readonly key: string
  readonly exec: ExecAction
  readonly timeout: Millis
}

export interface AgentEvent {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}

/** How things stand, before it is dressed up as status. */
export interface Standing {
  readonly phase: NonNullable<InstanceStatus['phase']>
  readonly reason: string
  readonly message?: string
  readonly nextStartIn?: Millis
}

export interface Plan {
  readonly memory: Memory
  /** At most one; to be done once the memory is saved. Then look again. */
  readonly steps: readonly Step[]
  readonly activity?: Activity
  /** Probes that should be going on against the present run. */
  readonly probing: readonly ProbeName[]
  readonly standing: Standing
  readonly events: readonly AgentEvent[]
  readonly lookAgainAfter?: Millis
}

/** What a part of the policy decides; the rest of the Plan follows from the draft. */
export interface Decision {
  readonly standing: Standing
  readonly step?: Step
  readonly activity?: Activity
  readonly probing?: readonly ProbeName[]
  readonly lookAgainAfter?: Millis
}

/** Memory in the making during one call of plan, with the Events that its changes are worth. Never leaves that call. */
export interface Draft {
  readonly instance: Instance
  readonly observed: Observed
  readonly time: Time
  memory: Memory
  readonly events: AgentEvent[]
}

/** How many transitions are kept, as the schema says. */
const KEPT_TRANSITIONS = 20

/** Writes down a change of phase and its cause; the same one twice in a row is written once. */
export function record(draft: Draft, phase: Standing['phase'], cause: Cause, pid?: number): void {
  const { memory, time } = draft
  const last = memory.transitions.at(-1)
  if (last?.phase === phase && last.cause === cause.cause && last.message === cause.message) return
  const transition: Transition = {
    time: time.now,
    phase,
    cause: cause.cause,
    message: cause.message,
    ...(cause.actor === undefined ? {} : { actor: cause.actor }),
    ...(pid === undefined ? {} : { pid }),
  }
  draft.memory = { ...memory, transitions: [...memory.transitions, transition].slice(-KEPT_TRANSITIONS) }
}

export function emit(draft: Draft, type: AgentEvent['type'], reason: string, message: string): void {
  draft.events.push({ type, reason, message })
}
