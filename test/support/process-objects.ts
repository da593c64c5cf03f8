import { definitionOf } from '../../src/api/scheme.ts'
import { structure } from '../../src/api/structure.ts'
import { epochOf, timestampOf } from '../../src/base/clock.ts'
import type { Instance, InstanceStatus, Process, Revision } from '../../src/generated/types.ts'

/** The time at which the tests of pure functions play. */
export const NOW = '2026-01-01T12:00:00.000Z'

export function processOf(
  spec: Partial<Process['spec']>,
  rest: { readonly metadata?: Partial<Process['metadata']>; readonly status?: Process['status'] } = {},
): Process {
  const metadata = { ...metadataOf('web'), ...rest.metadata }
  const body = { apiVersion: 'pmk.dev/v1', kind: 'Process', metadata, spec: { command: ['sleep', '1d'], ...spec } }
  const process = structure(definitionOf('Process').schema, body, { defaults: true, nulls: 'drop' }) as Process
  return rest.status === undefined ? process : { ...process, status: rest.status }
}

export function revisionOf(
  name: string,
  options: Partial<Omit<Revision, 'metadata'>> & { readonly metadata?: Partial<Revision['metadata']> } = {},
): Revision {
  const { metadata, ...rest } = options
  const spec = { process: 'web', template: { command: ['sleep', '1d'] } }
  return { apiVersion: 'pmk.dev/v1', kind: 'Revision', revision: 1, spec, ...rest, metadata: { ...metadataOf(name), ...metadata } }
}

export interface InstanceShape {
  /** Of its spec. Default: web-new. */
  readonly revision?: string
  /** Revision of its program. Default: that of its spec. */
  readonly runs?: string
  readonly ready?: boolean
  readonly phase?: InstanceStatus['phase']
  readonly reason?: string
  readonly message?: string
  /** Seconds for which it has been ready. */
  readonly readyFor?: number
  /** Restart of the Process that its spec has, and that its program has. */
  readonly rolledAt?: string
  readonly ranAt?: string
  readonly restartedAt?: string
  readonly deleting?: boolean
  readonly nodeName?: string
  readonly status?: Partial<InstanceStatus>
}

/** An Instance of the Process `web` that runs the newest revision well, but for what is said. */
export function instanceOf(index: number, shape: InstanceShape = {}): Instance {
  const { revision = 'web-new', runs = revision, ready = true, phase = 'Running', readyFor = 3_600, rolledAt, ranAt = rolledAt } = shape
  const readySince = timestampOf(epochOf(NOW) - readyFor * 1_000)
  const deleted = shape.deleting === true ? { deletionTimestamp: NOW } : {}
  return {
    apiVersion: 'pmk.dev/v1',
    kind: 'Instance',
    metadata: { ...metadataOf(`web-${index}`), ...deleted },
    spec: {
      process: 'web',
      index,
      nodeName: shape.nodeName ?? 'a',
      revision,
      desiredState: 'Running',
      suspend: false,
      ...(rolledAt === undefined ? {} : { rolloutRestartedAt: rolledAt }),
      ...(shape.restartedAt === undefined ? {} : { restartedAt: shape.restartedAt }),
      template: processOf({}).spec,
    },
    status: {
      observedGeneration: 1,
      phase,
      reason: shape.reason ?? (ready ? 'Running' : 'NotReady'),
      ...(shape.message === undefined ? {} : { message: shape.message }),
      ready,
      revision: runs,
      ...(ranAt === undefined ? {} : { rolloutRestartedAt: ranAt }),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: readySince }],
      ...shape.status,
    },
  }
}

function metadataOf(name: string): Process['metadata'] {
  return { name, namespace: 'default', uid: `uid-${name}`, resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T10:00:00Z' }
}
