import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Dependency, Hook } from '../../../src/generated/types.ts'
import { PolicyWorld, PROBE, type Spec, type Template } from '../../support/policy-world.ts'

interface Row {
  readonly given: string
  readonly template?: Template
  readonly spec?: Spec
  /** What happened before, without being looked at by the row. */
  readonly before?: (world: PolicyWorld) => void
  /** The situation. */
  readonly when: (world: PolicyWorld) => void
  /** What is done about it. */
  readonly expect: readonly string[]
  readonly reason?: string
  readonly phase?: string
  /** When to look again. */
  readonly wait?: number
  /** The cause written down last. */
  readonly cause?: string
  readonly message?: RegExp
  readonly also?: (world: PolicyWorld) => void
}

const HOOK: Hook = { exec: { command: ['hook'] }, timeout: '5s' }
const DEPENDENCY: Dependency = { name: 'db', kind: 'Process', condition: 'Ready', onRestart: 'Ignore' }
const up = (world: PolicyWorld): void => world.look()
const old = (world: PolicyWorld): void => {
  world.look()
  world.pass(60_000)
}
/** Dies so many times, each after a life of this length. */
const crashes = (count: number, lived: number) => (world: PolicyWorld) => {
  world.look()
  for (let n = 0; n < count; n++) {
    world.pass(lived)
    world.exit({ code: 1 })
  }
}
/** Dies as soon as it is started, so many times. */
const loop = (count: number) => (world: PolicyWorld) => {
  world.look()
  for (let n = 0; n < count; n++) {
    if (world.run?.state !== 'running') world.pass(world.wait ?? 0)
    world.exit({ code: 1 })
  }
}

