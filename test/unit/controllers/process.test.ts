import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { findCondition } from '../../../src/api/conditions.ts'
import { hasReason } from '../../../src/api/status.ts'
import type { Instance, InstanceStatus, Process } from '../../../src/generated/types.ts'
import { ControlPlaneEnv, type EnvOptions } from '../../support/control-plane-env.ts'
import { assertPartly } from '../../support/partly.ts'

let env: ControlPlaneEnv

async function start(options: EnvOptions = {}): Promise<void> {
  env = await ControlPlaneEnv.start(options)
}

afterEach(async () => {
  await env.stop()
})

test('a Process becomes a Revision and Instances, and is Ready when they are', async () => {
  await start()
  const process = await env.create('web', { replicas: 2, env: [{ name: 'A', value: '1' }] }, { labels: { app: 'shop' } })
  await env.until(async () => assert.equal(conditionOf(await env.process('web'), 'Ready'), 'True'))
  const [revision, ...otherRevisions] = await env.revisions('web')
  assert.deepEqual(otherRevisions, [])
  assert.match(revision?.metadata.name ?? '', /^web-[0-9a-f]{8}$/)
  assert.deepEqual(revision?.spec.template, { command: ['sleep', '1d'], env: [{ name: 'A', value: '1' }] })
  const [first, second] = await env.instances('web')
  assert.equal(first?.metadata.name, 'web-0')
  assert.equal(second?.metadata.name, 'web-1')
  assert.deepEqual(first?.metadata.labels, { app: 'shop', 'pmk.dev/process': 'web', 'pmk.dev/index': '0' })
  assert.equal(first?.metadata.ownerReferences?.[0]?.uid, process.metadata.uid)
  assert.equal(first?.spec.nodeName, 'host')
  assert.equal(first?.spec.revision, revision?.metadata.name)
  assert.equal(first?.spec.template.restartPolicy, 'Always')
  const { status } = await env.process('web')
  assertPartly(status, {
    observedGeneration: 1,
    replicas: 2,
    readyReplicas: 2,
    updatedReplicas: 2,
    availableReplicas: 2,
    currentRevision: revision?.metadata.name,
    updateRevision: revision?.metadata.name,
    reason: 'Running',
    selector: 'pmk.dev/process=web',
  })
})

test('what becomes Ready at once has one status written, and no other before', async () => {
  await start({ heartbeats: false })
  await env.quiet()
  const before = env.store.revision()
  await env.create('web')
  await ready('web')
  // Process, Revision, Instance, the status of the Instance and that of the Process.
  assert.equal(env.store.revision() - before, 5)
})

test('when its Instances say nothing for half a second, the first status says so', async () => {
  await start({
    outcome: () => {
      throw new Error('An agent that is not there')
    },
  })
  await env.create('web')
  await env.clock.advance(400)
  assert.equal((await env.process('web')).status?.observedGeneration, undefined)
  await env.clock.advance(200)
  await env.until(async () => assertPartly((await env.process('web')).status, { observedGeneration: 1, reason: 'Starting' }))
})

test('while other Instances keep saying their first word, the first status waits on, for five seconds at most', async () => {
  await start({
    outcome: ({ metadata }) => {
      if (metadata.name.startsWith('slow')) throw new Error('One whose turn has not come')
      return {}
    },
  })
  const reported = async (): Promise<number | undefined> => (await env.process('slow')).status?.observedGeneration
  let crowd = 0
  const others = async (count: number): Promise<void> => {
    for (const end = crowd + count; crowd < end; crowd++) {
      await env.create(`quick-${crowd}`)
      await ready(`quick-${crowd}`)
      await env.clock.advance(400)
    }
  }
  await env.create('slow')
  await others(9)
  assert.equal(await reported(), undefined)
  await others(5)
  await env.until(async () => assert.equal(await reported(), 1))
})

test('when nothing changes, nothing is written', async () => {
  await start({ heartbeats: false })
  await env.create('web', { replicas: 3 })
  await env.quiet()
  const before = env.store.revision()
  await env.restartControllers()
  await env.clock.advance(30_000)
  assert.equal(env.store.revision(), before)
})

