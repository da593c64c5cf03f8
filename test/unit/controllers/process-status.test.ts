import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findCondition } from '../../../src/api/conditions.ts'
import { processStatus } from '../../../src/controllers/process-status.ts'
import { planRollout } from '../../../src/controllers/rollout.ts'
import type { Instance, Process, ProcessStatus } from '../../../src/generated/types.ts'
import { assertPartly } from '../../support/partly.ts'
import { instanceOf, NOW, processOf, revisionOf } from '../../support/process-objects.ts'

interface Row {
  readonly given: string
  readonly process?: Partial<Process['spec']>
  readonly metadata?: Partial<Process['metadata']>
  readonly prev?: ProcessStatus
  readonly instances: readonly Instance[]
  readonly obstacle?: string
  /** Reason, and a condition as `Ready=True`. */
  readonly expect: string
  readonly message?: RegExp
}

const revision = revisionOf('web-new')
const deleting = { deletionTimestamp: NOW, finalizers: ['pmk.dev/stop'] }
const longAgo = '2026-01-01T11:00:00Z'

const rows: readonly Row[] = [
  { given: 'all are ready', instances: two({}), expect: 'Running Ready=True Available=True Progressing=True/Complete', message: /2 of 2/ },
  { given: 'none is there yet', instances: [], expect: 'Starting Ready=False Available=False Progressing=True/Rolling', message: /0 of 2/ },
  {
    given: 'one is starting',
    instances: [instanceOf(0), instanceOf(1, { ready: false, phase: 'Starting' })],
    expect: 'Starting Ready=False Available=True Progressing=True/Rolling',
  },
  {
    given: 'one runs and is not ready',
    instances: [instanceOf(0), instanceOf(1, { ready: false, message: 'probe says no' })],
    expect: 'NotReady Ready=False Available=True Progressing=True/Rolling',
    message: /web-1: probe says no/,
  },
  {
    given: 'one is old',
    instances: [instanceOf(0), instanceOf(1, { revision: 'web-old' })],
    expect: 'Rolling Ready=False Available=True Progressing=True/Rolling',
    message: /1 of 2 Instances run the newest/,
  },
  {
    given: 'one is to be restarted by the roll',
    process: { restartedAt: NOW },
    instances: [instanceOf(0, { rolledAt: NOW }), instanceOf(1)],
    expect: 'Rolling Ready=False Available=True Progressing=True/Rolling',
  },
  {
    given: 'one crashes again and again',
    instances: [instanceOf(0), instanceOf(1, { ready: false, reason: 'CrashLoopBackOff', message: 'exit code 3' })],
    expect: 'CrashLoopBackOff Ready=False Available=True Progressing=True/Rolling',
    message: /^web-1: exit code 3$/,
  },
  {
    given: 'all crash',
    instances: two({ ready: false, reason: 'CrashLoopBackOff', message: 'exit code 3' }),
    expect: 'CrashLoopBackOff Ready=False Available=False Progressing=True/Rolling',
    message: /\(and 1 more\)/,
  },
  {
    given: 'giving up is worse than a crash',
    instances: [
      instanceOf(0, { ready: false, reason: 'CrashLoopBackOff' }),
      instanceOf(1, { ready: false, phase: 'Failed', reason: 'GaveUp' }),
    ],
    expect: 'GaveUp Ready=False Available=False Progressing=True/Rolling',
  },
  {
    given: 'the program is not found',
    instances: two({ ready: false, phase: 'Pending', reason: 'StartError', message: 'celery: not found' }),
    expect: 'StartError Ready=False Available=False Progressing=True/Rolling',
  },
  {
    given: 'a dependency is missing',
    instances: two({ ready: false, phase: 'Pending', reason: 'Blocked', message: 'redis is not Ready' }),
    expect: 'Blocked Ready=False Available=False Progressing=True/Rolling',
    message: /redis/,
  },
  {
    given: 'there is no Node',
    instances: [],
    obstacle: 'no node is ready',
    expect: 'Blocked Ready=False Available=False Progressing=True/Rolling',
    message: /no node/,
  },
  {
    given: 'all have ended well, and the roll with them',
    instances: two({ ready: false, phase: 'Succeeded', reason: 'Succeeded' }),
    expect: 'Succeeded Ready=False Available=False Progressing=True/Complete',
  },
  {
    given: 'it failed for good',
    instances: two({ ready: false, phase: 'Failed', reason: 'Failed', message: 'exit code 1' }),
    expect: 'Failed Ready=False Available=False Progressing=True/Rolling',
  },
  {
    given: 'it is to be stopped and still runs',
    process: { desiredState: 'Stopped' },
    instances: two({}),
    expect: 'Stopping Ready=False Available=False Progressing=True/Complete',
  },
  {
    given: 'it is stopped',
    process: { desiredState: 'Stopped' },
    instances: two({ ready: false, phase: 'Stopped' }),
    expect: 'Stopped Ready=False Available=False Progressing=True/Complete',
  },
  {
    given: 'none is wanted',
    process: { replicas: 0 },
    instances: [],
    expect: 'Stopped Ready=True Available=True Progressing=True/Complete',
  },
  {
    given: 'the last one goes',
    process: { replicas: 0 },
    instances: [instanceOf(0, { deleting: true })],
    expect: 'Stopping Ready=True Available=True Progressing=True/Complete',
  },
  {
    given: 'it is suspended',
    process: { suspend: true },
    instances: two({}),
    expect: 'Suspended Ready=True Available=True Progressing=True/Complete',
  },
  {
    given: 'the suspension is over',
    process: { suspend: true, suspendUntil: NOW },
    instances: two({}),
    expect: 'Running Ready=True Available=True Progressing=True/Complete',
  },
  {
    given: 'it is being deleted',
    metadata: deleting,
    instances: [instanceOf(0, { deleting: true })],
    expect: 'Stopping Ready=False Available=False Progressing=True/Complete',
    message: /1 Instance to be gone/,
  },
  {
    given: 'the agent has not seen the newest change',
    instances: [instanceOf(0), instanceOf(1, { status: { observedGeneration: 0 } })],
    expect: 'Running Ready=False/NotObserved Available=True Progressing=True/Complete',
  },
  {
    given: 'a roll is paused',
    process: strategy({ paused: true }),
    instances: two({ revision: 'web-old' }),
    expect: 'Running Ready=True Available=True Progressing=Unknown/Paused',
  },
  {
    given: 'old ones wait to be restarted',
    process: strategy({ type: 'OnDelete' }),
    instances: two({ revision: 'web-old' }),
    expect: 'Running Ready=True Available=True Progressing=True/WaitingForRestart',
  },
  {
    given: 'an Instance died after the roll was complete',
    prev: before({ reason: 'Complete', since: longAgo }),
    instances: [instanceOf(0), instanceOf(1, { ready: false, phase: 'Starting' })],
    expect: 'Starting Ready=False Available=True Progressing=True/Complete',
  },
  {
    given: 'a roll got no further for too long',
    prev: before({ reason: 'Rolling', since: longAgo, updated: 1 }),
    instances: [instanceOf(0), instanceOf(1, { revision: 'web-old' })],
    expect: 'Rolling Ready=False Available=True Progressing=False/ProgressDeadlineExceeded',
    message: /1 of 2/,
  },
  {
    given: 'a roll got further just now',
    prev: before({ reason: 'Rolling', since: longAgo, updated: 0 }),
    instances: [instanceOf(0), instanceOf(1, { revision: 'web-old' })],
    expect: 'Rolling Ready=False Available=True Progressing=True/Rolling',
  },
]

