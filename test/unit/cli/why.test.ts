import assert from 'node:assert/strict'
import { test } from 'node:test'
import { definitionOf } from '../../../src/api/scheme.ts'
import { structure } from '../../../src/api/structure.ts'
import { type Evidence, explain } from '../../../src/cli/why-explain.ts'
import type { KeeperEvidence } from '../../../src/cli/why-source.ts'
import { whyText } from '../../../src/cli/why-text.ts'
import type {
  Event,
  Instance,
  InstanceStatus,
  ManagedFieldsEntry,
  ManifestSource,
  Process,
  ProcessStatus,
  Revision,
  Transition,
} from '../../../src/generated/types.ts'

const now = '2026-11-22T12:00:00.000Z'
const before = (seconds: number): string => new Date(Date.parse(now) - seconds * 1_000).toISOString()

interface Given {
  readonly spec?: object
  readonly status?: ProcessStatus
  readonly managers?: readonly ManagedFieldsEntry[]
  readonly instance?: InstanceStatus
  readonly instanceSpec?: object
  readonly revisions?: readonly Revision[]
  readonly labels?: Readonly<Record<string, string>>
  readonly keeper?: KeeperEvidence
}

function processOf({ spec = {}, status, managers = [], labels = {} }: Given): Process {
  const object = {
    apiVersion: 'pmk.dev/v1',
    kind: 'Process',
    metadata: { name: 'web', namespace: 'default', uid: 'p', generation: 1, resourceVersion: '1', labels, managedFields: managers },
    spec: { command: ['web'], ...spec },
    ...(status && { status }),
  }
  return structure(definitionOf('Process').schema, object, { defaults: true, nulls: 'drop' }) as object as Process
}

function instanceOf({ instance, instanceSpec = {} }: Given): Instance {
  const object = {
    apiVersion: 'pmk.dev/v1',
    kind: 'Instance',
    metadata: { name: 'web-0', namespace: 'default', uid: 'i', generation: 1, resourceVersion: '2' },
    spec: { process: 'web', index: 0, nodeName: 'host', revision: 'web-1', template: { command: ['web'] }, ...instanceSpec },
    ...(instance && { status: instance }),
  }
  return structure(definitionOf('Instance').schema, object, { defaults: true, nulls: 'drop' }) as object as Instance
}

function evidence(given: Given): Evidence {
  return { process: processOf(given), instances: [instanceOf(given)], revisions: given.revisions ?? [], keeper: given.keeper, now }
}

const text = (given: Given): string => whyText(explain(evidence(given)), now)

const wrote = (manager: string, field: string, seconds: number): ManagedFieldsEntry =>
  ({
    manager,
    operation: 'Update',
    apiVersion: 'pmk.dev/v1',
    time: `${before(seconds).slice(0, 19)}Z`,
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:spec': { [`f:${field}`]: {} } },
  }) as ManagedFieldsEntry

const change = (seconds: number, phase: string, cause: string, message: string, more: Partial<Transition> = {}): Transition => ({
  time: before(seconds),
  phase,
  cause,
  message,
  ...more,
})

const kept = { 'pmk.dev/source': 'infra', 'pmk.dev/source-namespace': 'ops' }

const sourceOf = (spec: object, status?: object): KeeperEvidence['source'] =>
  structure(
    definitionOf('ManifestSource').schema,
    {
      apiVersion: 'pmk.dev/v1',
      kind: 'ManifestSource',
      metadata: { name: 'infra', namespace: 'ops' },
      spec: { path: '/m', ...spec },
      status,
    },
    { defaults: true, nulls: 'drop' },
  ) as object as ManifestSource

const restoration = (seconds: number, message: string): Event =>
  ({ metadata: {}, reason: 'DriftRestored', message, lastTimestamp: before(seconds) }) as object as Event

interface Row extends Given {
  readonly title: string
  readonly tells: readonly RegExp[]
  readonly hides?: readonly RegExp[]
}

