import assert from 'node:assert/strict'
import { test } from 'node:test'
import { definitionOf } from '../../../src/api/scheme.ts'
import type { Instance, Pod } from '../../../src/generated/types.ts'
import type { ListQuery, WatchQuery } from '../../../src/registry/registry.ts'
import { type TestedRegistry, testRegistry } from './support.ts'

const PODS = definitionOf('Pod')
const STARTED = '2026-01-01T00:00:00.000Z'
const ENDED = '2026-01-01T00:01:00.000Z'

type Status = NonNullable<Instance['status']>

async function instance({ client }: TestedRegistry, index: number, status?: Status, template: object = {}): Promise<Instance> {
  const made = await client.for('Instance').create({
    apiVersion: 'pmk.dev/v1',
    kind: 'Instance',
    metadata: { name: `web-${index}`, namespace: 'default', labels: { app: 'web' }, annotations: { note: 'x' } },
    spec: { process: 'web', index, nodeName: 'here', revision: 'web-1', template: { command: ['sleep', '9'], ...template } },
  })
  return status === undefined ? made : client.for('Instance').updateStatus({ ...made, status })
}

async function podOf({ registry }: TestedRegistry, name = 'web-0'): Promise<Pod> {
  return (await registry.get(PODS, { namespace: 'default', name })) as Pod
}

test('a Pod has the name, uid, version, labels and owners of its Instance, and nobody who owns its fields', async () => {
  const tested = await testRegistry()
  const source = await instance(tested, 0)
  const { managedFields, ...metadata } = source.metadata
  assert.ok(managedFields !== undefined)
  const pod = await podOf(tested)
  assert.deepEqual(pod.metadata, metadata)
  assert.equal(`${pod.apiVersion} ${pod.kind}`, 'v1 Pod')
})

test('the container is called like the Process, and its environment is not told', async () => {
  const tested = await testRegistry()
  const resources = { limits: { cpu: '500m', memory: '64Mi', pids: 9 } }
  await instance(tested, 0, undefined, { args: ['1'], env: [{ name: 'TOKEN', value: 'secret' }], resources, workingDir: '/tmp' })
  const { spec } = await podOf(tested)
  assert.deepEqual(spec, {
    containers: [
      {
        name: 'web',
        image: 'sleep',
        command: ['sleep', '9'],
        args: ['1'],
        workingDir: '/tmp',
        resources: { limits: { cpu: '500m', memory: '64Mi' } },
      },
    ],
    nodeName: 'here',
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 10,
  })
})

const died = { reason: 'Error', exitCode: 3, finishedAt: ENDED } as const
const killed = { reason: 'Signaled', exitCode: 137, signal: 'KILL', startedAt: STARTED, finishedAt: ENDED } as const

const rows: readonly { readonly given: string; readonly status: Status | undefined; readonly expect: readonly unknown[] }[] = [
  { given: 'nothing is known yet', status: undefined, expect: ['Pending', undefined, { waiting: { reason: 'Pending' } }, {}] },
  {
    given: 'it runs',
    status: { phase: 'Running', reason: 'Running', pid: 7, startedAt: STARTED, ready: true },
    expect: ['Running', undefined, { running: { startedAt: STARTED } }, {}],
  },
  {
    given: 'it runs again after a death',
    status: { phase: 'Running', reason: 'NotReady', pid: 7, startedAt: STARTED, restartCount: 1, lastTermination: died },
    expect: ['Running', 'NotReady', { running: { startedAt: STARTED } }, { terminated: died }],
  },
  {
    given: 'it waits to be started again',
    status: { phase: 'Pending', reason: 'CrashLoopBackOff', message: 'in 40 s', lastTermination: killed },
    expect: [
      'Pending',
      'CrashLoopBackOff',
      { waiting: { reason: 'CrashLoopBackOff', message: 'in 40 s' } },
      { terminated: { ...killed, signal: 9 } },
    ],
  },
  {
    given: 'it is stopping',
    status: { phase: 'Stopping', reason: 'Stopping', pid: 7, startedAt: STARTED },
    expect: ['Running', 'Stopping', { running: { startedAt: STARTED } }, {}],
  },
  {
    given: 'it was stopped',
    status: { phase: 'Stopped', reason: 'Stopped', lastTermination: { ...died, reason: 'Stopped', exitCode: 0 } },
    expect: ['Succeeded', 'Stopped', { terminated: { ...died, reason: 'Stopped', exitCode: 0 } }, {}],
  },
  {
    given: 'it was stopped before it ever ran',
    status: { phase: 'Stopped', reason: 'Stopped' },
    expect: ['Succeeded', 'Stopped', { waiting: { reason: 'Stopped' } }, {}],
  },
  {
    given: 'nobody knows how it ended',
    status: { phase: 'Failed', reason: 'GaveUp', lastTermination: { reason: 'Unknown', finishedAt: ENDED } },
    expect: ['Failed', 'GaveUp', { terminated: { exitCode: 137, reason: 'Unknown', finishedAt: ENDED } }, {}],
  },
]
for (const { given, status, expect } of rows) {
  test(`when ${given}, the Pod is ${expect[0]}`, async () => {
    const tested = await testRegistry()
    await instance(tested, 0, status)
    const pod = await podOf(tested)
    const [container] = pod.status.containerStatuses
    assert.deepEqual([pod.status.phase, pod.status.reason, container?.state, container?.lastState], expect)
    assert.equal(container?.ready, status?.ready ?? false)
    assert.equal(container?.restartCount, status?.restartCount ?? 0)
  })
}