for (const { given, process: spec = {}, metadata = {}, prev, instances, obstacle, expect, message = /./ } of rows) {
  test(`${given}: ${expect}`, () => {
    const process = processOf({ replicas: 2, ...spec }, { metadata, status: prev })
    const { status } = report(process, instances, obstacle)
    assert.match(status.message ?? '', message)
    const [reason, ...conditions] = expect.split(' ')
    assert.equal(status.reason, reason)
    for (const condition of conditions) {
      const [type = '', value = '', why] = condition.split(/[=/]/)
      const found = findCondition(status.conditions, type)
      assert.equal(found?.status, value, `${type}: ${found?.message}`)
      if (why !== undefined) assert.equal(found?.reason, why)
      assert.equal(found?.observedGeneration, process.metadata.generation)
    }
  })
}

test('counts are of what is wanted, restarts of all', () => {
  const instances = [
    instanceOf(0, { status: { restartCount: 2 } }),
    instanceOf(1, { revision: 'web-old', status: { restartCount: 1 } }),
    instanceOf(2, { deleting: true, status: { restartCount: 4 } }),
  ]
  const { status } = report(processOf({ replicas: 2 }), instances)
  assertPartly(status, {
    replicas: 3,
    readyReplicas: 2,
    updatedReplicas: 1,
    availableReplicas: 2,
    restartCount: 7,
    updateRevision: 'web-new',
  })
  assert.equal(status.currentRevision, undefined, 'not before all run it')
})