const started = { phase: 'Running', reason: 'Running', ready: true, pid: 42, startedAt: before(30) } as const
const rows: readonly Row[] = [
  {
    title: 'a dependency that is not ready',
    status: { reason: 'Blocked', message: 'web-0: Waiting for its dependencies: Process db is not ready' },
    instance: {
      phase: 'Pending',
      reason: 'Blocked',
      message: 'Waiting for its dependencies: Process db is not ready',
      transitions: [change(90, 'Pending', 'DependencyNotReady', 'Waiting for its dependencies: Process db is not ready')],
    },
    tells: [/^Process web is Blocked since 90s: .*db is not ready\.$/m, /starts by itself once they are/, /DependencyNotReady/],
  },
  {
    title: 'a backoff, with the next start, the deaths, the exit code and the output',
    status: { reason: 'CrashLoopBackOff', message: 'web-0: Ended 3 times in a row; the next start waits 20s' },
    instance: {
      phase: 'Pending',
      reason: 'CrashLoopBackOff',
      message: 'Ended 3 times in a row; the next start waits 20s',
      restartCount: 2,
      nextStartAt: before(-12),
      lastTermination: {
        reason: 'Error',
        exitCode: 3,
        message: 'Exited with code 3 after 10ms',
        finishedAt: before(8),
        tail: 'one\nno config\n',
      },
      transitions: [change(8, 'Pending', 'Backoff', 'Ended 3 times in a row; the next start waits 20s')],
    },
    tells: [
      /A backoff holds it back/,
      /Ended 3 times in a row/,
      /next start is in 12s, at 2026-11-22T12:00:12.000Z\. To start it now: pmk start web/,
      /It ended 8s ago: Exited with code 3 after 10ms\.\n {2}The end of its output:\n {4}one\n {4}no config\n/,
      /restarted 2 times without being asked/,
    ],
  },
  {
    title: 'a failed liveness probe, with its message',
    status: { reason: 'Running', message: '1 of 1 Instances are ready' },
    instance: {
      ...started,
      restartCount: 1,
      lastTermination: {
        reason: 'LivenessProbeFailed',
        signal: 'TERM',
        exitCode: 143,
        message: 'The liveness probe failed: I am sick. Ended by TERM',
        finishedAt: before(31),
        tail: 'aargh\n',
      },
      transitions: [
        change(35, 'Stopping', 'LivenessProbeFailed', 'The liveness probe failed: I am sick'),
        change(30, 'Running', 'LivenessProbeFailed', 'Restarted. The liveness probe failed: I am sick', { pid: 42 }),
      ],
    },
    tells: [
      /because of a failed liveness probe: .*I am sick/,
      /run before ended 31s ago: The liveness probe failed: I am sick\. Ended by TERM/,
      /aargh/,
    ],
  },
  {
    title: 'a readiness probe that fails now, and since when',
    status: { reason: 'NotReady', message: 'web-0: connection refused' },
    instance: {
      ...started,
      reason: 'NotReady',
      ready: false,
      message: 'connection refused',
      conditions: [{ type: 'Ready', status: 'False', reason: 'NotReady', lastTransitionTime: before(20) }],
      transitions: [
        change(30, 'Running', 'Created', 'First start of web-0', { pid: 42 }),
        change(20, 'Running', 'ReadinessProbeFailed', 'The readiness probe failed: connection refused', { pid: 42 }),
      ],
    },
    tells: [/web-0 is NotReady since 20s: connection refused/, /pid 42\) was started 30s ago, because of its creation/],
  },
  {
    title: 'a signal from outside',
    status: { reason: 'Running', message: '1 of 1 Instances are ready' },
    instance: {
      ...started,
      transitions: [change(30, 'Running', 'SignalFromOutside', 'Restarted. Ended by KILL after 5s, which pmk did not send', { pid: 42 })],
    },
    tells: [/because of a signal from outside pmk: Restarted\. Ended by KILL/],
  },
  {
    title: 'a rollout that is under way, with who asked for it',
    spec: { replicas: 2 },
    managers: [wrote('pmk', 'command', 40)],
    status: {
      reason: 'Rolling',
      message: '1 of 2 Instances run the newest revision',
      currentRevision: 'web-1',
      updateRevision: 'web-2',
      updatedReplicas: 1,
      conditions: [
        { type: 'Progressing', status: 'True', reason: 'Rolling', message: '1 of 2 Instances run the newest revision, 1 are available' },
      ],
    },
    revisions: [
      {
        apiVersion: 'pmk.dev/v1',
        kind: 'Revision',
        metadata: { name: 'web-2', namespace: 'default', uid: 'r', generation: 1, resourceVersion: '3' },
        revision: 7,
        spec: { process: 'web', cause: 'newer web', template: {} },
      } as object as Revision,
    ],
    instance: started,
    tells: [
      /written by pmk apply, 40s ago/,
      /A rollout from revision web-1 to revision web-2 \(number 7\) is under way, because: newer web: 1 of 2 Instances/,
    ],
  },
  {
    title: 'a rollout that started what runs now, and by whom',
    status: {
      reason: 'Running',
      message: '1 of 1 Instances are ready',
      currentRevision: 'web-2',
      updateRevision: 'web-2',
      updatedReplicas: 1,
    },
    instance: {
      ...started,
      transitions: [change(30, 'Running', 'Rollout', 'Revision web-2 takes the place of web-1', { actor: 'pmk', pid: 42 })],
    },
    tells: [
      /A rollout to revision web-2 started what runs now/,
      /because of a rollout by pmk apply: Revision web-2 takes the place of web-1/,
    ],
  },
  {
    title: "a user's restart",
    spec: { restartedAt: before(31) },
    managers: [wrote('pmk-restart', 'restartedAt', 31)],
    status: { reason: 'Running', message: '1 of 1 Instances are ready' },
    instance: {
      ...started,
      transitions: [
        change(30, 'Running', 'RestartRequested', `A restart of Process web was asked for at ${before(31)}`, {
          actor: 'pmk-restart',
          pid: 42,
        }),
      ],
    },
    tells: [/A restart was asked for by pmk restart, 31s ago\./, /because of a restart that was asked for by pmk restart/],
  },
  {
    title: 'an old restart is no news when something else started what runs now',
    spec: { restartedAt: before(900) },
    managers: [wrote('pmk-restart', 'restartedAt', 900)],
    status: { reason: 'Running', message: '1 of 1 Instances are ready' },
    instance: { ...started, transitions: [change(30, 'Running', 'Exit', 'Restarted. Exited with code 1 after 5s', { pid: 42 })] },
    tells: [/because of its own exit: Restarted\. Exited with code 1/],
    hides: [/A restart was asked for/],
  },
  {
    title: "a user's stop, and how to take it back",
    spec: { desiredState: 'Stopped' },
    managers: [wrote('pmk', 'command', 900), wrote('pmk-stop', 'desiredState', 10)],
    status: { reason: 'Stopped', message: 'desiredState is Stopped' },
    instance: {
      phase: 'Stopped',
      reason: 'Stopped',
      transitions: [
        change(10, 'Stopping', 'StopRequested', 'desiredState is Stopped'),
        change(9, 'Stopped', 'Stopped', 'desiredState is Stopped. Ended by TERM'),
      ],
    },
    tells: [/desiredState Stopped was written by pmk stop, 10s ago\. To start it: pmk start web/, /StopRequested +pmk stop /],
  },
  {
    title: 'a stop that a source has put back, the last time, and how to have it otherwise',
    labels: kept,
    keeper: {
      source: sourceOf({}, { ready: 'True' }),
      restorations: [restoration(5, 'ops/infra put back spec.desiredState, changed by pmk-stop'), restoration(500, 'an older one')],
    },
    instance: started,
    tells: [
      /^ops\/infra put back spec\.desiredState, changed by pmk-stop, 5s ago\. .*change it there.*: pmk suspend source\/infra -n ops$/m,
      /^It is kept as its manifest says by ManifestSource ops\/infra\. .*pmk describe source\/infra -n ops$/m,
    ],
    hides: [/an older one/],
  },
  {
    title: 'a source that wrote the stop itself',
    spec: { desiredState: 'Stopped' },
    managers: [wrote('source:ops/infra', 'desiredState', 10)],
    labels: kept,
    keeper: { source: sourceOf({}, { ready: 'False', message: 'Nothing was changed. web.yaml:3: bad.' }), restorations: [] },
    status: { reason: 'Stopped' },
    tells: [
      /desiredState Stopped was written by ManifestSource ops\/infra, 10s ago\. To start it, change its manifest$/m,
      /by ManifestSource ops\/infra, which is not Ready: Nothing was changed\. web\.yaml:3: bad\. More/,
    ],
    hides: [/pmk start/],
  },
  {
    title: 'a source that is suspended, and puts nothing back',
    labels: kept,
    keeper: { source: sourceOf({ suspend: true }), restorations: [restoration(5, 'ops/infra put back spec.replicas')] },
    instance: started,
    tells: [/ops\/infra put back spec\.replicas, 5s ago$/m, /was applied by ManifestSource ops\/infra, which is suspended/],
    hides: [/pmk suspend/],
  },
  {
    title: 'a source that has gone',
    labels: kept,
    keeper: { source: 'missing', restorations: [] },
    instance: started,
    tells: [/was applied by ManifestSource ops\/infra, which is not there any more/],
  },
  {
    title: "a user's suspension, with its end",
    spec: { suspend: true, suspendUntil: before(-60) },
    managers: [wrote('pmk-suspend', 'suspend', 5)],
    status: { reason: 'Suspended', message: 'suspended' },
    instance: { ...started, reason: 'Suspended', transitions: [change(5, 'Running', 'Suspended', 'Suspended: it is watched')] },
    tells: [/suspended until 2026-11-22T12:01:00.000Z \(in 60s\) by pmk suspend, 5s ago: .*pmk resume web/, /web-0 is Suspended since 5s/],
  },
  {
    title: 'a suspension whose time is over is not told of',
    spec: { suspend: true, suspendUntil: before(1) },
    status: { reason: 'Running', message: '1 of 1 Instances are ready' },
    instance: started,
    tells: [/Process web is Running/],
    hides: [/suspended/],
  },
  {
    title: 'a command that is not there, and what to do',
    status: { reason: 'StartError', message: 'web-0: "web" is in none of /bin' },
    instance: {
      phase: 'Pending',
      reason: 'StartError',
      message: '"web" is in none of /bin',
      nextStartAt: before(-3),
      lastTermination: { reason: 'StartError', message: '"web" is in none of /bin', finishedAt: before(4) },
      transitions: [
        change(4, 'Pending', 'CommandNotFound', '"web" is in none of /bin'),
        change(4, 'Pending', 'Backoff', 'Could not be started, once in a row; the next start waits 7s'),
      ],
    },
    tells: [
      /The last start failed 4s ago: "web" is in none of \/bin\./,
      /Install the program, give its full path in spec\.command/,
      /next start is in 3s/,
    ],
  },
  {
    title: 'giving up, and how to try again',
    status: { reason: 'GaveUp', message: 'web-0: Gave up after 3 restarts within 1m' },
    instance: {
      phase: 'Failed',
      reason: 'GaveUp',
      message: 'Gave up after 3 restarts within 1m',
      transitions: [change(60, 'Failed', 'GaveUp', 'Gave up')],
    },
    tells: [/web-0 is GaveUp since 60s/, /To try again: pmk start web/],
  },
  {
    title: 'an end that is final by its restartPolicy',
    status: { reason: 'Succeeded', message: 'every Instance has ended well' },
    instanceSpec: { template: { command: ['web'], restartPolicy: 'Never' } },
    instance: { phase: 'Succeeded', reason: 'Succeeded', message: 'Exited with code 0 after 1s; restartPolicy is Never' },
    tells: [/restartPolicy is Never\. To run it once more: pmk start web/],
  },
  {
    title: 'an agent that has not seen it yet',
    status: { reason: 'Starting', message: '0 of 1 Instances are ready' },
    tells: [/The agent of node host has yet to take note of it\./],
  },
]
for (const row of rows) {
  test(`why tells of ${row.title}`, () => {
    const told = text(row)
    for (const pattern of row.tells) assert.match(told, pattern)
    for (const pattern of row.hides ?? []) assert.doesNotMatch(told, pattern)
  })
}

test('why of an Instance tells of that one alone', () => {
  const given: Given = { status: { reason: 'Running', message: '2 of 2' }, instance: started }
  const only = instanceOf(given)
  const other = { ...only, metadata: { ...only.metadata, name: 'web-1' } }
  const explanation = explain({ ...evidence(given), instances: [only, other], only })
  assert.deepEqual(
    explanation.instances.map(({ name }) => name),
    ['web-0'],
  )
  assert.match(whyText(explanation, now), /^Instance web-0 is Running since 30s\.\n/)
})

test('what a program printed can not steer the terminal', () => {
  const told = text({
    status: { reason: 'Failed', message: 'bad' },
    instance: {
      phase: 'Failed',
      reason: 'Failed',
      lastTermination: { reason: 'Error', exitCode: 1, message: 'Exited with code 1', finishedAt: before(1), tail: '\u001b[2Jboo\n' },
    },
  })
  assert.match(told, /\^\[\[2Jboo/)
  assert.ok(!told.includes('\u001b'))
})