const starting: readonly Row[] = [
  { given: 'it is new', when: up, expect: ['start 1'], reason: 'Running', phase: 'Running', cause: 'Created' },
  { given: 'it is new and not wanted', spec: { desiredState: 'Stopped' }, when: up, expect: [], reason: 'Stopped', phase: 'Stopped' },
  { given: 'it is new and suspended', spec: { suspend: true }, when: up, expect: [], reason: 'Suspended' },
  { given: 'it runs', before: up, when: up, expect: [], reason: 'Running' },
  {
    given: 'it is asked to start',
    spec: { desiredState: 'Stopped' },
    before: up,
    when: (w) => w.set({ desiredState: 'Running' }),
    expect: ['start 1'],
  },
  {
    given: 'it is asked to start again after a stop',
    before: (w) => {
      w.diesOf = ['TERM']
      w.look()
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => w.set({ desiredState: 'Running' }),
    expect: ['start 2'],
    cause: 'StartRequested',
    also: (w) => assert.equal(w.memory.restartCount, 0),
  },
  { given: 'it has a start delay', template: { startDelay: '5s' }, when: up, expect: [], reason: 'Delayed', wait: 5_000 },
  { given: 'its start delay is over', template: { startDelay: '5s' }, before: up, when: (w) => w.pass(5_000), expect: ['start 1'] },
  {
    given: 'it has a start delay and died',
    template: { startDelay: '5s' },
    before: (w) => {
      w.look()
      w.pass(60_000)
    },
    when: (w) => w.exit({ code: 1 }),
    expect: ['start 2'],
  },
  {
    given: 'it has a startup probe',
    template: { startupProbe: PROBE },
    when: up,
    expect: ['start 1'],
    reason: 'Starting',
    phase: 'Starting',
    also: (w) => assert.deepEqual(w.last?.probing, ['startup']),
  },
  {
    given: 'the launch can not work',
    before: (w) => {
      w.startError = { reason: 'CommandNotFound', message: '"prog" is in none of /usr/bin' }
    },
    when: up,
    expect: ['start 1'],
    reason: 'StartError',
    wait: 200,
    message: /is in none of/,
    cause: 'Backoff',
  },
  {
    given: 'the launch failed twice',
    before: (w) => {
      w.startError = { reason: 'CommandNotFound', message: 'gone' }
      w.look()
    },
    when: (w) => w.pass(200),
    expect: ['start 2'],
    reason: 'StartError',
    wait: 400,
  },
  {
    given: 'the launch works at last',
    before: (w) => {
      w.startError = { reason: 'UserNotFound', message: 'no user' }
      w.look()
      w.startError = undefined
    },
    when: (w) => w.pass(200),
    expect: ['start 2'],
    reason: 'Running',
    also: (w) => assert.equal(w.memory.restartCount, 0),
  },
  {
    given: 'the agent ended between deciding on a start and making it',
    before: (w) => {
      w.onStart = () => {
        throw new Error('killed')
      }
      assert.throws(() => w.look(), /killed/)
      w.onStart = () => {}
    },
    when: (w) => w.restartAgent(),
    expect: ['start 1'],
    reason: 'Running',
  },
  {
    given: 'a run is there of which the note knows nothing',
    before: up,
    when: (w) => w.restartAgent({ loseNote: true }),
    expect: [],
    reason: 'Running',
    cause: 'Adopted',
    also: (w) => assert.equal(w.memory.attempt, 1),
  },
  {
    given: 'a start after a death is there that the disk took no note of',
    before: (w) => {
      old(w)
      w.takesNotes = false
      w.exit({ code: 1 })
    },
    when: (w) => w.killAgent(),
    expect: [],
    reason: 'Running',
    cause: 'Adopted',
    also: (w) => {
      assert.deepEqual([w.memory.attempt, w.memory.restartCount], [2, 1])
      assert.deepEqual([w.memory.lastTermination?.reason, w.memory.lastTermination?.exitCode], ['Error', 1])
    },
  },
  {
    given: 'a start is there that the disk took no note of, and a new revision came since',
    before: (w) => {
      old(w)
      w.diesOf = ['TERM']
      w.takesNotes = false
      w.exit({ code: 1 })
    },
    when: (w) =>
      w.killAgent({
        whileAway: () => {
          w.instance = { ...w.instance, spec: { ...w.instance.spec, revision: 'web-2' } }
        },
      }),
    expect: ['TERM Tree', 'start 3'],
    cause: 'Rollout',
    also: (w) => assert.equal(w.memory.restartCount, 1),
  },
  {
    given: 'a dead run is there of which the note knows nothing',
    before: up,
    when: (w) => w.restartAgent({ loseNote: true, whileAway: () => w.die({ code: 1 }) }),
    expect: ['start 2'],
  },
  {
    given: 'its start is decided and it is no longer wanted',
    template: { lifecycle: { preStart: [HOOK] } },
    before: up,
    when: (w) => w.set({ desiredState: 'Stopped' }),
    expect: [],
    reason: 'Stopped',
    also: (w) => assert.equal(w.activity, undefined),
  },
]

const dying: readonly Row[] = [
  {
    given: 'it died after a long life',
    before: old,
    when: (w) => w.exit({ code: 1 }),
    expect: ['start 2'],
    reason: 'Running',
    also: (w) => assert.equal(w.memory.restartCount, 1),
  },
  {
    given: 'it died soon after its first start',
    before: (w) => {
      w.look()
      w.pass(50)
    },
    when: (w) => w.exit({ code: 1 }),
    expect: ['start 2'],
  },
  {
    given: 'it died twice at once',
    before: (w) => {
      old(w)
      w.exit({ code: 1 })
    },
    when: (w) => w.exit({ code: 1 }),
    expect: [],
    reason: 'CrashLoopBackOff',
    wait: 200,
    cause: 'Backoff',
  },
  {
    given: 'it died three times at once',
    before: loop(2),
    when: (w) => {
      w.pass(200)
      w.exit({ code: 1 })
    },
    expect: ['start 3'],
    reason: 'CrashLoopBackOff',
    wait: 400,
  },
  {
    given: 'it died ten times at once',
    before: loop(9),
    when: (w) => {
      w.pass(w.wait ?? 0)
      w.exit({ code: 1 })
    },
    expect: ['start 10'],
    wait: 51_200,
  },
  {
    given: 'it died twenty times at once',
    before: loop(19),
    when: (w) => {
      w.pass(w.wait ?? 0)
      w.exit({ code: 1 })
    },
    expect: ['start 20'],
    wait: 60_000,
  },
  { given: 'its wait is not over', before: loop(2), when: (w) => w.pass(199), expect: [], reason: 'CrashLoopBackOff' },
  { given: 'its wait is over', before: loop(2), when: (w) => w.pass(200), expect: ['start 3'] },
  {
    given: 'it lived long enough after a crash loop',
    before: (w) => {
      loop(6)(w)
      w.pass(w.wait ?? 0)
      w.pass(10_000)
    },
    when: (w) => w.exit({ code: 1 }),
    expect: ['start 8'],
  },
  {
    given: 'it lived almost long enough after a crash loop',
    before: (w) => {
      loop(2)(w)
      w.pass(w.wait ?? 0)
      w.pass(9_999)
    },
    when: (w) => w.exit({ code: 1 }),
    expect: [],
    wait: 400,
  },
  {
    given: 'it ended well and is to run always',
    before: old,
    when: (w) => w.exit({ code: 0 }),
    expect: ['start 2'],
    also: (w) => assert.equal(w.memory.lastTermination?.reason, 'Completed'),
  },
  {
    given: 'it ended well and restarts on failure',
    template: { restartPolicy: 'OnFailure' },
    before: old,
    when: (w) => w.exit({ code: 0 }),
    expect: [],
    phase: 'Succeeded',
    reason: 'Succeeded',
    message: /Exited with code 0/,
  },
  {
    given: 'it ended badly and restarts on failure',
    template: { restartPolicy: 'OnFailure' },
    before: old,
    when: (w) => w.exit({ code: 2 }),
    expect: ['start 2'],
  },
  {
    given: 'it ended with a code that counts as good',
    template: { restartPolicy: 'OnFailure', successExitCodes: [0, 3] },
    before: old,
    when: (w) => w.exit({ code: 3 }),
    expect: [],
    phase: 'Succeeded',
  },
  {
    given: 'it ended with 0, which does not count as good',
    template: { restartPolicy: 'OnFailure', successExitCodes: [3] },
    before: old,
    when: (w) => w.exit({ code: 0 }),
    expect: ['start 2'],
  },
  {
    given: 'it ended by a signal that counts as good',
    template: { restartPolicy: 'OnFailure', successExitCodes: [0, 'SIGTERM'] },
    before: old,
    when: (w) => w.exit({ signal: 'TERM' }),
    expect: [],
    phase: 'Succeeded',
  },
  {
    given: 'it ended well and is never to be restarted',
    template: { restartPolicy: 'Never' },
    before: old,
    when: (w) => w.exit({ code: 0 }),
    expect: [],
    phase: 'Succeeded',
  },
  {
    given: 'it ended badly and is never to be restarted',
    template: { restartPolicy: 'Never' },
    before: old,
    when: (w) => w.exit({ code: 1 }),
    expect: [],
    phase: 'Failed',
    reason: 'Failed',
    cause: 'Exit',
  },
  {
    given: 'it is done and the agent comes back',
    template: { restartPolicy: 'Never' },
    before: (w) => {
      old(w)
      w.exit({ code: 0 })
    },
    when: (w) => w.restartAgent(),
    expect: [],
    phase: 'Succeeded',
  },
  {
    given: 'it is done and a restart is asked for',
    template: { restartPolicy: 'Never' },
    before: (w) => {
      old(w)
      w.exit({ code: 0 })
    },
    when: (w) => w.ask('restartedAt'),
    expect: ['start 2'],
    cause: 'RestartRequested',
  },
  {
    given: 'it is done and stopped and started',
    template: { restartPolicy: 'Never' },
    before: (w) => {
      old(w)
      w.exit({ code: 0 })
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => w.set({ desiredState: 'Running' }),
    expect: ['start 2'],
  },
  {
    given: 'it is done and its policy becomes Always',
    template: { restartPolicy: 'Never' },
    before: (w) => {
      old(w)
      w.exit({ code: 0 })
    },
    when: (w) => w.set({}, { restartPolicy: 'Always' }),
    expect: ['start 2'],
  },
  {
    given: 'somebody killed it',
    before: old,
    when: (w) => w.exit({ signal: 'KILL' }),
    expect: ['start 2'],
    also: (w) => {
      assert.ok(w.causes().includes('SignalFromOutside'))
      assert.equal(w.memory.lastTermination?.exitCode, 137)
      assert.ok(w.events.some(({ reason }) => reason === 'SignalFromOutside'))
    },
  },
  {
    given: 'the kernel killed it for want of memory',
    before: old,
    when: (w) => w.exit({ signal: 'KILL', oomKills: 1 }),
    expect: ['start 2'],
    also: (w) => {
      assert.ok(w.causes().includes('OOMKilled'))
      assert.equal(w.memory.lastTermination?.reason, 'OOMKilled')
      assert.equal(w.memory.lastTermination.exitCode, 137)
      assert.match(w.memory.lastTermination.message ?? '', /want of memory/)
      assert.ok(w.events.some(({ reason, type }) => reason === 'OOMKilled' && type === 'Warning'))
    },
  },
  {
    given: 'it ended badly after the kernel had killed two of its processes for want of memory',
    before: old,
    when: (w) => w.exit({ code: 1, oomKills: 2 }),
    expect: ['start 2'],
    also: (w) => {
      assert.equal(w.memory.lastTermination?.reason, 'Error')
      assert.match(w.memory.lastTermination.message ?? '', /code 1.*killed 2 of its processes for want of memory/)
    },
  },
  {
    given: 'a KILL was sent through pmk after the kernel had killed one of its processes',
    before: (w) => {
      old(w)
      w.requestedSignal = { attempt: 1, signal: 'KILL' }
    },
    when: (w) => w.exit({ signal: 'KILL', oomKills: 1 }),
    expect: ['start 2'],
    also: (w) => assert.equal(w.memory.lastTermination?.reason, 'Signaled'),
  },
  {
    given: 'it was ended by a signal sent through pmk',
    before: (w) => {
      old(w)
      w.requestedSignal = { attempt: 1, signal: 'TERM' }
    },
    when: (w) => w.exit({ signal: 'TERM' }),
    expect: ['start 2'],
    also: (w) => assert.ok(w.causes().includes('SignalRequested')),
  },
  {
    given: 'it crashed',
    before: old,
    when: (w) => w.exit({ signal: 'SEGV' }),
    expect: ['start 2'],
    also: (w) => assert.ok(w.causes().includes('Crash')),
  },
  {
    given: 'its exit can not be known',
    template: { restartPolicy: 'OnFailure' },
    before: old,
    when: (w) => w.exit({ unknown: 'ShimLost' }),
    expect: ['start 2'],
    also: (w) => assert.equal(w.memory.lastTermination?.exitCode, undefined),
  },
  { given: 'it left processes behind', before: old, when: (w) => w.exit({ code: 1 }, true), expect: ['killTree', 'start 2'] },
  {
    given: 'it is a forking daemon and left processes behind',
    template: { forking: { pidFile: '/run/x.pid' } },
    before: old,
    when: (w) => w.exit({ unknown: 'Forked' }, true),
    expect: ['start 2'],
  },
  {
    given: 'it left processes behind, and is to be a forking daemon only from the next start on',
    before: old,
    when: (w) =>
      w.restartAgent({
        whileAway: () => {
          w.die({ code: 1 }, true)
          const { spec } = w.instance
          w.instance = {
            ...w.instance,
            spec: { ...spec, revision: 'web-2', template: { ...spec.template, forking: { pidFile: '/run/x.pid' } } },
          }
        },
      }),
    expect: ['killTree', 'start 2'],
  },
  {
    given: 'it died while the agent was away',
    before: old,
    when: (w) => w.restartAgent({ whileAway: () => w.die({ code: 7 }) }),
    expect: ['start 2'],
    also: (w) => assert.equal(w.memory.lastTermination?.exitCode, 7),
  },
  {
    given: 'the agent comes back during a wait',
    before: (w) => {
      loop(4)(w)
      w.pass(300)
    },
    when: (w) => w.restartAgent(),
    expect: [],
    reason: 'CrashLoopBackOff',
    wait: 500,
  },
  {
    given: 'the wall clock jumps ahead during a wait',
    before: loop(4),
    when: (w) => {
      w.jump(86_400_000)
      w.look()
    },
    expect: [],
    wait: 800,
  },
  {
    given: 'the wall clock is set back during a wait',
    before: loop(4),
    when: (w) => {
      w.jump(-86_400_000)
      w.look()
    },
    expect: [],
    wait: 800,
  },
  {
    given: 'the longest wait is lowered during a wait',
    before: loop(10),
    when: (w) => w.set({}, { backoff: { initial: '200ms', factor: 2, max: '1s', jitter: 0, resetAfter: '10s' } }),
    expect: [],
    wait: 1_000,
  },
  {
    given: 'a restart is asked for during a wait',
    before: loop(4),
    when: (w) => w.ask('restartedAt'),
    expect: ['start 5'],
    cause: 'RestartRequested',
  },
  {
    given: 'a new revision comes during a wait',
    before: loop(4),
    when: (w) => w.set({ revision: 'web-2' }),
    expect: ['start 5'],
    cause: 'Rollout',
  },
  {
    given: 'it is stopped and started during a wait',
    before: loop(4),
    when: (w) => {
      w.set({ desiredState: 'Stopped' })
      w.set({ desiredState: 'Running' })
    },
    expect: ['start 5'],
  },
  {
    given: 'the machine was restarted',
    before: old,
    when: (w) => w.reboot(),
    expect: ['start 2'],
    also: (w) => {
      assert.equal(w.memory.restartCount, 0)
      assert.ok(w.causes().includes('Reboot'))
    },
  },
  { given: 'the machine was restarted during a wait', before: loop(6), when: (w) => w.reboot(), expect: ['start 7'] },
  {
    given: 'the machine was restarted after it was done',
    template: { restartPolicy: 'Never' },
    before: (w) => {
      old(w)
      w.exit({ code: 0 })
    },
    when: (w) => w.reboot(),
    expect: [],
    phase: 'Succeeded',
  },
  {
    given: 'the machine was restarted while it was stopped',
    spec: { desiredState: 'Stopped' },
    before: up,
    when: (w) => w.reboot(),
    expect: [],
    reason: 'Stopped',
  },
  {
    given: 'the machine was restarted and it is never restarted after an end of its own',
    template: { restartPolicy: 'Never' },
    before: old,
    when: (w) => w.reboot(),
    expect: ['start 2'],
  },
  {
    given: 'it died while the agent was away, and a part of its wait is over',
    before: loop(1),
    when: (w) =>
      w.restartAgent({
        whileAway: () => {
          w.die({ code: 1 })
          w.pass(150)
        },
      }),
    expect: [],
    reason: 'CrashLoopBackOff',
    wait: 50,
  },
]

const giving: readonly Row[] = [
  {
    given: 'it died as often as the limit allows',
    template: { restartLimit: { count: 3, window: '1m', action: 'GiveUp' } },
    before: loop(3),
    when: (w) => w.pass(10_000),
    expect: ['start 4'],
  },
  {
    given: 'it died once more than the limit allows',
    template: { restartLimit: { count: 3, window: '1m', action: 'GiveUp' } },
    before: loop(3),
    when: (w) => {
      w.pass(w.wait ?? 0)
      w.exit({ code: 1 })
    },
    expect: ['start 4'],
    phase: 'Failed',
    reason: 'GaveUp',
    cause: 'GaveUp',
  },
  {
    given: 'it gave up and time passes',
    template: { restartLimit: { count: 2, window: '1m', action: 'GiveUp' } },
    before: loop(3),
    when: (w) => w.pass(86_400_000),
    expect: [],
    reason: 'GaveUp',
  },
  {
    given: 'its deaths are further apart than the window',
    template: { restartLimit: { count: 2, window: '1m', action: 'GiveUp' } },
    before: crashes(5, 61_000),
    when: (w) => w.pass(61_000),
    expect: [],
    reason: 'Running',
  },
  {
    given: 'it gave up and is to retry',
    template: { restartLimit: { count: 2, window: '1m', action: 'GiveUp', retryAfter: '15m' } },
    before: loop(3),
    when: up,
    expect: [],
    reason: 'GaveUp',
    wait: 900_000,
  },
  {
    given: 'it gave up and the retry is due',
    template: { restartLimit: { count: 2, window: '1m', action: 'GiveUp', retryAfter: '15m' } },
    before: loop(3),
    when: (w) => w.pass(900_000),
    expect: ['start 4'],
    cause: 'RetryAfterGivingUp',
  },
  {
    given: 'it gave up and a restart is asked for',
    template: { restartLimit: { count: 2, window: '1m', action: 'GiveUp' } },
    before: loop(3),
    when: (w) => w.ask('rolloutRestartedAt'),
    expect: ['start 4'],
  },
  {
    given: 'it gave up and is stopped and started',
    template: { restartLimit: { count: 2, window: '1m', action: 'GiveUp' } },
    before: (w) => {
      loop(3)(w)
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => w.set({ desiredState: 'Running' }),
    expect: ['start 4'],
  },
  {
    given: 'it gave up and a new revision comes',
    template: { restartLimit: { count: 2, window: '1m', action: 'GiveUp' } },
    before: loop(3),
    when: (w) => w.set({ revision: 'web-2' }),
    expect: ['start 4'],
  },
  {
    given: 'it gave up and the limit is taken away',
    template: { restartLimit: { count: 2, window: '1m', action: 'GiveUp' } },
    before: loop(3),
    when: (w) => {
      w.set({}, { restartLimit: { count: 0, window: '1m', action: 'GiveUp' } })
      w.pass(1_000)
    },
    expect: ['start 4'],
  },
  {
    given: 'it gave up and the agent comes back',
    template: { restartLimit: { count: 2, window: '1m', action: 'GiveUp' } },
    before: loop(3),
    when: (w) => w.restartAgent(),
    expect: [],
    reason: 'GaveUp',
  },
  {
    given: 'it could not be launched too often',
    template: { restartLimit: { count: 2, window: '1m', action: 'GiveUp' } },
    before: (w) => {
      w.startError = { reason: 'CommandNotFound', message: 'gone' }
      w.look()
    },
    when: (w) => w.pass(60_000),
    expect: ['start 2', 'start 3'],
    reason: 'GaveUp',
  },
  {
    given: 'it died often before the machine was restarted',
    template: { restartLimit: { count: 2, window: '1m', action: 'GiveUp' } },
    before: (w) => {
      loop(2)(w)
      w.reboot()
    },
    when: (w) => w.exit({ code: 1 }),
    expect: ['start 4'],
    reason: 'Running',
  },
]

const stopping: readonly Row[] = [
  {
    given: 'it is asked to stop',
    before: up,
    when: (w) => w.set({ desiredState: 'Stopped' }),
    expect: ['TERM Tree'],
    phase: 'Stopping',
    reason: 'Stopping',
    wait: 10_000,
    cause: 'StopRequested',
  },
  {
    given: 'it ends when asked',
    before: (w) => {
      w.diesOf = ['TERM']
      w.look()
    },
    when: (w) => w.set({ desiredState: 'Stopped' }),
    expect: ['TERM Tree'],
    phase: 'Stopped',
    also: (w) => assert.equal(w.memory.lastTermination?.reason, 'Stopped'),
  },
  {
    given: 'it does not end within its grace period',
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => w.pass(10_000),
    expect: ['killTree'],
    phase: 'Stopped',
  },
  {
    given: 'its grace period is not over',
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => w.pass(9_999),
    expect: [],
    reason: 'Stopping',
  },
  {
    given: 'it ends but leaves processes behind that were asked too',
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => w.exit({ signal: 'TERM' }, true),
    expect: [],
    reason: 'Stopping',
    wait: 50,
  },
  {
    given: 'what it left behind ends',
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
      w.exit({ signal: 'TERM' }, true)
    },
    when: (w) => w.leftoversGo(),
    expect: [],
    phase: 'Stopped',
  },
  {
    given: 'what it left behind does not end within the grace period',
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
      w.exit({ signal: 'TERM' }, true)
    },
    when: (w) => w.pass(10_000),
    expect: ['killTree'],
    phase: 'Stopped',
  },
  {
    given: 'it ends but leaves processes behind that were not asked',
    template: { killScope: 'Main' },
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => w.exit({ signal: 'TERM' }, true),
    expect: ['killTree'],
    phase: 'Stopped',
  },
  {
    given: 'it has a stop signal and a scope of its own',
    template: { stopSignal: 'SIGQUIT', killScope: 'Group' },
    before: up,
    when: (w) => w.set({ desiredState: 'Stopped' }),
    expect: ['QUIT Group'],
  },
  {
    given: 'it has no grace period',
    template: { terminationGracePeriodSeconds: 0 },
    before: up,
    when: (w) => w.set({ desiredState: 'Stopped' }),
    expect: ['killTree'],
    phase: 'Stopped',
  },
  {
    given: 'it has stop steps',
    template: {
      stopSteps: [
        { signal: 'QUIT', wait: '30s' },
        { signal: 'TERM', wait: '5s' },
      ],
    },
    before: up,
    when: (w) => w.set({ desiredState: 'Stopped' }),
    expect: ['QUIT Tree'],
    wait: 30_000,
  },
  {
    given: 'its first stop step did not help',
    template: {
      stopSteps: [
        { signal: 'QUIT', wait: '30s' },
        { signal: 'TERM', wait: '5s' },
      ],
    },
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => w.pass(30_000),
    expect: ['TERM Tree'],
    wait: 5_000,
  },
  {
    given: 'no stop step helped',
    template: {
      stopSteps: [
        { signal: 'QUIT', wait: '30s' },
        { signal: 'TERM', wait: '5s' },
      ],
    },
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => w.pass(35_000),
    expect: ['TERM Tree', 'killTree'],
    phase: 'Stopped',
  },
  {
    given: 'a stop step is a command',
    template: { stopSteps: [{ exec: { command: ['ctl', 'stop'] }, wait: '5s' }] },
    before: up,
    when: (w) => w.set({ desiredState: 'Stopped' }),
    expect: ['stopStep.1.0'],
    wait: 5_000,
  },
  {
    given: 'a stop step is a command that is done, and the program still there',
    template: { stopSteps: [{ exec: { command: ['ctl', 'stop'] }, wait: '5s' }] },
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
      w.pass(1_000)
    },
    when: (w) => w.hook(true),
    expect: [],
    wait: 4_000,
  },
  {
    given: 'KILL is among the stop steps',
    template: { killScope: 'Main', stopSteps: [{ signal: 'KILL', wait: '5s' }] },
    before: up,
    when: (w) => w.set({ desiredState: 'Stopped' }),
    expect: ['killTree'],
    phase: 'Stopped',
  },
  {
    given: 'it has a preStop hook',
    template: { lifecycle: { preStop: [HOOK] } },
    before: up,
    when: (w) => w.set({ desiredState: 'Stopped' }),
    expect: ['preStop.1.0'],
    phase: 'Stopping',
  },
  {
    given: 'its preStop hook is done',
    template: { lifecycle: { preStop: [HOOK] } },
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
      w.pass(3_000)
    },
    when: (w) => w.hook(true),
    expect: ['TERM Tree'],
    wait: 7_000,
  },
  {
    given: 'its preStop hook failed',
    template: { lifecycle: { preStop: [HOOK] } },
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => w.hook(false),
    expect: ['TERM Tree'],
    also: (w) => assert.ok(w.events.some(({ reason }) => reason === 'FailedPreStopHook')),
  },
  {
    given: 'its preStop hook takes all of the grace period',
    template: { lifecycle: { preStop: [{ ...HOOK, timeout: '1h' }] } },
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => w.pass(10_000),
    expect: ['TERM Tree'],
    wait: 2_000,
  },
  {
    given: 'it dies during its preStop hook',
    template: { lifecycle: { preStop: [HOOK] } },
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => w.exit({ code: 0 }),
    expect: [],
    phase: 'Stopped',
    also: (w) => assert.equal(w.activity, undefined),
  },
  {
    given: 'it has a postStop hook',
    template: { lifecycle: { postStop: [HOOK] } },
    before: (w) => {
      w.diesOf = ['TERM']
      w.look()
    },
    when: (w) => w.set({ desiredState: 'Stopped' }),
    expect: ['TERM Tree', 'postStop.1.0'],
  },
  {
    given: 'it died and has a postStop hook',
    template: { lifecycle: { postStop: [HOOK] } },
    before: old,
    when: (w) => w.exit({ code: 1 }),
    expect: ['postStop.1.0'],
  },
  {
    given: 'its postStop hook is done',
    template: { lifecycle: { postStop: [HOOK] } },
    before: (w) => {
      old(w)
      w.exit({ code: 1 })
    },
    when: (w) => w.hook(false),
    expect: ['start 2'],
  },
  {
    given: 'it is asked to start while it stops',
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => {
      w.set({ desiredState: 'Running' })
      w.exit({ signal: 'TERM' })
    },
    expect: ['start 2'],
    cause: 'StartRequested',
  },
  {
    given: 'the agent comes back during a stop',
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
      w.pass(4_000)
    },
    when: (w) => w.restartAgent(),
    expect: [],
    reason: 'Stopping',
    wait: 6_000,
  },
  {
    given: 'the wall clock jumps during a stop',
    before: (w) => {
      w.look()
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => {
      w.jump(3_600_000)
      w.look()
    },
    expect: [],
    wait: 10_000,
  },
  {
    given: 'something that depends on it is still going down',
    before: (w) => {
      w.look()
      w.dependants = ['celery-0']
    },
    when: (w) => w.set({ desiredState: 'Stopped' }),
    expect: [],
    reason: 'Stopping',
    message: /celery-0/,
  },
  {
    given: 'what depends on it is down',
    before: (w) => {
      w.look()
      w.dependants = ['celery-0']
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => {
      w.dependants = []
      w.look()
    },
    expect: ['TERM Tree'],
  },
  {
    given: 'something that depends on it is going down and it is to be restarted',
    before: (w) => {
      w.look()
      w.dependants = ['celery-0']
    },
    when: (w) => w.ask('restartedAt'),
    expect: ['TERM Tree'],
  },
  {
    given: 'the server is drained',
    before: up,
    when: (w) => {
      w.draining = true
      w.look()
    },
    expect: ['TERM Tree'],
    cause: 'ServerDrained',
  },
  {
    given: 'the server comes back after it was drained',
    before: (w) => {
      w.diesOf = ['TERM']
      w.look()
      w.draining = true
      w.look()
      w.draining = false
    },
    when: (w) => w.restartAgent(),
    expect: ['start 2'],
  },
]

const deleting: readonly Row[] = [
  { given: 'it is deleted', before: up, when: (w) => w.delete(), expect: ['TERM Tree'], phase: 'Stopping', cause: 'Deleted' },
  {
    given: 'it is deleted and ends',
    before: (w) => {
      w.diesOf = ['TERM']
      w.look()
    },
    when: (w) => w.delete(),
    expect: ['TERM Tree', 'forget'],
  },
  {
    given: 'it is deleted and does not end',
    before: (w) => {
      w.look()
      w.delete()
    },
    when: (w) => w.pass(10_000),
    expect: ['killTree', 'forget'],
  },
  {
    given: 'it is deleted with a longer grace period',
    before: (w) => {
      w.look()
      w.delete(30)
    },
    when: (w) => w.pass(29_999),
    expect: [],
  },
  {
    given: 'it is deleted with a grace period that ends its stop steps',
    template: { stopSteps: [{ signal: 'QUIT', wait: '1h' }] },
    before: (w) => {
      w.look()
      w.delete(30)
    },
    when: (w) => w.pass(30_000),
    expect: ['killTree', 'forget'],
  },
  {
    given: 'it is deleted without grace',
    template: { lifecycle: { preStop: [HOOK] } },
    before: up,
    when: (w) => w.delete(0),
    expect: ['killTree', 'forget'],
  },
  {
    given: 'it is deleted without grace while it stops',
    before: (w) => {
      w.look()
      w.delete()
    },
    when: (w) => w.delete(0),
    expect: ['killTree', 'forget'],
  },
  { given: 'it never ran and is deleted', spec: { desiredState: 'Stopped' }, before: up, when: (w) => w.delete(), expect: ['forget'] },
  { given: 'it waits for its next start and is deleted', before: loop(4), when: (w) => w.delete(), expect: ['forget'] },
  {
    given: 'it is suspended and deleted',
    before: (w) => {
      w.look()
      w.set({ suspend: true })
    },
    when: (w) => w.delete(),
    expect: ['TERM Tree'],
  },
  {
    given: 'it is deleted and has a postStop hook',
    template: { lifecycle: { postStop: [HOOK] } },
    before: (w) => {
      w.diesOf = ['TERM']
      w.look()
      w.delete()
    },
    when: (w) => w.hook(true),
    expect: ['forget'],
  },
  {
    given: 'a forking daemon is deleted that has left processes behind',
    template: { forking: { pidFile: '/run/x.pid' } },
    before: (w) => {
      w.look()
      w.set({ suspend: true })
      w.exit({ unknown: 'Forked' }, true)
    },
    when: (w) => w.delete(),
    expect: ['killTree', 'forget'],
  },
]

const changing: readonly Row[] = [
  {
    given: 'a new revision comes',
    before: (w) => {
      w.diesOf = ['TERM']
      w.look()
    },
    when: (w) => w.set({ revision: 'web-2', rolloutActor: 'jo' }),
    expect: ['TERM Tree', 'start 2'],
    cause: 'Rollout',
    also: (w) => {
      assert.equal(w.memory.transitions.at(-1)?.actor, 'jo')
      assert.equal(w.memory.lastTermination?.reason, 'RolledOut')
      assert.equal(w.memory.restartCount, 0)
    },
  },
  {
    given: 'a restart of the Instance is asked for',
    before: (w) => {
      w.diesOf = ['TERM']
      w.look()
    },
    when: (w) => w.ask('restartedAt'),
    expect: ['TERM Tree', 'start 2'],
    cause: 'RestartRequested',
  },
  {
    given: 'a restart of the Process is asked for',
    before: (w) => {
      w.diesOf = ['TERM']
      w.look()
    },
    when: (w) => w.ask('rolloutRestartedAt'),
    expect: ['TERM Tree', 'start 2'],
    cause: 'RestartRequested',
  },
  {
    given: 'a restart was asked for and carried out',
    before: (w) => {
      w.diesOf = ['TERM']
      w.look()
      w.ask('restartedAt')
    },
    when: up,
    expect: [],
    reason: 'Running',
  },
  {
    given: 'the request to restart is taken back',
    before: (w) => {
      w.diesOf = ['TERM']
      w.look()
      w.ask('restartedAt')
    },
    when: (w) => {
      const { restartedAt: _, ...spec } = w.instance.spec
      w.instance = { ...w.instance, spec }
      w.look()
    },
    expect: [],
    reason: 'Running',
  },
  {
    given: 'a probe is changed',
    before: up,
    when: (w) => w.set({}, { livenessProbe: PROBE }),
    expect: [],
    reason: 'Running',
    also: (w) => assert.deepEqual(w.last?.probing, ['liveness']),
  },
  {
    given: 'a restart is asked for while it is stopped',
    spec: { desiredState: 'Stopped' },
    before: up,
    when: (w) => w.ask('restartedAt'),
    expect: [],
    reason: 'Stopped',
  },
  {
    given: 'a new revision comes while it stops for a restart',
    before: (w) => {
      w.look()
      w.ask('restartedAt')
    },
    when: (w) => {
      w.set({ revision: 'web-2' })
      w.exit({ signal: 'TERM' })
    },
    expect: ['start 2'],
  },
  {
    given: 'it is stopped while it restarts',
    before: (w) => {
      w.look()
      w.ask('restartedAt')
    },
    when: (w) => {
      w.set({ desiredState: 'Stopped' })
      w.exit({ signal: 'TERM' })
    },
    expect: [],
    reason: 'Stopped',
  },
  {
    given: 'a new revision came while the agent was away',
    before: (w) => {
      w.diesOf = ['TERM']
      w.look()
    },
    when: (w) =>
      w.restartAgent({
        whileAway: () => {
          w.instance = { ...w.instance, spec: { ...w.instance.spec, revision: 'web-2' } }
        },
      }),
    expect: ['TERM Tree', 'start 2'],
  },
  {
    given: 'it is suspended',
    before: up,
    when: (w) => w.set({ suspend: true }),
    expect: [],
    reason: 'Suspended',
    phase: 'Running',
    cause: 'Suspended',
  },
  {
    given: 'it dies while suspended',
    before: (w) => {
      old(w)
      w.set({ suspend: true })
    },
    when: (w) => w.exit({ code: 1 }, true),
    expect: [],
    reason: 'Suspended',
    also: (w) => assert.equal(w.memory.lastTermination?.exitCode, 1),
  },
  {
    given: 'it died while suspended and is resumed',
    before: (w) => {
      old(w)
      w.set({ suspend: true })
      w.exit({ code: 1 }, true)
    },
    when: (w) => w.set({ suspend: false }),
    expect: ['killTree', 'start 2'],
  },
  {
    given: 'it is suspended and a new revision comes',
    before: (w) => {
      w.look()
      w.set({ suspend: true })
    },
    when: (w) => w.set({ revision: 'web-2' }),
    expect: [],
    reason: 'Suspended',
  },
  {
    given: 'it is suspended and asked to stop',
    before: (w) => {
      w.look()
      w.set({ suspend: true })
    },
    when: (w) => w.set({ desiredState: 'Stopped' }),
    expect: [],
    reason: 'Suspended',
  },
  {
    given: 'it is resumed after it was asked to stop',
    before: (w) => {
      w.look()
      w.set({ suspend: true, desiredState: 'Stopped' })
    },
    when: (w) => w.set({ suspend: false }),
    expect: ['TERM Tree'],
  },
  {
    given: 'its suspension has an end',
    before: up,
    when: (w) => w.set({ suspend: true, suspendUntil: '2026-01-01T00:00:20.000Z' }),
    expect: [],
    reason: 'Suspended',
    wait: 20_000,
  },
  {
    given: 'its suspension ends by itself',
    before: (w) => {
      old(w)
      w.set({ suspend: true, suspendUntil: '2026-01-01T00:05:00.000Z' })
      w.exit({ code: 1 })
    },
    when: (w) => w.pass(240_000),
    expect: ['start 2'],
  },
  {
    given: 'the wall clock jumps over the end of its suspension',
    before: (w) => {
      old(w)
      w.set({ suspend: true, suspendUntil: '2026-01-02T00:00:00.000Z' })
      w.exit({ code: 1 })
    },
    when: (w) => {
      w.jump(86_400_000)
      w.pass(30_000)
    },
    expect: ['start 2'],
  },
  {
    given: 'it is suspended while it stops',
    before: (w) => {
      w.look()
      w.ask('restartedAt')
      w.set({ suspend: true })
    },
    when: (w) => w.pass(10_000),
    expect: ['killTree'],
    reason: 'Suspended',
  },
]

const probing: readonly Row[] = [
  {
    given: 'its startup probe passes',
    template: { startupProbe: PROBE, readinessProbe: PROBE, livenessProbe: PROBE },
    before: up,
    when: (w) => w.verdict('startup', true),
    expect: [],
    reason: 'NotReady',
    phase: 'Running',
    also: (w) => assert.deepEqual(w.last?.probing, ['readiness', 'liveness']),
  },
  {
    given: 'its startup probe fails',
    template: { startupProbe: PROBE },
    before: up,
    when: (w) => w.verdict('startup', false),
    expect: ['TERM Tree'],
    phase: 'Stopping',
    cause: 'StartupProbeFailed',
  },
  { given: 'it has no readiness probe', when: up, expect: ['start 1'], also: (w) => assert.equal(w.memory.run?.ready.value, true) },
  {
    given: 'its readiness probe has not passed yet',
    template: { readinessProbe: PROBE },
    when: up,
    expect: ['start 1'],
    reason: 'NotReady',
    phase: 'Running',
    also: (w) => assert.equal(w.memory.run?.ready.value, false),
  },
  {
    given: 'its readiness probe passes',
    template: { readinessProbe: PROBE },
    before: up,
    when: (w) => w.verdict('readiness', true),
    expect: [],
    reason: 'Running',
    cause: 'Ready',
  },
  {
    given: 'its readiness probe fails',
    template: { readinessProbe: PROBE },
    before: (w) => {
      w.look()
      w.verdict('readiness', true)
    },
    when: (w) => w.verdict('readiness', false),
    expect: [],
    reason: 'NotReady',
    cause: 'ReadinessProbeFailed',
    message: /connection refused/,
  },
  {
    given: 'its liveness probe fails',
    template: { livenessProbe: PROBE },
    before: old,
    when: (w) => w.verdict('liveness', false),
    expect: ['TERM Tree'],
    phase: 'Stopping',
    cause: 'LivenessProbeFailed',
  },
  {
    given: 'its liveness probe failed and it has ended',
    template: { livenessProbe: PROBE },
    before: (w) => {
      old(w)
      w.diesOf = ['TERM']
    },
    when: (w) => w.verdict('liveness', false),
    expect: ['TERM Tree', 'start 2'],
    also: (w) => {
      assert.equal(w.memory.lastTermination?.reason, 'LivenessProbeFailed')
      assert.equal(w.memory.restartCount, 1)
    },
  },
  {
    given: 'its liveness probe fails again and again',
    template: { livenessProbe: PROBE },
    before: (w) => {
      w.diesOf = ['TERM']
      w.look()
      w.verdict('liveness', false)
    },
    when: (w) => w.verdict('liveness', false),
    expect: ['TERM Tree'],
    reason: 'CrashLoopBackOff',
    wait: 200,
  },
  {
    given: 'its liveness probe fails and it ends well',
    template: { livenessProbe: PROBE, restartPolicy: 'OnFailure' },
    before: (w) => {
      old(w)
      w.verdict('liveness', false)
    },
    when: (w) => w.exit({ code: 0 }),
    expect: ['start 2'],
  },
  {
    given: 'its liveness probe fails and it is never restarted',
    template: { livenessProbe: PROBE, restartPolicy: 'Never' },
    before: (w) => {
      old(w)
      w.verdict('liveness', false)
    },
    when: (w) => w.exit({ signal: 'TERM' }),
    expect: [],
    phase: 'Failed',
  },
  {
    given: 'its liveness probe fails before its startup probe passed',
    template: { startupProbe: PROBE, livenessProbe: PROBE },
    before: up,
    when: (w) => w.verdict('liveness', false),
    expect: [],
    reason: 'Starting',
  },
  {
    given: 'its liveness probe fails while suspended',
    template: { livenessProbe: PROBE },
    before: (w) => {
      old(w)
      w.set({ suspend: true })
    },
    when: (w) => w.verdict('liveness', false),
    expect: [],
    reason: 'Suspended',
    cause: 'LivenessProbeFailed',
  },
  {
    given: 'it was ready and the agent comes back',
    template: { readinessProbe: PROBE },
    before: (w) => {
      w.look()
      w.verdict('readiness', true)
    },
    when: (w) => w.restartAgent(),
    expect: [],
    reason: 'Running',
  },
  {
    given: 'it had started and the agent comes back',
    template: { startupProbe: PROBE },
    before: (w) => {
      w.look()
      w.verdict('startup', true)
    },
    when: (w) => w.restartAgent(),
    expect: [],
    reason: 'Running',
    also: (w) => assert.deepEqual(w.last?.probing, []),
  },
  {
    given: 'its readiness probe is taken away',
    template: { readinessProbe: PROBE },
    before: up,
    when: (w) => {
      const { readinessProbe: _, ...template } = w.instance.spec.template
      w.instance = { ...w.instance, spec: { ...w.instance.spec, template } }
      w.look()
    },
    expect: [],
    reason: 'Running',
  },
  {
    given: 'it stops',
    template: { readinessProbe: PROBE, livenessProbe: PROBE },
    before: (w) => {
      w.look()
      w.verdict('readiness', true)
    },
    when: (w) => w.set({ desiredState: 'Stopped' }),
    expect: ['TERM Tree'],
    also: (w) => {
      assert.deepEqual(w.last?.probing, [])
      assert.equal(w.memory.run?.ready.value, false)
    },
  },
]

const depending: readonly Row[] = [
  {
    given: 'what it depends on is not ready',
    template: { dependsOn: [DEPENDENCY] },
    when: (w) => w.depend(false),
    expect: [],
    reason: 'Blocked',
    cause: 'DependencyNotReady',
    message: /Process db is not ready/,
  },
  {
    given: 'what it depends on becomes ready',
    template: { dependsOn: [DEPENDENCY] },
    before: (w) => w.depend(false),
    when: (w) => w.depend(true),
    expect: ['start 1'],
  },
  {
    given: 'what it depends on is not ready in time',
    template: { dependsOn: [{ ...DEPENDENCY, timeout: '60s' }] },
    before: (w) => w.depend(false),
    when: (w) => w.pass(60_000),
    expect: ['start 1'],
    also: (w) => assert.ok(w.events.some(({ reason }) => reason === 'DependencyTimeout')),
  },
  {
    given: 'what it depends on has some time left',
    template: { dependsOn: [{ ...DEPENDENCY, timeout: '60s' }] },
    before: (w) => w.depend(false),
    when: (w) => w.pass(20_000),
    expect: [],
    reason: 'Blocked',
    wait: 40_000,
  },
  {
    given: 'one of two dependencies has timed out',
    template: {
      dependsOn: [
        { ...DEPENDENCY, timeout: '60s' },
        { ...DEPENDENCY, name: 'mq' },
      ],
    },
    before: (w) => w.depend(false),
    when: (w) => w.pass(120_000),
    expect: [],
    reason: 'Blocked',
  },
  {
    given: 'what it depends on goes away while it runs',
    template: { dependsOn: [DEPENDENCY] },
    before: (w) => w.depend(true),
    when: (w) => w.depend(false),
    expect: [],
    reason: 'Running',
  },
  {
    given: 'it dies while what it depends on is away',
    template: { dependsOn: [DEPENDENCY] },
    before: (w) => {
      w.depend(true)
      w.pass(60_000)
      w.depend(false)
    },
    when: (w) => w.exit({ code: 1 }),
    expect: [],
    reason: 'Blocked',
  },
  {
    given: 'what it depends on is started anew',
    template: { dependsOn: [DEPENDENCY] },
    before: (w) => {
      w.diesOf = ['TERM']
      w.depend(true)
    },
    when: (w) => w.depend(true, { db: 2 }),
    expect: [],
    reason: 'Running',
  },
  {
    given: 'what it depends on is started anew and that shall restart it',
    template: { dependsOn: [{ ...DEPENDENCY, onRestart: 'Restart' }] },
    before: (w) => {
      w.diesOf = ['TERM']
      w.depend(true)
    },
    when: (w) => w.depend(true, { db: 2 }),
    expect: ['TERM Tree', 'start 2'],
    cause: 'DependencyRestarted',
  },
  {
    given: 'what it depends on is being started anew',
    template: { dependsOn: [{ ...DEPENDENCY, onRestart: 'Restart' }] },
    before: (w) => w.depend(true),
    when: (w) => w.depend(false, { db: 2 }),
    expect: [],
    reason: 'Running',
  },
  {
    given: 'what it depends on gets one more replica',
    template: { dependsOn: [{ ...DEPENDENCY, onRestart: 'Restart' }] },
    before: (w) => w.depend(true),
    when: (w) => w.depend(true, { db: 1, db1: 1 }),
    expect: [],
    reason: 'Running',
  },
  {
    given: 'what it depends on goes away while its preStart hook runs',
    template: { dependsOn: [DEPENDENCY], lifecycle: { preStart: [HOOK] } },
    before: (w) => w.depend(true),
    when: (w) => w.depend(false),
    expect: [],
    reason: 'Blocked',
    also: (w) => assert.equal(w.activity, undefined),
  },
]

const hooking: readonly Row[] = [
  {
    given: 'it has preStart hooks',
    template: { lifecycle: { preStart: [HOOK, HOOK] } },
    when: up,
    expect: ['preStart.1.0'],
    phase: 'Starting',
  },
  {
    given: 'its first preStart hook is done',
    template: { lifecycle: { preStart: [HOOK, HOOK] } },
    before: up,
    when: (w) => w.hook(true),
    expect: ['preStart.1.1'],
  },
  {
    given: 'its preStart hooks are done',
    template: { lifecycle: { preStart: [HOOK, HOOK] } },
    before: (w) => {
      w.look()
      w.hook(true)
    },
    when: (w) => w.hook(true),
    expect: ['start 1'],
  },
  {
    given: 'its preStart hook fails',
    template: { lifecycle: { preStart: [HOOK] } },
    before: up,
    when: (w) => w.hook(false, 'check exited with code 2'),
    expect: [],
    reason: 'StartError',
    wait: 200,
    message: /check exited with code 2/,
  },
  {
    given: 'its preStart hook failed and the wait is over',
    template: { lifecycle: { preStart: [HOOK] } },
    before: (w) => {
      w.look()
      w.hook(false)
    },
    when: (w) => w.pass(200),
    expect: ['preStart.2.0'],
  },
  {
    given: 'the agent comes back while its preStart hook runs',
    template: { lifecycle: { preStart: [HOOK] } },
    before: up,
    when: (w) => w.restartAgent(),
    expect: ['preStart.1.0'],
  },
  {
    given: 'it has a postStart hook',
    template: { lifecycle: { postStart: [HOOK] } },
    when: up,
    expect: ['start 1', 'postStart.1.0'],
    reason: 'Running',
  },
  {
    given: 'its postStart hook fails',
    template: { lifecycle: { postStart: [HOOK] } },
    before: up,
    when: (w) => w.hook(false),
    expect: [],
    reason: 'Running',
    also: (w) => assert.ok(w.events.some(({ reason }) => reason === 'FailedPostStartHook')),
  },
  {
    given: 'it dies while its postStart hook runs',
    template: { lifecycle: { postStart: [HOOK] } },
    before: old,
    when: (w) => w.exit({ code: 1 }),
    expect: ['start 2', 'postStart.2.0'],
  },
]

const paused = (world: PolicyWorld): void => {
  old(world)
  world.pause(true)
}

const pausing: readonly Row[] = [
  {
    given: 'it is paused',
    template: { readinessProbe: PROBE, livenessProbe: PROBE },
    before: (w) => {
      old(w)
      w.verdict('readiness', true)
    },
    when: (w) => w.pause(true),
    expect: [],
    reason: 'Paused',
    phase: 'Running',
    cause: 'Paused',
    also: (w) => {
      assert.deepEqual(w.last?.probing, [])
      assert.equal(w.memory.run?.ready.value, false)
      assert.ok(w.events.some(({ reason }) => reason === 'Paused'))
    },
  },
  {
    given: 'its liveness probe failed just as it was paused',
    template: { livenessProbe: PROBE },
    before: paused,
    when: (w) => w.verdict('liveness', false),
    expect: [],
    reason: 'Paused',
  },
  {
    given: 'it goes on',
    before: paused,
    when: (w) => w.pause(false),
    expect: [],
    reason: 'Running',
    cause: 'Unpaused',
    also: (w) => assert.equal(w.memory.run?.ready.value, true),
  },
  {
    given: 'it goes on and has a readiness probe that nobody has made since',
    template: { readinessProbe: PROBE },
    before: paused,
    when: (w) => w.pause(false),
    expect: [],
    reason: 'NotReady',
    also: (w) => assert.deepEqual(w.last?.probing, ['readiness']),
  },
  {
    given: 'the agent is restarted while it is paused',
    before: paused,
    when: (w) => w.restartAgent(),
    expect: [],
    reason: 'Paused',
    also: (w) => assert.equal(w.causes().filter((cause) => cause === 'Paused').length, 1),
  },
  {
    given: 'it is stopped while it is paused',
    before: paused,
    when: (w) => w.set({ desiredState: 'Stopped' }),
    expect: ['unpause', 'TERM Tree'],
    reason: 'Stopping',
  },
  { given: 'it is deleted while it is paused', before: paused, when: (w) => w.delete(), expect: ['unpause', 'TERM Tree'] },
  { given: 'it is deleted at once while it is paused', before: paused, when: (w) => w.delete(0), expect: ['killTree', 'forget'] },
  {
    given: 'it has a preStop hook and is restarted while it is paused',
    template: { lifecycle: { preStop: [HOOK] } },
    before: paused,
    when: (w) => w.ask('restartedAt'),
    expect: ['unpause', 'preStop.1.0'],
  },
  {
    given: 'it is paused while it stops',
    before: (w) => {
      old(w)
      w.set({ desiredState: 'Stopped' })
    },
    when: (w) => w.pause(true),
    expect: ['unpause'],
    reason: 'Stopping',
  },
  {
    given: 'somebody kills it while it is paused',
    before: paused,
    when: (w) => w.exit({ signal: 'KILL' }),
    expect: ['start 2'],
    reason: 'Running',
  },
  {
    given: 'it is paused while its postStart hook runs',
    template: { lifecycle: { postStart: [HOOK] } },
    before: old,
    when: (w) => {
      w.pause(true)
      assert.equal(w.activity, undefined)
      w.pause(false)
    },
    expect: ['postStart.1.0'],
  },
  { given: 'it is suspended while it is paused', before: paused, when: (w) => w.set({ suspend: true }), expect: [], reason: 'Paused' },
]

for (const [topic, rows] of Object.entries({
  starting,
  dying,
  giving,
  stopping,
  deleting,
  changing,
  probing,
  depending,
  hooking,
  pausing,
})) {
  describe(`the policy of ${topic}`, () => {
    for (const row of rows)
      test(`${row.given}: ${row.expect.join(', ') || 'nothing is done'}${row.reason === undefined ? '' : `, ${row.reason}`}`, () =>
        check(row))
  })
}

function check(row: Row): void {
  const world = new PolicyWorld({ template: row.template ?? {}, spec: row.spec ?? {} })
  row.before?.(world)
  world.clear()
  row.when(world)
  assert.deepEqual(world.done, row.expect)
  if (row.reason !== undefined) assert.equal(world.standing?.reason, row.reason)
  if (row.phase !== undefined) assert.equal(world.standing?.phase, row.phase)
  if (row.wait !== undefined) assert.equal(world.wait, row.wait)
  if (row.cause !== undefined) assert.equal(world.causes().at(-1), row.cause)
  if (row.message !== undefined) assert.match(world.standing?.message ?? '', row.message)
  row.also?.(world)
}