test('a Pod is ready since when its Instance is', async () => {
  const tested = await testRegistry()
  const ready = { type: 'Ready', status: 'True', reason: 'Ready', lastTransitionTime: STARTED } as const
  await instance(tested, 0, { phase: 'Running', pid: 7, conditions: [ready] })
  const { conditions } = (await podOf(tested)).status
  assert.deepEqual(
    conditions.find(({ type }) => type === 'Ready'),
    ready,
  )
  assert.equal(conditions.find(({ type }) => type === 'ContainersReady')?.status, 'True')
})

test('a Pod whose Instance is being deleted is Terminating', async () => {
  const tested = await testRegistry()
  await instance(tested, 0, { phase: 'Running', reason: 'Running', pid: 7 })
  await tested.client.for('Instance').delete({ namespace: 'default', name: 'web-0' })
  assert.equal((await podOf(tested)).status.reason, 'Terminating')
})

test('Pods are selected by what they show, not by what their Instances do', async () => {
  const tested = await testRegistry()
  await instance(tested, 0, { phase: 'Stopping', pid: 7 })
  await instance(tested, 1, { phase: 'Stopped' })
  await instance(tested, 2)
  const names = async (query: ListQuery): Promise<readonly string[]> =>
    (await tested.registry.list(PODS, query)).items.map(({ metadata }) => metadata.name)
  assert.deepEqual(await names({ fieldSelector: 'status.phase=Running' }), ['web-0'])
  assert.deepEqual(await names({ fieldSelector: 'status.phase=Succeeded,spec.nodeName=here' }), ['web-1'])
  assert.deepEqual(await names({ fieldSelector: 'metadata.name=web-2', labelSelector: 'app=web' }), ['web-2'])
  assert.deepEqual(await names({ namespace: 'other' }), [])
  await assert.rejects(tested.registry.list(PODS, { fieldSelector: 'status.reason=Stopped' }), /field label not supported/)
  const first = await tested.registry.list(PODS, { limit: 2 })
  assert.deepEqual(await names({ limit: 2, continue: first.continue ?? '' }), ['web-2'])
})

test('a watch of Pods goes on from the version of an Instance, and tells who enters and leaves a selection', async () => {
  const tested = await testRegistry()
  const made = await instance(tested, 0)
  const stop = new AbortController()
  const query: WatchQuery = { resourceVersion: made.metadata.resourceVersion, fieldSelector: 'status.phase=Running' }
  const events = tested.registry.watch(PODS, query, stop.signal)[Symbol.asyncIterator]()
  const instances = tested.client.for('Instance')
  const running = await instances.updateStatus({ ...made, status: { phase: 'Running', pid: 7 } })
  const gone = await instances.updateStatus({ ...running, status: { phase: 'Failed' } })
  const seen: unknown[] = []
  for (const _ of [1, 2]) {
    const { value } = await events.next()
    assert.ok(value !== undefined && value.type !== 'BOOKMARK')
    seen.push([value.type, value.object.kind, value.object.metadata.resourceVersion, (value.object as Pod).status.phase])
  }
  stop.abort()
  assert.deepEqual(seen, [
    ['ADDED', 'Pod', running.metadata.resourceVersion, 'Running'],
    ['DELETED', 'Pod', gone.metadata.resourceVersion, 'Running'],
  ])
})

test('all who read a Pod get the same one, until its Instance changes', async () => {
  const tested = await testRegistry()
  const made = await instance(tested, 0)
  const before = await podOf(tested)
  assert.equal(await podOf(tested), before)
  assert.ok(Object.isFrozen(before.status.containerStatuses[0]))
  await tested.client.for('Instance').updateStatus({ ...made, status: { phase: 'Running', pid: 7 } })
  assert.equal((await podOf(tested)).status.phase, 'Running')
})
