import assert from 'node:assert/strict'
import { test } from 'node:test'
import { maxUnavailable, planRollout } from '../../../src/controllers/rollout.ts'
import type { Instance, Process } from '../../../src/generated/types.ts'
import { instanceOf, NOW, processOf, revisionOf } from '../../support/process-objects.ts'

interface Row {
  readonly given: string
  readonly process?: Partial<Process['spec']>
  readonly instances: readonly Instance[]
  readonly expect: string
}

const old = { revision: 'web-old' } as const
const dead = { ready: false } as const

const rows: readonly Row[] = [
  { given: 'nothing is there', instances: [], expect: 'create 0 1 2' },
  { given: 'the first number is not 0', process: { indexStart: 7 }, instances: [], expect: 'create 7 8 9' },
  { given: 'all is as it should be', instances: three({}), expect: '' },
  { given: 'one is missing', instances: [instanceOf(0), instanceOf(2)], expect: 'create 1' },
  {
    given: 'one is being deleted: its name is taken until it is gone',
    instances: [instanceOf(0), instanceOf(1), instanceOf(2, { deleting: true })],
    expect: '',
  },
  { given: 'there are too many', process: { replicas: 1 }, instances: three({}), expect: 'remove 2 1' },
  { given: 'none is wanted', process: { replicas: 0 }, instances: three({}), expect: 'remove 2 1 0' },
  { given: 'all are old', instances: three(old), expect: 'update 0' },
  { given: 'all are old and two may be down', process: upTo(2), instances: three(old), expect: 'update 0 1' },
  { given: 'all are old and two thirds may be down', process: upTo('67%'), instances: three(old), expect: 'update 0 1' },
  { given: 'the first has it and is starting', instances: [instanceOf(0, dead), instanceOf(1, old), instanceOf(2, old)], expect: '' },
  {
    given: 'the first has it in spec, and its program is still the old one',
    instances: [instanceOf(0, { runs: 'web-old' }), instanceOf(1, old), instanceOf(2, old)],
    expect: '',
  },
  { given: 'the first has it and is ready', instances: [instanceOf(0), instanceOf(1, old), instanceOf(2, old)], expect: 'update 1' },
  {
    given: 'the first has it and came to its good end',
    instances: [instanceOf(0, { ...dead, phase: 'Succeeded' }), instanceOf(1, old), instanceOf(2, old)],
    expect: 'update 1',
  },
  {
    given: 'the first has it and failed for good',
    instances: [instanceOf(0, { ...dead, phase: 'Failed' }), instanceOf(1, old), instanceOf(2, old)],
    expect: '',
  },
  { given: 'one is missing while others are old', instances: [instanceOf(0, old), instanceOf(1, old)], expect: 'create 2' },
  {
    given: 'an old one is dead anyway',
    instances: [instanceOf(0, old), instanceOf(1, { ...old, ...dead }), instanceOf(2, old)],
    expect: 'update 1',
  },
  { given: 'all old ones are dead', instances: three({ ...old, ...dead }), expect: 'update 0 1 2' },
  {
    given: 'a dead one has the new revision, the others are old',
    instances: [instanceOf(0, old), instanceOf(1, old), instanceOf(2, dead)],
    expect: '',
  },
  { given: 'nobody knows how the old ones are', instances: three({ ...old, ...dead, phase: 'Unknown' }), expect: '' },
  { given: 'all are old and it is stopped', process: { desiredState: 'Stopped' }, instances: three(old), expect: 'update 0 1 2' },
  { given: 'all are old and it is suspended', process: { suspend: true }, instances: three(old), expect: 'update 0 1 2' },
  {
    given: 'the suspension is over',
    process: { suspend: true, suspendUntil: '2026-01-01T11:59:59Z' },
    instances: three(old),
    expect: 'update 0',
  },
  { given: 'all are old and the roll is paused', process: strategy({ paused: true }), instances: three(old), expect: 'held 0 1 2' },
  {
    given: 'paused and stopped',
    process: { ...strategy({ paused: true }), desiredState: 'Stopped' },
    instances: three(old),
    expect: 'held 0 1 2',
  },
  { given: 'all are old and change on deletion', process: strategy({ type: 'OnDelete' }), instances: three(old), expect: 'held 0 1 2' },
  {
    given: 'OnDelete and stopped',
    process: { ...strategy({ type: 'OnDelete' }), desiredState: 'Stopped' },
    instances: three(old),
    expect: 'update 0 1 2',
  },
  {
    given: 'OnDelete, and somebody restarted one',
    process: strategy({ type: 'OnDelete' }),
    instances: [
      instanceOf(0, old),
      instanceOf(1, { ...old, restartedAt: '2026-01-01T11:30:00Z' }),
      instanceOf(2, { ...old, restartedAt: '2026-01-01T09:00:00Z' }),
    ],
    expect: 'update 1, held 0 2',
  },
  { given: 'a restart is asked for', process: { restartedAt: NOW }, instances: three({}), expect: 'update 0' },
  {
    given: 'a restart is half done',
    process: { restartedAt: NOW },
    instances: [instanceOf(0, { rolledAt: NOW }), instanceOf(1), instanceOf(2)],
    expect: 'update 1',
  },
  {
    given: 'a restart has reached a spec and not yet the program',
    process: { restartedAt: NOW },
    instances: [instanceOf(0, { rolledAt: NOW, ranAt: 'none' }), instanceOf(1), instanceOf(2)],
    expect: '',
  },
  { given: 'a restart is done', process: { restartedAt: NOW }, instances: three({ rolledAt: NOW }), expect: '' },
  { given: 'the restart was taken back out', instances: three({ rolledAt: NOW }), expect: '' },
  {
    given: 'a restart is asked for with OnDelete',
    process: { ...strategy({ type: 'OnDelete' }), restartedAt: NOW },
    instances: three({}),
    expect: 'update 0',
  },
  { given: 'it has to be on another Node', process: { nodeName: 'b' }, instances: three({}), expect: 'remove 0' },
  {
    given: 'ready, but not for long enough',
    process: { minReadySeconds: 30 },
    instances: [instanceOf(0, { readyFor: 10 }), instanceOf(1, old), instanceOf(2, old)],
    expect: 'look after 20000',
  },
  {
    given: 'ready for long enough',
    process: { minReadySeconds: 30 },
    instances: [instanceOf(0, { readyFor: 30 }), instanceOf(1, old), instanceOf(2, old)],
    expect: 'update 1',
  },
  {
    given: 'ready since a time to come: the clock was put back',
    process: { minReadySeconds: 30 },
    instances: [instanceOf(0, { readyFor: -3_600 }), instanceOf(1, old), instanceOf(2, old)],
    expect: 'update 1',
  },
  {
    given: 'ready on a host whose clock is a little ahead',
    process: { minReadySeconds: 30 },
    instances: [instanceOf(0, { readyFor: -5 }), instanceOf(1, old), instanceOf(2, old)],
    expect: 'look after 30000',
  },
]