test('a live change reaches running Instances without a restart', async () => {
  await start()
  await env.create('web')
  await ready('web')
  const before = await env.instance('web-0')
  await env.change('web', { terminationGracePeriodSeconds: 77, readinessProbe: { tcpSocket: { port: 80 } } })
  await env.until(async () => assert.equal((await env.instance('web-0')).spec.template.terminationGracePeriodSeconds, 77))
  const after = await env.instance('web-0')
  assert.equal(after.spec.revision, before.spec.revision)
  assert.equal(after.metadata.uid, before.metadata.uid)
  assert.equal(after.spec.template.readinessProbe?.tcpSocket?.port, 80)
  await env.quiet()
  assert.equal(env.agent.starts.get(after.metadata.uid), 1)
  assert.equal((await env.revisions('web')).length, 1)
})

test('a live change reaches Instances of an older revision too, while a roll is paused', async () => {
  await start()
  await env.create('web', { updateStrategy: strategy({ paused: true }) })
  await ready('web')
  await env.change('web', { args: ['new'], terminationGracePeriodSeconds: 5, logs: { maxFiles: 9, mergeStderr: false } })
  await env.until(async () => assert.equal((await env.instance('web-0')).spec.template.terminationGracePeriodSeconds, 5))
  const { template } = (await env.instance('web-0')).spec
  assert.equal(template.args, undefined)
  assert.equal(template.logs.maxFiles, 9)
  assert.equal(template.logs.mergeStderr, true)
})

test('a launch change rolls one Instance after another, each waiting for the one before to be ready', async () => {
  const slow = new Set<string>()
  await start({ outcome: ({ metadata, spec }) => (slow.has(metadata.name) && spec.template.args !== undefined ? notReady : {}) })
  await env.create('web', { replicas: 3 })
  await ready('web')
  for (const name of ['web-0', 'web-1', 'web-2']) slow.add(name)
  await env.change('web', { args: ['two'] })
  for (const [at, name] of ['web-0', 'web-1', 'web-2'].entries()) {
    await env.until(async () =>
      assert.equal((await env.instances('web')).filter(({ spec }) => spec.template.args !== undefined).length, at + 1),
    )
    await env.quiet()
    const rolled = (await env.instances('web')).filter(({ spec }) => spec.template.args?.[0] === 'two')
    assert.equal(rolled.length, at + 1, 'the next one waits')
    assert.equal((await env.process('web')).status?.reason, at < 2 ? 'Rolling' : 'NotReady')
    slow.delete(name)
    await env.agent.lookAgain()
  }
  await ready('web')
  const { status } = await env.process('web')
  assert.equal(status?.currentRevision, status?.updateRevision)
  assert.equal(status?.reason, 'Running')
  const { items } = await env.client.for('Event').list()
  assert.deepEqual(items.map(({ reason }) => reason).sort(), ['NewRevision', 'RolloutComplete'])
})

test('minReadySeconds is waited for between two Instances', async () => {
  await start()
  await env.create('web', { replicas: 2, minReadySeconds: 30 })
  await env.quiet()
  assert.equal((await env.process('web')).status?.availableReplicas, 0)
  await env.clock.advance(30_000)
  await env.until(async () => assert.equal((await env.process('web')).status?.availableReplicas, 2))
  await env.change('web', { args: ['two'] })
  await env.quiet()
  assert.deepEqual(await rolledTo('web', 'two'), ['web-0'])
  await env.clock.advance(20_000)
  assert.deepEqual(await rolledTo('web', 'two'), ['web-0'])
  await env.clock.advance(10_000)
  await env.until(async () => assert.deepEqual(await rolledTo('web', 'two'), ['web-0', 'web-1']))
})

test('a bad revision is replaced by the next without waiting for it', async () => {
  await start({
    outcome: ({ spec }) => (spec.template.args?.[0] === 'bad' ? { ...notReady, reason: 'CrashLoopBackOff', message: 'exit code 1' } : {}),
  })
  await env.create('web', { replicas: 3 })
  await ready('web')
  await env.change('web', { args: ['bad'] })
  await env.quiet()
  assert.deepEqual(await rolledTo('web', 'bad'), ['web-0'])
  assertPartly((await env.process('web')).status, {
    reason: 'CrashLoopBackOff',
    message: 'web-0: exit code 1',
    readyReplicas: 2,
  })
  await env.change('web', { args: ['good'] })
  await ready('web')
  assert.deepEqual(await rolledTo('web', 'good'), ['web-0', 'web-1', 'web-2'])
})

