import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { apiError } from '../../../src/api/status.ts'
import { type InstanceId, StartError } from '../../../src/runtime/runtime.ts'
import { AgentWorld } from '../../support/agent-world.ts'

describe('an agent', () => {
  let world: AgentWorld

  beforeEach(async () => {
    world = await AgentWorld.open()
    await world.start()
  })
  afterEach(() => world.stop())

  test('starts what is wanted and reports it', async () => {
    await world.create()
    assert.deepEqual(world.runtime.running(), ['default/web-0'])
    const { status } = await world.get()
    assert.equal(status?.phase, 'Running')
    assert.equal(status?.reason, 'Running')
    assert.equal(status?.ready, true)
    assert.equal(status?.attempt, 1)
    assert.equal(status?.restartCount, 0)
    assert.equal(status?.revision, 'web-1')
    assert.equal(status?.observedGeneration, 1)
    assert.deepEqual(status?.command, ['/usr/bin/sleep'])
    assert.deepEqual(
      status?.conditions?.map(({ type, status: value }) => `${type}=${value}`),
      ['Started=True', 'Ready=True'],
    )
  })

  test('puts right what somebody else says in the status, and does not look again at what it says itself', async () => {
    await world.create()
    const get = world.runtime.get.bind(world.runtime)
    let looks = 0
    world.runtime.get = (id) => {
      looks += 1
      return get(id)
    }
    const reported = await world.get()
    await world.client.for('Instance').updateStatus({ ...reported, status: { phase: 'Unknown', reason: 'NodeLost' } })
    await world.settle()
    const { metadata, status } = await world.get()
    assert.deepEqual(status, reported.status)
    assert.ok(Number(metadata.resourceVersion) > Number(reported.metadata.resourceVersion) + 1, 'both have written')
    assert.equal(looks, 1)
  })

  test('restarts a program that dies, at once for the first time and later with a wait', async () => {
    await world.create()
    await world.advance(20_000)
    world.runtime.exit('web-0', { code: 3 })
    await world.settle()
    assert.equal(world.runtime.started.length, 2)
    world.runtime.exit('web-0', { code: 4 })
    await world.settle()
    assert.equal(world.runtime.started.length, 2)
    const waiting = (await world.get()).status
    assert.equal(waiting?.reason, 'CrashLoopBackOff')
    assert.ok(waiting?.nextStartAt !== undefined)
    assert.equal(waiting?.lastTermination?.exitCode, 4)
    await world.advance(300)
    assert.equal(world.runtime.started.length, 3)
    assert.equal((await world.get()).status?.restartCount, 2)
    // Who has waited may wait a little more for those who haven't.
    assert.deepEqual(
      world.runtime.started.map(({ patient }) => patient),
      [false, false, true],
    )
  })

  test('tells of what the runtime noticed as an Event', async () => {
    await world.create()
    const { metadata } = await world.get()
    world.runtime.notify({ instance: metadata.uid as InstanceId, reason: 'LogDropped', message: '5 bytes of output were dropped' })
    await world.settle()
    const { items } = await world.client.for('Event').list()
    assert.deepEqual(
      items.filter(({ reason }) => reason === 'LogDropped').map(({ type, message }) => [type, message]),
      [['Warning', '5 bytes of output were dropped']],
    )
  })

  test('lets a deleted Instance go once nothing of it is left', async () => {
    world.runtime.program('web-0', { diesAfter: 2_000 })
    await world.create()
    await world.delete()
    assert.deepEqual(await world.names(), ['web-0'])
    assert.equal((await world.get()).status?.phase, 'Stopping')
    await world.advance(2_000)
    assert.deepEqual(await world.names(), [])
    assert.deepEqual(await world.runtime.list(), [])
  })

  test('kills a deleted Instance at once when it is given no grace', async () => {
    world.runtime.program('web-0', { ignores: ['TERM'] })
    await world.create()
    await world.delete('web-0', 0)
    assert.deepEqual(await world.names(), [])
    assert.deepEqual(
      world.runtime.signals.map(({ signal }) => signal),
      ['KILL'],
    )
  })

  test('that is restarted keeps the program running, and knows of a death meanwhile', async () => {
    await world.create()
    await world.create({ process: 'db' })
    const before = world.runtime.runOf('web-0')
    await world.stop()
    world.runtime.exit('db-0', { code: 7 })
    await world.start()
    assert.equal(world.agent.ready(), true)
    assert.deepEqual(world.runtime.runOf('web-0'), before)
    assert.equal(world.runtime.started.length, 3)
    assert.equal((await world.get('db-0')).status?.lastTermination?.exitCode, 7)
    assert.equal((await world.get('db-0')).status?.restartCount, 1)
    assert.equal((await world.get('web-0')).status?.restartCount, 0)
  })

  test('stops and forgets what the API no longer knows', async () => {
    await world.create()
    await world.stop()
    await world.client.for('Instance').patch({ name: 'web-0' }, { type: 'merge', value: { metadata: { finalizers: [] } } })
    await world.client.for('Instance').delete({ name: 'web-0' })
    assert.deepEqual(world.runtime.running(), ['default/web-0'])
    await world.start()
    assert.deepEqual(await world.runtime.list(), [])
  })

  test('takes a change of what needs no new start to the running program', async () => {
    await world.create()
    const before = world.runtime.runOf('web-0')
    await world.patch({ spec: { template: { logs: { maxSize: '1Mi' } } } })
    assert.equal(world.runtime.logConfigOf('web-0')?.maxSize, 1_048_576)
    assert.deepEqual(world.runtime.runOf('web-0'), before)
    assert.equal((await world.get()).status?.observedGeneration, 2)
  })

  test('takes a change of limits to the running program, says so when that fails, and tries again', async () => {
    const limits = (): unknown => world.runtime.limits.get('web-0')
    await world.create({ template: { resources: { limits: { cpu: '500m', memory: '1Gi', pids: 20 } } } })
    assert.deepEqual(limits(), { cpu: 0.5, memory: 2 ** 30, pids: 20 })
    const before = world.runtime.runOf('web-0')
    await world.patch({ spec: { template: { resources: { limits: { cpu: null, memory: '2Gi' } } } } })
    assert.deepEqual(limits(), { memory: 2 ** 31, pids: 20 })
    world.runtime.failLimits(new Error('EBUSY'))
    await world.patch({ spec: { template: { resources: null } } })
    assert.deepEqual(limits(), { memory: 2 ** 31, pids: 20 })
    const events = await world.client.for('Event').list({ namespace: 'default' })
    assert.ok(events.items.some(({ reason, message }) => reason === 'FailedSettingLimits' && message?.includes('EBUSY')))
    world.runtime.failLimits(undefined)
    await world.patch({ spec: { template: { minReadySeconds: 1 } } })
    assert.deepEqual(limits(), {})
    assert.deepEqual(world.runtime.runOf('web-0'), before)
  })

  test('sets limits anew after its restart, for they may have changed meanwhile', async () => {
    await world.create({ template: { resources: { limits: { pids: 20 } } } })
    world.runtime.limits.clear()
    await world.restart()
    assert.deepEqual(world.runtime.limits.get('web-0'), { pids: 20 })
  })

  test('names the limits that the host can not enforce of those that are asked for', async () => {
    const why = 'the memory controller belongs to cgroup v1 on this host'
    world.runtime.setHostGaps(['cpu', 'memory', 'pids'].map((each) => ({ field: `limits.${each}`, message: `limits.${each}: ${why}` })))
    await world.create({ template: { resources: { limits: { memory: '1Gi' } } } })
    assert.deepEqual((await world.get()).status?.hostGaps, [`limits.memory: ${why}`])
    assert.equal((await world.get()).status?.phase, 'Running')
  })

  test('says which of its promises it can not keep', async () => {
    world.runtime.setHostGaps([
      { field: 'nice', message: 'nice: this host has no "nice" command' },
      { field: 'cpuAffinity', message: 'cpuAffinity: this host has no "taskset" command' },
    ])
    await world.create({ template: { nice: 5 } })
    world.runtime.loseShim('web-0')
    await world.settle()
    const { status } = await world.get()
    assert.deepEqual(status?.hostGaps, ['nice: this host has no "nice" command'])
    const broken = status?.conditions?.filter(({ status: value }) => value === 'False').map(({ type }) => type)
    assert.deepEqual(broken, ['Supervised', 'HostSupports'])
    assert.equal(status?.phase, 'Running')
  })

  test('keeps the time of a condition while it holds, and gives it a new one with a new run', async () => {
    await world.create()
    const readySince = async (): Promise<string | undefined> =>
      (await world.get()).status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime
    const first = await readySince()
    await world.advance(30_000)
    await world.patch({ spec: { template: { logs: { maxFiles: 3 } } } })
    assert.equal(await readySince(), first)
    world.runtime.exit('web-0', { code: 1 })
    await world.settle()
    assert.notEqual(await readySince(), first)
  })

  test('restarts without the API, and reports when it is back', async () => {
    await world.create()
    await world.advance(20_000)
    const instances = world.client.for('Instance')
    const { updateStatus } = instances
    instances.updateStatus = () => Promise.reject(apiError('ServiceUnavailable', 'away'))
    world.runtime.exit('web-0', { code: 9 })
    await world.settle()
    assert.equal(world.runtime.started.length, 2)
    assert.equal((await world.get()).status?.restartCount, 0)
    instances.updateStatus = updateStatus
    await world.advance(60_000)
    assert.equal((await world.get()).status?.restartCount, 1)
  })

  test('stops what is bound to another node from now on, and leaves the object to that one', async () => {
    await world.create()
    await world.patch({ spec: { nodeName: 'elsewhere' } })
    assert.deepEqual(await world.runtime.list(), [])
    assert.deepEqual((await world.get()).metadata.finalizers, ['pmk.dev/stop'])
  })

  test('tells of processes that can not be killed, and tries again', async () => {
    world.runtime.program('web-0', { ignores: ['TERM'] })
    await world.create()
    world.runtime.failKillTree(new Error('pid 7 is in an uninterruptible sleep'))
    await world.delete('web-0', 0)
    const events = await world.client.for('Event').list()
    assert.ok(
      events.items.some(({ reason, message }) => reason === 'FailedKilling' && message?.includes('uninterruptible')),
      'no Event',
    )
    assert.deepEqual(await world.names(), ['web-0'])
    world.runtime.failKillTree(undefined)
    await world.advance(30_000)
    assert.deepEqual(await world.names(), [])
  })

  test('says what is wrong with a launch that can not work, and tries again', async () => {
    world.runtime.failStart('web-0', new StartError('WorkingDirMissing', 'The directory /srv/shop does not exist'))
    await world.create()
    const { status } = await world.get()
    assert.equal(status?.reason, 'StartError')
    assert.equal(status?.message, 'The directory /srv/shop does not exist')
    world.runtime.failStart('web-0', undefined)
    await world.advance(1_000)
    assert.equal((await world.get()).status?.phase, 'Running')
    assert.equal((await world.get()).status?.restartCount, 0)
  })

  test('holds back what depends on something that is not ready, and stops it first', async () => {
    await world.createProcess('db')
    await world.createProcess('web')
    await world.create({ template: { dependsOn: [{ name: 'db', kind: 'Process', condition: 'Ready', onRestart: 'Ignore' }] } })
    assert.equal((await world.get()).status?.reason, 'Blocked')
    assert.match((await world.get()).status?.message ?? '', /Process db is not ready/)
    await world.create({ process: 'db' })
    assert.deepEqual(world.runtime.running(), ['default/db-0', 'default/web-0'])
    world.runtime.program('web-0', { diesAfter: 1_000 })
    await world.patch({ spec: { desiredState: 'Stopped' } }, 'web-0')
    await world.patch({ spec: { desiredState: 'Stopped' } }, 'db-0')
    assert.deepEqual(
      world.runtime.signals.map(({ run }) => run.startsWith(world.runtime.runOf('web-0')?.instance ?? '?')),
      [true],
    )
    await world.advance(1_000)
    assert.deepEqual(world.runtime.running(), [])
  })

  test('drains in order and starts everything again the next time', async () => {
    await world.create()
    const drained = world.agent.drain()
    await world.advance(1_000)
    await drained
    assert.deepEqual(world.runtime.running(), [])
    await world.restart()
    assert.deepEqual(world.runtime.running(), ['default/web-0'])
  })

  test('starts everything again after a reboot, and counts no restart', async () => {
    await world.create()
    await world.reboot()
    assert.deepEqual(world.runtime.running(), ['default/web-0'])
    const { status } = await world.get()
    assert.equal(status?.restartCount, 0)
    assert.equal(status?.attempt, 2)
    assert.ok(status?.transitions?.some(({ cause }) => cause === 'Reboot'))
  })

  test('keeps a Node object with a heartbeat', async () => {
    const before = await world.client.for('Node').get({ name: 'here' })
    assert.equal(before.status?.phase, 'Ready')
    await world.advance(10_000)
    const after = await world.client.for('Node').get({ name: 'here' })
    assert.notEqual(after.status?.heartbeatTime, before.status?.heartbeatTime)
  })

  test('leaves no timer and no watch behind when it ends', async () => {
    await world.create({
      template: {
        livenessProbe: {
          tcpSocket: { port: 1, host: '127.0.0.1' },
          initialDelaySeconds: 100,
          periodSeconds: 10,
          timeoutSeconds: 1,
          successThreshold: 1,
          failureThreshold: 3,
        },
      },
    })
    await world.stop()
    assert.equal(world.runtime.watchers, 0)
    assert.equal(world.clock.pending, 0)
  })
})