for (const { given, process = {}, instances, expect } of rows) {
  test(`${given}: ${expect || 'nothing'}`, () => {
    const input = { process: processOf({ replicas: 3, ...process }), instances, revision: revisionOf('web-new'), now: NOW }
    const { create, remove, update, held, lookAgainAfter } = planRollout(input)
    const said = [
      list('create', create),
      list('remove', remove.map(index)),
      list('update', update.map(index)),
      list('held', [...held].map(index)),
      lookAgainAfter === undefined ? '' : `look after ${lookAgainAfter}`,
    ]
    assert.equal(said.filter((part) => part !== '').join(', '), expect)
  })
}

test('a share of the replicas is rounded down, and at least one may be down', () => {
  const cases = [
    [10, '25%', 2],
    [3, '25%', 1],
    [4, '100%', 4],
    [4, 3, 3],
    [4, '2', 2],
    [0, '50%', 1],
  ] as const
  for (const [replicas, share, expected] of cases)
    assert.equal(maxUnavailable(processOf({ replicas, ...upTo(share) })), expected, `${share} of ${replicas}`)
})

function three(options: Parameters<typeof instanceOf>[1]): readonly Instance[] {
  return [0, 1, 2].map((at) => instanceOf(at, options))
}

function strategy(options: Partial<Process['spec']['updateStrategy']>): Partial<Process['spec']> {
  return { updateStrategy: { ...processOf({}).spec.updateStrategy, ...options } }
}

function upTo(max: number | string): Partial<Process['spec']> {
  return strategy({ rollingUpdate: { maxUnavailable: max } })
}

function index({ spec }: Instance): number {
  return spec.index
}

function list(word: string, indexes: readonly number[]): string {
  return indexes.length === 0 ? '' : `${word} ${indexes.join(' ')}`
}
