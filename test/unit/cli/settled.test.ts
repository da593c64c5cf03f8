import assert from 'node:assert/strict'
import { test } from 'node:test'
import { definitionOf } from '../../../src/api/scheme.ts'
import { structure } from '../../../src/api/structure.ts'
import { type Goal, hasFallen, isUnprobed, type Outcome, outcomeOf } from '../../../src/cli/settled.ts'
import type { Instance, InstanceStatus, Process } from '../../../src/generated/types.ts'

const time = (second: number): string => `2026-11-22T12:00:0${second}.000Z`

function processOf(spec: object = {}, observedGeneration = 3): Process {
  const object = {
    apiVersion: 'pmk.dev/v1',
    kind: 'Process',
    metadata: { name: 'web', namespace: 'default', uid: 'p', generation: 3, resourceVersion: '1' },
    spec: { command: ['web'], ...spec },
    status: { observedGeneration },
  }
  return structure(definitionOf('Process').schema, object, { defaults: true, nulls: 'drop' }) as object as Process
}

function instanceOf(status: InstanceStatus, spec: object = {}, index = 0): Instance {
  const object = {
    apiVersion: 'pmk.dev/v1',
    kind: 'Instance',
    metadata: { name: `web-${index}`, namespace: 'default', uid: `i${index}`, generation: 2, resourceVersion: '2' },
    spec: { process: 'web', index, nodeName: 'host', revision: 'web-1', template: { command: ['web'] }, ...spec },
    status: { observedGeneration: 2, revision: 'web-1', ...status },
  }
  return structure(definitionOf('Instance').schema, object, { defaults: true, nulls: 'drop' }) as object as Instance
}

const ready: InstanceStatus = { phase: 'Running', reason: 'Running', ready: true, attempt: 4 }
const running: Goal = { type: 'running', generation: 3 }
const stopped: Goal = { type: 'stopped', generation: 3 }
const anew: Goal = { ...running, anew: [{ name: 'web-0', generation: 2, attempt: 4 }] }
const rolled: Goal = { ...running, restartedAt: time(5) }

interface Row {
  readonly given: string
  readonly goal: Goal
  readonly process?: Process
  readonly instances: readonly Instance[]
  readonly expect: Outcome['state']
}