test('a roll without progress is reported, and reported well again when it goes on', async () => {
  let broken = true
  await start({ outcome: ({ spec }) => (spec.template.args !== undefined && broken ? notReady : {}) })
  await env.create('web', { replicas: 2, updateStrategy: strategy({ progressDeadline: '1m' }) })
  await ready('web')
  await env.change('web', { args: ['two'] })
  await env.clock.advance(59_000)
  assert.equal(findCondition((await env.process('web')).status?.conditions, 'Progressing')?.reason, 'Rolling')
  await env.clock.advance(2_000)
  await env.until(async () => {
    const condition = findCondition((await env.process('web')).status?.conditions, 'Progressing')
    assertPartly(condition, { status: 'False', reason: 'ProgressDeadlineExceeded' })
  })
  broken = false
  await env.agent.lookAgain()
  await ready('web')
  assertPartly(findCondition((await env.process('web')).status?.conditions, 'Progressing'), {
    status: 'True',
    reason: 'Complete',
  })
})

test('an Instance that dies long after a roll does not make the roll fail', async () => {
  let dead = false
  await start({ outcome: () => (dead ? notReady : {}) })
  await env.create('web', { updateStrategy: strategy({ progressDeadline: '1m' }) })
  await ready('web')
  await env.clock.advance(600_000)
  dead = true
  await env.agent.lookAgain()
  await env.clock.advance(120_000)
  const { status } = await env.process('web')
  assert.equal(findCondition(status?.conditions, 'Ready')?.status, 'False')
  assertPartly(findCondition(status?.conditions, 'Progressing'), { status: 'True', reason: 'Complete' })
})

test('restartedAt rolls every Instance once, keeps its own restartedAt, and names who asked', async () => {
  await start()
  await env.create('web', { replicas: 2 })
  await ready('web')
  await env.client.for('Instance').patch({ name: 'web-1' }, { type: 'merge', value: { spec: { restartedAt: '2026-01-01T01:00:00Z' } } })
  await env.client
    .for('Process')
    .patch({ name: 'web' }, { type: 'merge', value: { spec: { restartedAt: '2026-01-01T02:00:00Z' } } }, { fieldManager: 'pmk-restart' })
  await env.until(async () => {
    for (const { spec, status } of await env.instances('web')) {
      assert.equal(spec.rolloutRestartedAt, '2026-01-01T02:00:00Z')
      assert.equal(status?.rolloutRestartedAt, spec.rolloutRestartedAt)
      assert.equal(spec.rolloutActor, 'pmk-restart')
    }
  })
  assert.equal((await env.instance('web-1')).spec.restartedAt, '2026-01-01T01:00:00Z')
  await ready('web')
  assert.deepEqual([...env.agent.starts.values()], [2, 2])
  await env.change('web', { restartedAt: null })
  await env.quiet()
  assert.deepEqual([...env.agent.starts.values()], [2, 2], 'taking the field away restarts nothing')
})

test('a template that comes back takes its old revision, with a new number', async () => {
  await start()
  await env.create('web')
  await ready('web')
  const first = (await env.process('web')).status?.updateRevision
  await env.change('web', { args: ['two'] })
  await env.until(async () => assert.notEqual((await env.process('web')).status?.currentRevision, first))
  await env.change('web', { args: null })
  await env.until(async () => assert.equal((await env.process('web')).status?.currentRevision, first))
  const revisions = await env.revisions('web')
  assert.deepEqual(
    revisions.map(({ revision }) => revision),
    [2, 3],
  )
  assert.equal(revisions[1]?.metadata.name, first)
})

test('a default written out makes no new revision', async () => {
  await start()
  await env.create('web')
  await ready('web')
  await env.change('web', { workingDir: '/', interpreter: ['/bin/sh', '-ec'], args: [] })
  await env.quiet()
  assert.equal((await env.revisions('web')).length, 1)
})

test('old revisions beyond the limit go, those in use stay', async () => {
  await start()
  await env.create('web', { revisionHistoryLimit: 2 })
  for (let change = 1; change <= 6; change++) {
    await env.change('web', { args: [`v${change}`] })
    await env.quiet()
  }
  await env.until(async () =>
    assert.deepEqual(
      (await env.revisions('web')).map(({ revision }) => revision),
      [5, 6, 7],
    ),
  )
})

