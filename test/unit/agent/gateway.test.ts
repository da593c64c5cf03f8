import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { StatusReason } from '../../../src/api/status.ts'
import { hasReason } from '../../../src/api/status.ts'
import { AgentWorld } from '../../support/agent-world.ts'

const web = { namespace: 'default', name: 'web-0' }
const never = new AbortController().signal

describe('requests to an agent', () => {
  let world: AgentWorld

  beforeEach(async () => {
    world = await AgentWorld.open()
    await world.start()
  })
  afterEach(() => world.stop())

  const refused = (result: Promise<unknown>, reason: StatusReason, message: RegExp): Promise<void> =>
    assert.rejects(result, (err) => hasReason(err, reason) && message.test(err.message))

  test('send a signal to the main process, and a death of it is not called an outsider’s', async () => {
    await world.create()
    await world.agent.gateway.signal(web, 'SIGTERM')
    await world.settle()
    assert.deepEqual(
      world.runtime.signals.map(({ signal, scope }) => [signal, scope]),
      [['TERM', 'Main']],
    )
    const causes = (await world.get()).status?.transitions?.map(({ cause }) => cause)
    assert.ok(causes?.includes('SignalRequested'), String(causes))
  })

  test('are refused with a reason', async () => {
    const { gateway } = world.agent
    await refused(gateway.signal({ namespace: 'default', name: 'nope' }, 'HUP'), 'ServiceUnavailable', /default\/nope/)
    await world.create({ spec: { desiredState: 'Stopped' } })
    await refused(gateway.signal(web, 'HUP'), 'Conflict', /does not run/)
    await refused(gateway.signal(web, 'NONSENSE'), 'BadRequest', /no signal "NONSENSE"/)
    await refused(gateway.usage(web), 'Conflict', /does not run/)
    await refused(gateway.reload(web, never), 'BadRequest', /spec\.reload/)
    await refused(
      gateway.action(web, 'x', () => {}, never),
      'BadRequest',
      /no action "x": it has none/,
    )
    assert.throws(
      () => gateway.logs({ namespace: 'other', name: 'web-0' }, {}, never),
      (err) => hasReason(err, 'ServiceUnavailable'),
    )
  })

  test('pause and unpause a program, as often as it is asked', async () => {
    const { gateway } = world.agent
    const reason = async (): Promise<string | undefined> => (await world.get()).status?.reason
    await world.create({ template: { actions: [{ name: 'x', exec: { command: ['x'] }, timeout: '1m' }] } })
    for (let times = 0; times < 2; times++) await gateway.pause(web, true)
    await world.settle()
    assert.equal(await reason(), 'Paused')
    const paused = (await world.get()).status?.conditions?.find(({ type }) => type === 'Paused')
    assert.equal(paused?.status, 'True')
    await refused(
      gateway.action(web, 'x', () => {}, never),
      'Conflict',
      /is paused: `pmk unpause`/,
    )
    for (let times = 0; times < 2; times++) await gateway.pause(web, false)
    await world.settle()
    assert.equal(await reason(), 'Running')
    assert.equal(
      (await world.get()).status?.conditions?.some(({ type }) => type === 'Paused'),
      false,
    )
  })

  test('a pause is refused where nothing can be frozen and where nothing runs, and then nothing is to be unpaused', async () => {
    const { gateway } = world.agent
    await world.create()
    world.runtime.setHostGaps([{ field: 'pause', message: 'pause: no cgroup2 hierarchy can be used' }])
    await refused(gateway.pause(web, true), 'BadRequest', /Instance web-0 can't be paused: no cgroup2/)
    await world.patch({ spec: { desiredState: 'Stopped' } })
    await world.settle()
    await refused(gateway.pause(web, true), 'Conflict', /does not run/)
    await gateway.pause(web, false)
  })

  test('reload by a signal or by a command', async () => {
    world.runtime.program('web-0', { ignores: ['HUP'] })
    await world.create({ template: { reload: { signal: 'HUP' } } })
    assert.deepEqual(await world.agent.gateway.reload(web, never), { exitCode: 0, output: '' })
    assert.equal(world.runtime.signals.at(-1)?.signal, 'HUP')
    world.runtime.onExec(() => ({ by: 'code', code: 1, output: 'syntax error\n' }))
    await world.patch({ spec: { template: { reload: { signal: null, exec: { command: ['web', '-s', 'reload'] } } } } })
    assert.deepEqual(await world.agent.gateway.reload(web, never), { exitCode: 1, output: 'syntax error\n' })
  })

  test('run an action in the surroundings of the program, also when it is stopped', async () => {
    const actions = [{ name: 'check', exec: { command: ['web', '-t'] as const }, timeout: '5s' }]
    await world.create({ spec: { desiredState: 'Stopped' }, template: { actions, env: [{ name: 'A', value: 'b' }], workingDir: '/srv' } })
    const output: string[] = []
    const run = (): Promise<{ exitCode: number }> =>
      world.agent.gateway.action(web, 'check', (chunk) => output.push(Buffer.from(chunk).toString()), never)
    world.runtime.onExec(() => ({ by: 'code', code: 2, output: 'bad' }))
    assert.equal((await run()).exitCode, 2)
    const exec = world.runtime.execs.at(-1)
    assert.deepEqual([exec?.command, exec?.workingDir, exec?.env.A, exec?.env.PMK_INSTANCE], [['web', '-t'], '/srv', 'b', 'web-0'])
    world.runtime.onExec(() => ({ by: 'signal', signal: 'KILL', output: '' }))
    assert.equal((await run()).exitCode, 137)
    world.runtime.onExec(() => ({ by: 'timeout', output: '' }))
    assert.equal((await run()).exitCode, 124)
    assert.deepEqual(output, ['bad'])
  })

  test('measure the share of a core since the sample before', async () => {
    await world.create()
    let cpuSeconds = 5
    world.runtime.usage = async () => ({ processes: 2, threads: 3, cpuSeconds, memory: 1000, fds: undefined })
    await world.advance(10_000)
    assert.equal((await world.agent.gateway.usage(web)).cpu, 0.5)
    cpuSeconds = 6
    await world.advance(4_000)
    assert.deepEqual(await world.agent.gateway.usageOfAll(), [
      {
        namespace: 'default',
        name: 'web-0',
        process: 'web',
        cpu: 0.25,
        cpuWindowSeconds: 4,
        cpuSeconds: 6,
        memory: 1000,
        processes: 2,
        threads: 3,
      },
    ])
  })
})