const rows: readonly Row[] = [
  { given: 'it is ready', goal: running, instances: [instanceOf(ready)], expect: 'done' },
  {
    given: 'the controller has not seen the write',
    goal: running,
    process: processOf({}, 2),
    instances: [instanceOf(ready)],
    expect: 'waiting',
  },
  {
    given: 'the agent has not seen the Instance',
    goal: running,
    instances: [instanceOf({ ...ready, observedGeneration: 1 })],
    expect: 'waiting',
  },
  { given: 'it has no Instance yet', goal: running, instances: [], expect: 'waiting' },
  {
    given: 'one of two is ready',
    goal: running,
    process: processOf({ replicas: 2 }),
    instances: [instanceOf(ready), instanceOf({ reason: 'Starting' }, {}, 1)],
    expect: 'waiting',
  },
  {
    given: 'a surplus Instance is not ready',
    goal: running,
    instances: [instanceOf(ready), instanceOf({ reason: 'Stopping' }, {}, 1)],
    expect: 'done',
  },
  { given: 'it is not ready', goal: running, instances: [instanceOf({ phase: 'Running', reason: 'NotReady' })], expect: 'waiting' },
  { given: 'it is blocked', goal: running, instances: [instanceOf({ phase: 'Pending', reason: 'Blocked' })], expect: 'waiting' },
  { given: 'it has ended well', goal: running, instances: [instanceOf({ phase: 'Succeeded', reason: 'Succeeded' })], expect: 'done' },
  {
    given: 'it crashes again and again',
    goal: running,
    instances: [instanceOf({ phase: 'Pending', reason: 'CrashLoopBackOff' })],
    expect: 'failed',
  },
  { given: 'it runs an old revision', goal: running, instances: [instanceOf({ ...ready, revision: 'web-0' })], expect: 'waiting' },
  {
    given: 'an old revision crashes, and the new one is on its way',
    goal: running,
    instances: [instanceOf({ reason: 'CrashLoopBackOff', revision: 'web-0' })],
    expect: 'waiting',
  },
  { given: 'it is gone', goal: running, process: undefined as unknown as Process, instances: [], expect: 'failed' },
  {
    given: 'somebody stopped it',
    goal: running,
    process: processOf({ desiredState: 'Stopped' }),
    instances: [instanceOf(ready)],
    expect: 'failed',
  },
  {
    given: 'what was told to start anew has not',
    goal: anew,
    instances: [instanceOf({ reason: 'GaveUp', attempt: 4 })],
    expect: 'waiting',
  },
  { given: 'what was told to start anew still is what it was', goal: anew, instances: [instanceOf(ready)], expect: 'waiting' },
  { given: 'what was told to start anew has, and is ready', goal: anew, instances: [instanceOf({ ...ready, attempt: 5 })], expect: 'done' },
  {
    given: 'what was told to start anew has, and failed again',
    goal: anew,
    instances: [instanceOf({ reason: 'StartError', attempt: 5 })],
    expect: 'failed',
  },
  {
    given: 'a restart has not come to it',
    goal: rolled,
    instances: [instanceOf({ ...ready, rolloutRestartedAt: time(1) })],
    expect: 'waiting',
  },
  { given: 'a restart has come to it', goal: rolled, instances: [instanceOf({ ...ready, rolloutRestartedAt: time(5) })], expect: 'done' },
  {
    given: 'a later restart has come to it',
    goal: rolled,
    instances: [instanceOf({ ...ready, rolloutRestartedAt: time(6) })],
    expect: 'done',
  },
  {
    given: 'it is stopped',
    goal: stopped,
    process: processOf({ desiredState: 'Stopped' }),
    instances: [instanceOf({ phase: 'Stopped' }, { desiredState: 'Stopped' })],
    expect: 'done',
  },
  {
    given: 'it is stopping',
    goal: stopped,
    process: processOf({ desiredState: 'Stopped' }),
    instances: [instanceOf({ phase: 'Stopping' }, { desiredState: 'Stopped' })],
    expect: 'waiting',
  },
  {
    given: 'the stop has not come to it',
    goal: stopped,
    process: processOf({ desiredState: 'Stopped' }),
    instances: [instanceOf({ phase: 'Stopped' })],
    expect: 'waiting',
  },
  { given: 'somebody started it', goal: stopped, instances: [instanceOf(ready)], expect: 'failed' },
]
for (const { given, goal, instances, expect, ...row } of rows) {
  test(`waiting until it is ${goal.type}, ${given}: ${expect}`, () => {
    const process = 'process' in row ? row.process : processOf()
    assert.equal(outcomeOf({ process, instances }, goal).state, expect)
  })
}

test('a program without probes that ends right after its start is told from one that was asked to', () => {
  const before = instanceOf({ ...ready, restartCount: 1 })
  assert.ok(isUnprobed(before))
  assert.ok(!isUnprobed(instanceOf(ready, { template: { command: ['web'], readinessProbe: { tcpSocket: { port: 1 } } } })))
  assert.equal(hasFallen(before, before), false)
  assert.equal(hasFallen(before, instanceOf({ phase: 'Pending', reason: 'CrashLoopBackOff', attempt: 4, restartCount: 1 })), true)
  assert.equal(hasFallen(before, instanceOf({ ...ready, attempt: 5, restartCount: 2 })), true, 'restarted unasked')
  assert.equal(hasFallen(before, instanceOf({ ...ready, attempt: 5, restartCount: 1 })), false, 'restarted by somebody')
  assert.equal(hasFallen(before, instanceOf({ phase: 'Stopping', attempt: 4, restartCount: 1 })), false)
  assert.equal(hasFallen(before, instanceOf({ phase: 'Succeeded', attempt: 4, restartCount: 1 })), false)
})