test('two templates with the same hash get two revisions', async () => {
  await start()
  const probe = await env.create('other')
  await env.quiet()
  const hash = (await env.revisions('other'))[0]?.metadata.name.slice('other-'.length)
  await env.client.for('Revision').create({
    apiVersion: 'pmk.dev/v1',
    kind: 'Revision',
    metadata: { name: `web-${hash}` },
    revision: 4,
    spec: { process: 'web', template: { command: ['something', 'else'] } },
  })
  await env.create('web', { command: probe.spec.command ?? ['sleep'] })
  await ready('web')
  const { status } = await env.process('web')
  assert.equal(status?.collisionCount, 1)
  assert.notEqual(status?.updateRevision, `web-${hash}`)
  assert.deepEqual(
    (await env.revisions('web')).map(({ revision }) => revision),
    [4, 5],
  )
})

test('a changed Secret rolls; a deleted one takes nothing from what runs', async () => {
  await start()
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, stringData: { password: 'one', unused: 'x' } } as const
  await env.client.for('Secret').create(secret)
  const env1 = { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password', optional: false } } }
  await env.create('web', { env: [env1] })
  await ready('web')
  await env.client.for('Secret').patch({ name: 'db' }, { type: 'merge', value: { stringData: { unused: 'y' } } })
  await env.quiet()
  assert.equal((await env.revisions('web')).length, 1, 'another key is none of its business')
  await env.client.for('Secret').patch({ name: 'db' }, { type: 'merge', value: { stringData: { password: 'two' } } })
  await env.until(async () => assert.equal((await env.revisions('web')).length, 2))
  await ready('web')
  const starts = [...env.agent.starts.values()]
  await env.client.for('Secret').delete({ name: 'db' })
  await env.quiet()
  assert.equal((await env.revisions('web')).length, 2)
  assert.deepEqual([...env.agent.starts.values()], starts)
  const text = JSON.stringify(await env.revisions('web'))
  assert.doesNotMatch(text, /one|two/)
})

test('scaling takes away the highest numbers and brings back the same names', async () => {
  await start()
  await env.create('web', { replicas: 3, indexStart: 5 })
  await ready('web')
  assert.deepEqual(await names('web'), ['web-5', 'web-6', 'web-7'])
  const kept = (await env.instance('web-5')).metadata.uid
  await env.change('web', { replicas: 1 })
  await env.until(async () => assert.deepEqual(await names('web'), ['web-5']))
  await env.change('web', { replicas: 2 })
  await env.until(async () => assert.deepEqual(await names('web'), ['web-5', 'web-6']))
  await ready('web')
  assert.equal((await env.instance('web-5')).metadata.uid, kept)
  await env.change('web', { replicas: 0 })
  await env.until(async () => assert.equal((await env.process('web')).status?.reason, 'Stopped'))
})

test('stop, start, suspend and resume are copied at once', async () => {
  await start()
  await env.create('web', { replicas: 2 })
  await ready('web')
  await env.change('web', { desiredState: 'Stopped' })
  await env.until(async () => assert.equal((await env.process('web')).status?.reason, 'Stopped'))
  assert.equal(conditionOf(await env.process('web'), 'Ready'), 'False')
  assert.equal(conditionOf(await env.process('web'), 'Available'), 'False')
  await env.change('web', { args: ['while stopped'] })
  await env.until(async () => assert.deepEqual(await rolledTo('web', 'while stopped'), ['web-0', 'web-1']))
  await env.change('web', { desiredState: 'Running' })
  await ready('web')
  await env.change('web', { suspend: true, suspendUntil: '2026-01-01T01:00:00Z' })
  await env.until(async () => assert.equal((await env.process('web')).status?.reason, 'Suspended'))
  assertPartly((await env.instance('web-0')).spec, { suspend: true, suspendUntil: '2026-01-01T01:00:00Z' })
  await env.clock.advance(3_600_000)
  await env.until(async () => assert.equal((await env.process('web')).status?.reason, 'Running'))
  assert.equal((await env.process('web')).spec.suspend, true, 'what people wrote is theirs')
})

test('with OnDelete an Instance changes when somebody restarts or deletes it', async () => {
  await start()
  await env.create('web', { replicas: 3, updateStrategy: strategy({ type: 'OnDelete' }) })
  await ready('web')
  await env.clock.advance(5_000)
  await env.change('web', { args: ['two'] })
  await env.quiet()
  assert.deepEqual(await rolledTo('web', 'two'), [])
  assert.equal(conditionOf(await env.process('web'), 'Ready'), 'True')
  await env.clock.advance(5_000)
  await env.client.for('Instance').patch({ name: 'web-1' }, { type: 'merge', value: { spec: { restartedAt: env.clock.now() } } })
  await env.until(async () => assert.deepEqual(await rolledTo('web', 'two'), ['web-1']))
  await env.client.for('Instance').delete({ name: 'web-2' })
  await env.until(async () => assert.deepEqual(await rolledTo('web', 'two'), ['web-1', 'web-2']))
})

