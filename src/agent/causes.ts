import type { Instance } from '../generated/types.ts'
import type { Cause, Launched, Memory, StopReason } from './memory.ts'
import type { Observed } from './situation.ts'

/** A reason to stop a live run: what to remember it by, and what to tell people. */
export interface StopCause {
  readonly reason: StopReason
  readonly cause: Cause
}

/** The fields of a spec that ask for a new start when they change. */
export function launchedOf(instance: Instance): Launched {
  const { revision, restartedAt, rolloutRestartedAt } = instance.spec
  return {
    revision,
    ...(restartedAt === undefined ? {} : { restartedAt }),
    ...(rolloutRestartedAt === undefined ? {} : { rolloutRestartedAt }),
  }
}

/** What in the spec asks for a new start since the last one; undefined when nothing does. */
export function askedAnew(instance: Instance, launched: Launched | undefined): StopCause | undefined {
  if (launched === undefined) return undefined
  const { revision, restartedAt, rolloutRestartedAt, rolloutActor } = instance.spec
  if (revision !== launched.revision) {
    const message = `Revision ${revision} takes the place of ${launched.revision}`
    return { reason: 'Rollout', cause: by({ cause: 'Rollout', message }, rolloutActor) }
  }
  if (restartedAt !== undefined && restartedAt !== launched.restartedAt) {
    const message = `A restart of this Instance was asked for at ${restartedAt}`
    return { reason: 'RestartRequested', cause: by({ cause: 'RestartRequested', message }, managerOf(instance, 'restartedAt')) }
  }
  if (rolloutRestartedAt !== undefined && rolloutRestartedAt !== launched.rolloutRestartedAt) {
    const message = `A restart of Process ${instance.spec.process} was asked for at ${rolloutRestartedAt}`
    return { reason: 'RestartRequested', cause: by({ cause: 'RestartRequested', message }, rolloutActor) }
  }
  return undefined
}

/** A dependency with onRestart: Restart whose Instances have been started anew since this run began, and which is met again. */
export function dependencyRestart(instance: Instance, memory: Memory, observed: Observed): StopCause | undefined {
  const known = memory.run?.dependencies ?? {}
  const restarted = (instance.spec.template.dependsOn ?? []).find((dependency, index) => {
    const state = observed.dependencies[index]
    const before = known[dependency.name]
    if (dependency.onRestart !== 'Restart' || state === undefined || !state.met || before === undefined) return false
    return Object.entries(state.attempts).some(([uid, attempt]) => attempt > (before[uid] ?? Number.POSITIVE_INFINITY))
  })
  if (restarted === undefined) return undefined
  const message = `Process ${restarted.name}, which it depends on, was started anew`
  return { reason: 'DependencyRestarted', cause: { cause: 'DependencyRestarted', message } }
}

/** Who asked for it to be stopped, as far as the object tells. */
export function stopRequest({ instance, observed }: { readonly instance: Instance; readonly observed: Observed }): StopCause {
  if (instance.metadata.deletionTimestamp !== undefined) {
    return { reason: 'Deleted', cause: { cause: 'Deleted', message: `Deletion was asked for at ${instance.metadata.deletionTimestamp}` } }
  }
  if (observed.draining === true) {
    const message = 'The server is being stopped together with its processes'
    return { reason: 'StopRequested', cause: { cause: 'ServerDrained', message } }
  }
  const cause = { cause: 'StopRequested', message: 'desiredState is Stopped' }
  return { reason: 'StopRequested', cause: by(cause, managerOf(instance, 'desiredState')) }
}

export function startRequest(instance: Instance, memory: Memory): Cause {
  if (memory.attempt === 0) return { cause: 'Created', message: `First start of ${instance.metadata.name}` }
  return by({ cause: 'StartRequested', message: 'desiredState is Running' }, managerOf(instance, 'desiredState'))
}

/** The manager that wrote a field of spec last, of those that are people's tools and not the server's own parts. */
export function managerOf(instance: Instance, field: string): string | undefined {
  const owner = (instance.metadata.managedFields ?? []).findLast((entry) => {
    const spec: unknown = Object.entries(entry.fieldsV1 ?? {}).find(([name]) => name === 'f:spec')?.[1]
    return typeof spec === 'object' && spec !== null && `f:${field}` in spec && !OWN_MANAGERS.has(entry.manager ?? '')
  })
  return owner?.manager
}

/** Managers that only pass on what somebody else has asked for. */
const OWN_MANAGERS: ReadonlySet<string> = new Set(['', 'pmk-controllers', 'pmk-agent'])

function by(cause: Cause, actor: string | undefined): Cause {
  return actor === undefined ? cause : { ...cause, actor }
}
