import { epochOf, timestampOf } from '../base/clock.ts'
import type { Condition, Instance, InstanceStatus, ProcessTemplate } from '../generated/types.ts'
import type { HostGap, Run } from '../runtime/runtime.ts'
import type { Flag, Memory, Time } from './memory.ts'
import type { Plan } from './situation.ts'

/** What the whole status follows from. */
export interface StatusInput {
  readonly instance: Instance
  readonly plan: Plan
  readonly run: Run | undefined
  readonly time: Time
  /** The program's path as it was found for the present or last run. */
  readonly command: readonly string[] | undefined
  readonly gaps: readonly HostGap[]
  /** What was reported last. Not what a cache shows: it may be older, and times taken from it would go back and forth for ever. */
  readonly before: InstanceStatus | undefined
}

/** The status to report. The same situation gives the same status, so that nothing is written when nothing changed. */
export function statusOf({ instance, plan, run, time, command, gaps, before }: StatusInput): InstanceStatus {
  const { memory, standing } = plan
  const live = run?.state === 'running' ? run : undefined
  const past = memory.run
  const hostGaps = gapsOf(instance.spec.template, gaps)
  const lastNextStartAt = before?.nextStartAt
  return {
    observedGeneration: instance.metadata.generation,
    phase: standing.phase,
    reason: standing.reason,
    ...(standing.message === undefined ? {} : { message: standing.message }),
    ...(live === undefined ? {} : { pid: live.pid, startedAt: live.startedAt }),
    ready: live !== undefined && past?.ready.value === true,
    restartCount: memory.restartCount,
    ...(memory.attempt === 0 ? {} : { attempt: memory.attempt }),
    ...(standing.nextStartIn === undefined ? {} : { nextStartAt: nextStartAt(time, standing.nextStartIn, lastNextStartAt) }),
    ...launchedFields(memory),
    ...(command === undefined ? {} : { command }),
    ...(memory.lastTermination === undefined ? {} : { lastTermination: memory.lastTermination }),
    ...(memory.transitions.length === 0 ? {} : { transitions: memory.transitions }),
    ...(hostGaps.length === 0 ? {} : { hostGaps }),
    conditions: conditionsOf(before?.conditions ?? [], plan, live, time, hostGaps),
  }
}

function launchedFields({ launched }: Memory): Pick<InstanceStatus, 'revision' | 'rolloutRestartedAt'> {
  if (launched === undefined) return {}
  const { revision, rolloutRestartedAt } = launched
  return { revision, ...(rolloutRestartedAt === undefined ? {} : { rolloutRestartedAt }) }
}

/** Keeps what was said before when it is the same moment but for the time that reckoning took. */
function nextStartAt({ now }: Time, left: number, before: string | undefined): string {
  const at = epochOf(now) + left
  return before !== undefined && Math.abs(epochOf(before) - at) < 50 ? before : timestampOf(at)
}

function conditionsOf(
  before: readonly Condition[],
  { memory, standing }: Plan,
  live: (Run & { readonly state: 'running' }) | undefined,
  { now }: Time,
  hostGaps: readonly string[],
): readonly Condition[] {
  /** What is merely so keeps the time at which it was first said; a flag knows its own. */
  const since = (type: string, value: 'True' | 'False'): string => {
    const known = before.find((condition) => condition.type === type)
    return known?.status === value && known.lastTransitionTime !== undefined ? known.lastTransitionTime : now
  }
  const ofFlag = (type: string, flag: Flag | undefined): Condition => {
    if (flag?.value === true) return { type, status: 'True', reason: type, lastTransitionTime: flag.at }
    const message = flag?.message ?? standing.message
    const lastTransitionTime = flag?.at ?? since(type, 'False')
    return { type, status: 'False', reason: standing.reason, ...(message === undefined ? {} : { message }), lastTransitionTime }
  }
  const absent = (type: string, reason: string, message: string): Condition => {
    return { type, status: 'False', reason, message, lastTransitionTime: since(type, 'False') }
  }
  const present = (type: string, message: string | undefined): Condition => {
    return { type, status: 'True', reason: type, ...(message === undefined ? {} : { message }), lastTransitionTime: since(type, 'True') }
  }
  const run = live === undefined ? undefined : memory.run
  const lost = 'Its shim was killed. The program runs on; its exit code will be unknown'
  return [
    ofFlag('Started', run?.started),
    ofFlag('Ready', run?.ready),
    ...(live?.paused === true ? [present('Paused', standing.message)] : []),
    ...(live?.supervised === false ? [absent('Supervised', 'ShimLost', lost)] : []),
    ...(hostGaps.length === 0 ? [] : [absent('HostSupports', 'HostGaps', hostGaps.join('; '))]),
  ]
}

/** Sentences about what this host can't do of what the template asks for. */
export function gapsOf(template: ProcessTemplate, gaps: readonly HostGap[]): readonly string[] {
  return gaps.filter((gap) => asksFor(template, gap)).map(({ message }) => message)
}

function asksFor(template: ProcessTemplate, { field, below = 0 }: HostGap): boolean {
  const { securityContext, resources, rlimits, nice, ioPriority, oomScoreAdj, cpuAffinity } = template
  switch (field) {
    case 'identity':
      return (
        securityContext?.runAsUser !== undefined ||
        securityContext?.runAsGroup !== undefined ||
        securityContext?.supplementalGroups !== undefined
      )
    case 'noNewPrivileges':
      return securityContext?.noNewPrivileges === true
    case 'capabilities':
      return securityContext?.capabilities !== undefined
    case 'rlimits':
      return Object.keys(rlimits ?? {}).length > 0
    case 'nice':
      return nice !== undefined
    case 'ioPriority':
      return ioPriority !== undefined
    case 'oomScoreAdj':
      return oomScoreAdj !== undefined
    case 'cpuAffinity':
      return cpuAffinity !== undefined
    case 'limits.cpu':
      return resources?.limits?.cpu !== undefined
    case 'limits.memory':
      return resources?.limits?.memory !== undefined
    case 'limits.pids':
      return resources?.limits?.pids !== undefined
    case 'nice.below':
      return nice !== undefined && nice < below
    case 'oomScoreAdj.below':
      return oomScoreAdj !== undefined && oomScoreAdj < below
    case 'ioPriority.RealTime':
      return ioPriority?.class === 'RealTime'
    case 'mounts': {
      const { readOnlyPaths = [], hiddenPaths = [], privateTmp = false } = securityContext ?? {}
      return readOnlyPaths.length + hiddenPaths.length > 0 || privateTmp
    }
    default:
      // What concerns every process of the host is said once, of the Node.
      return false
  }
}