test('a paused roll stores the change, makes missing Instances as the others are, and goes on when resumed', async () => {
  await start()
  await env.create('web', { replicas: 1 })
  await ready('web')
  await env.change('web', { args: ['two'], replicas: 2, updateStrategy: { paused: true } })
  await env.until(async () => assert.deepEqual(await names('web'), ['web-0', 'web-1']))
  await env.quiet()
  assert.deepEqual(await rolledTo('web', 'two'), [])
  assert.equal((await env.revisions('web')).length, 2)
  await env.change('web', { updateStrategy: { paused: false } })
  await env.until(async () => assert.deepEqual(await rolledTo('web', 'two'), ['web-0', 'web-1']))
})

test('a deleted Process stays until the last program has ended', async () => {
  const lasting = new Set(['web-1'])
  await start({ ends: ({ metadata }) => !lasting.has(metadata.name) })
  await env.create('web', { replicas: 2 })
  await ready('web')
  await env.client.for('Process').delete({ name: 'web' })
  await env.quiet()
  assert.deepEqual(await names('web'), ['web-1'])
  assert.equal((await env.process('web')).status?.reason, 'Stopping')
  lasting.clear()
  await env.agent.lookAgain()
  await gone('web')
  await env.until(async () => assert.deepEqual(await env.revisions('web'), []))
})

test('who deletes a Process in a hurry is in a hurry with its Instances too, also when asking again', async () => {
  await start({ ends: () => false })
  await env.create('web', { replicas: 2 })
  await ready('web')
  const grace = async (): Promise<readonly (number | undefined)[]> =>
    (await env.instances('web')).map(({ metadata }) => metadata.deletionGracePeriodSeconds)
  await env.client.for('Process').delete({ name: 'web' }, { gracePeriodSeconds: 60 })
  await env.until(async () => assert.deepEqual(await grace(), [60, 60]))
  await env.client.for('Process').delete({ name: 'web' }, { gracePeriodSeconds: 0 })
  await env.until(async () => assert.deepEqual(await grace(), [0, 0]))
})

test('a Process deleted in the moment after it was made leaves nothing behind', async () => {
  await start()
  for (let turn = 0; turn < 20; turn++) {
    await env.create('web', { replicas: 3 })
    for (let pause = 0; pause < turn; pause++) await Promise.resolve()
    await env.client.for('Process').delete({ name: 'web' })
    await gone('web')
    await env.until(async () => assert.deepEqual(await names('web'), []))
  }
})

test('deleted alone, it leaves its Instances running, and a Process of the name takes them over', async () => {
  await start()
  await env.create('web', { replicas: 2 })
  await ready('web')
  const before = await env.instances('web')
  await env.client.for('Process').delete({ name: 'web' }, { propagation: 'Orphan' })
  await gone('web')
  await env.quiet()
  assert.deepEqual((await env.instances('web')).map(identity), before.map(identity))
  assert.deepEqual(
    (await env.instances('web')).map(({ metadata }) => metadata.ownerReferences),
    [undefined, undefined],
  )
  const next = await env.create('web', { replicas: 2 })
  await ready('web')
  assert.deepEqual((await env.instances('web')).map(identity), before.map(identity))
  assert.equal((await env.instance('web-0')).metadata.ownerReferences?.[0]?.uid, next.metadata.uid)
  assert.deepEqual([...env.agent.starts.values()], [1, 1], 'nothing was started again')
  assert.equal((await env.revisions('web')).length, 1)
})

test('a foreground deletion waits for the Instances', async () => {
  await start()
  await env.create('web')
  await ready('web')
  await env.client.for('Process').delete({ name: 'web' }, { propagation: 'Foreground' })
  await gone('web')
  assert.deepEqual(await names('web'), [])
})