test('the current revision is the last one that all ran', () => {
  const prev: ProcessStatus = { currentRevision: 'web-old', updateRevision: 'web-old' }
  const half = [instanceOf(0), instanceOf(1, { revision: 'web-old' })]
  assert.equal(report(processOf({ replicas: 2 }, { status: prev }), half).status.currentRevision, 'web-old')
  assert.equal(report(processOf({ replicas: 2 }, { status: prev }), two({})).status.currentRevision, 'web-new')
})

test('an unchanged world has an unchanged status', () => {
  const process = processOf({ replicas: 2 })
  const first = report(process, two({})).status
  const again = processStatusAt('2026-01-01T18:00:00.000Z', { ...process, status: first }, two({}))
  assert.deepEqual(again.status, first)
})

test('while a roll is under way somebody looks when its deadline passes', () => {
  const process = processOf({ replicas: 2 }, { status: before({ reason: 'Rolling', since: '2026-01-01T11:58:00Z', updated: 1 }) })
  const outcome = report(process, [instanceOf(0), instanceOf(1, { revision: 'web-old' })])
  assert.equal(outcome.lookAgainAfter, 180_000)
  assert.equal(report(processOf({ replicas: 2 }), two({})).lookAgainAfter, undefined)
})

test('fields that a host cannot honour are named once', () => {
  const gaps = { status: { hostGaps: ['nice: not allowed', 'oomScoreAdj: no choom'] } }
  const condition = findCondition(report(processOf({ replicas: 2 }), two(gaps)).status.conditions, 'HostSupports')
  assertPartly(condition, { status: 'False', message: "the host can't honour: nice: not allowed; oomScoreAdj: no choom" })
})

function report(process: Process, instances: readonly Instance[], obstacle?: string): ReturnType<typeof processStatus> {
  return processStatusAt(NOW, process, instances, obstacle)
}

function processStatusAt(
  now: string,
  process: Process,
  instances: readonly Instance[],
  obstacle?: string,
): ReturnType<typeof processStatus> {
  const rollout = planRollout({ process, instances, revision, now })
  return processStatus({ process, instances, revision, rollout, collisions: 0, now, ...(obstacle === undefined ? {} : { obstacle }) })
}

function two(shape: Parameters<typeof instanceOf>[1]): readonly Instance[] {
  return [instanceOf(0, shape), instanceOf(1, shape)]
}

function strategy(options: Partial<Process['spec']['updateStrategy']>): Partial<Process['spec']> {
  return { updateStrategy: { ...processOf({}).spec.updateStrategy, ...options } }
}

function before({
  reason,
  since,
  updated = 2,
}: {
  readonly reason: string
  readonly since: string
  readonly updated?: number
}): ProcessStatus {
  return {
    observedGeneration: 1,
    updateRevision: 'web-new',
    updatedReplicas: updated,
    availableReplicas: 2,
    lastProgressTime: since,
    conditions: [{ type: 'Progressing', status: 'True', reason, lastTransitionTime: since }],
  }
}
