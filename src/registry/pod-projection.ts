import type { Condition, Instance, ObjectMeta, Pod, PodContainerState, ProcessTemplate, Termination } from '../generated/types.ts'
import type { Projection } from './projection.ts'

/**
 * What Kubernetes' tools take an Instance for: a Pod of the same name, uid and version, owned by the Process, with one container
 * that has the Process' name. What has no counterpart is left out, environment variables with their values among it.
 */
export const podProjection: Projection<Instance, Pod> = { project: podOf }

function podOf({ metadata, spec, status = {} }: Instance): Pod {
  const { process: name, nodeName, template } = spec
  const program = programOf(template)
  const image = status.command?.[0] ?? program[0] ?? name
  const phase = phaseOf(status)
  const reason = metadata.deletionTimestamp === undefined ? status.reason : 'Terminating'
  const ready = status.ready ?? false
  const last = status.lastTermination
  const state = stateOf(status)
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: withoutOwners(metadata),
    spec: {
      containers: [
        {
          name,
          image,
          command: program,
          ...(template.args === undefined ? {} : { args: template.args }),
          ...(template.workingDir === undefined ? {} : { workingDir: template.workingDir }),
          resources: { limits: limitsOf(template) },
        },
      ],
      nodeName,
      restartPolicy: template.restartPolicy,
      terminationGracePeriodSeconds: template.terminationGracePeriodSeconds,
    },
    status: {
      ...(status.observedGeneration === undefined ? {} : { observedGeneration: status.observedGeneration }),
      phase,
      ...(reason === undefined || reason === phase ? {} : { reason }),
      ...(status.message === undefined ? {} : { message: status.message }),
      startTime: metadata.creationTimestamp,
      conditions: conditionsOf(metadata, nodeName, status),
      containerStatuses: [
        {
          name,
          ready,
          started: status.pid !== undefined && status.phase === 'Running',
          restartCount: status.restartCount ?? 0,
          image,
          imageID: '',
          state,
          lastState: last === undefined || state.terminated !== undefined ? {} : { terminated: terminatedOf(last) },
        },
      ],
    },
  }
}

type Status = NonNullable<Instance['status']>

/** Who owns which field is said of the fields of an Instance. */
function withoutOwners({ managedFields: _, ...metadata }: ObjectMeta): ObjectMeta {
  return metadata
}

/** The script itself may be long, and belongs to the Instance. */
function programOf({ command, script, interpreter }: ProcessTemplate): readonly string[] {
  return script === undefined ? (command ?? []) : (interpreter ?? [])
}

function limitsOf({ resources }: ProcessTemplate): Readonly<Record<string, string>> {
  const { cpu, memory } = resources?.limits ?? {}
  return { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) }
}

/** A Pod whose program is stopping still runs; of one that was stopped all is over, and nothing went wrong. */
function phaseOf({ phase = 'Pending' }: Status): Pod['status']['phase'] {
  switch (phase) {
    case 'Starting':
    case 'Stopping':
      return 'Running'
    case 'Stopped':
      return 'Succeeded'
    default:
      return phase
  }
}

function stateOf({ phase, reason = 'Pending', message, pid, startedAt, lastTermination }: Status): PodContainerState {
  if (pid !== undefined) return { running: startedAt === undefined ? {} : { startedAt } }
  const isOver = phase === 'Stopping' || phase === 'Stopped' || phase === 'Succeeded' || phase === 'Failed'
  if (isOver && lastTermination !== undefined) return { terminated: terminatedOf(lastTermination) }
  return { waiting: { reason, ...(message === undefined ? {} : { message }) } }
}

function terminatedOf({ exitCode = UNKNOWN_EXIT, signal, reason, message, startedAt, finishedAt }: Termination) {
  return {
    exitCode,
    ...(signal === undefined || exitCode <= SIGNALED ? {} : { signal: exitCode - SIGNALED }),
    reason,
    ...(message === undefined ? {} : { message }),
    ...(startedAt === undefined ? {} : { startedAt }),
    finishedAt,
  }
}

/** As of a process that was killed: clients read an exit code that isn't there as 0, which is success. */
const UNKNOWN_EXIT = 137
/** An exit code beyond this is a signal's number and this. */
const SIGNALED = 128

function conditionsOf({ creationTimestamp }: ObjectMeta, nodeName: string, { conditions = [] }: Status): readonly Condition[] {
  const known = conditions.find(({ type }) => type === 'Ready')
  const ready: Omit<Condition, 'type'> = known ?? { status: 'False', lastTransitionTime: creationTimestamp }
  return [
    { type: 'PodScheduled', status: nodeName === '' ? 'False' : 'True', lastTransitionTime: creationTimestamp },
    { type: 'Initialized', status: 'True', lastTransitionTime: creationTimestamp },
    { ...ready, type: 'ContainersReady' },
    { ...ready, type: 'Ready' },
  ]
}