test('Instances go where there are fewest, wait for a Node, and follow spec.nodeName', async () => {
  await start({ nodes: [] })
  await env.create('web', { replicas: 4 })
  await env.until(async () =>
    assertPartly((await env.process('web')).status, {
      reason: 'Blocked',
      message: 'no node is ready to take an Instance',
    }),
  )
  await env.addNode('a')
  await env.until(async () => assert.equal((await env.instances('web')).length, 4))
  await env.addNode('b')
  await env.create('api', { replicas: 3 })
  await env.until(async () =>
    assert.deepEqual(
      (await env.instances('api')).map(({ spec }) => spec.nodeName),
      ['b', 'b', 'b'],
    ),
  )
  await ready('api')
  await env.change('api', { nodeName: 'a' })
  await env.until(async () =>
    assert.deepEqual(
      (await env.instances('api')).map(({ spec }) => spec.nodeName),
      ['a', 'a', 'a'],
    ),
  )
})

test('what ran on a Node that is silent is unknown, and known again when it speaks', async () => {
  await start({ heartbeats: false })
  await env.create('web')
  await ready('web')
  await env.clock.advance(41_000)
  await env.until(async () => assertPartly((await env.process('web')).status, { reason: 'Unknown', readyReplicas: 0 }))
  const node = await env.client.for('Node').get({ name: 'host' })
  assert.equal(node.status?.phase, 'NotReady')
  await env.client.for('Node').updateStatus({ ...node, status: { phase: 'Ready', heartbeatTime: env.clock.now() } })
  await ready('web')
})

test('an Instance that an earlier Process left is named as what is in the way, until it is gone', async () => {
  let lasting = true
  await start({ ends: () => !lasting })
  await env.create('web')
  await ready('web')
  const earlier = await env.instance('web-0')
  await env.client.for('Process').delete({ name: 'web' })
  await env.client.for('Process').patch({ name: 'web' }, { type: 'merge', value: { metadata: { finalizers: null } } })
  await gone('web')
  await env.create('web', { replicas: 2 })
  await env.quiet()
  const { status } = await env.process('web')
  assert.equal(status?.reason, 'Blocked')
  assert.match(status?.message ?? '', /Instance web-0 is there already/)
  assert.equal(status?.replicas, 1, 'the other one is made')
  lasting = false
  await env.agent.lookAgain()
  await ready('web')
  assert.notEqual((await env.instance('web-0')).metadata.uid, earlier.metadata.uid)
})

test('a host that cannot honour a field is named in a condition', async () => {
  await start({ outcome: () => ({ hostGaps: ['ioPriority: no ionice'] }) })
  await env.create('web')
  await ready('web')
  const condition = findCondition((await env.process('web')).status?.conditions, 'HostSupports')
  assertPartly(condition, { status: 'False', message: "the host can't honour: ioPriority: no ionice" })
})

test('labels of a Process reach its Instances, also when they are taken away', async () => {
  await start()
  await env.create('web', {}, { labels: { app: 'shop', tier: 'front' } })
  await ready('web')
  await env.client.for('Process').patch({ name: 'web' }, { type: 'merge', value: { metadata: { labels: { tier: null, owner: 'ops' } } } })
  await env.until(async () =>
    assert.deepEqual((await env.instance('web-0')).metadata.labels, {
      app: 'shop',
      owner: 'ops',
      'pmk.dev/process': 'web',
      'pmk.dev/index': '0',
    }),
  )
})

const notReady: Partial<InstanceStatus> = { ready: false, reason: 'NotReady' }

function strategy(options: object): Process['spec']['updateStrategy'] {
  return options as Process['spec']['updateStrategy']
}

function conditionOf({ status }: Process, type: string): string | undefined {
  return findCondition(status?.conditions, type)?.status
}

async function ready(name: string): Promise<void> {
  await env.until(async () => {
    const process = await env.process(name)
    const condition = findCondition(process.status?.conditions, 'Ready')
    assert.equal(condition?.status, 'True', condition?.message)
    assert.equal(condition?.observedGeneration, process.metadata.generation)
  })
}

async function gone(name: string): Promise<void> {
  await env.until(() => assert.rejects(env.process(name), (err) => hasReason(err, 'NotFound')))
}

async function names(process: string): Promise<readonly string[]> {
  return (await env.instances(process)).map(({ metadata }) => metadata.name)
}

async function rolledTo(process: string, arg: string): Promise<readonly string[]> {
  return (await env.instances(process)).filter(({ spec }) => spec.template.args?.[0] === arg).map(({ metadata }) => metadata.name)
}

function identity({ metadata }: Instance): string {
  return `${metadata.name} ${metadata.uid}`
}
