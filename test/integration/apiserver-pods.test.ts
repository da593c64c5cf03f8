import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { InstanceTarget, InstanceUsage, LogPiece, LogQuery, NodeGateway } from '../../src/api/node-gateway.ts'
import { apiError } from '../../src/api/status.ts'
import { createLocalClient } from '../../src/registry/local-client.ts'
import { TestApiServer } from '../support/api-server.ts'

const PODS = '/api/v1/namespaces/default/pods'
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }

/** What was asked of the logs. */
const asked: LogQuery[] = []

async function* logs({ name }: InstanceTarget, query: LogQuery): AsyncGenerator<LogPiece> {
  asked.push(query)
  yield { bytes: Buffer.from(`log of ${name}\n`), cursor: '1.0', skipped: 0 }
}

/** Of the two only one runs. */
const USAGE: InstanceUsage = {
  namespace: 'default',
  name: 'web-0',
  process: 'web',
  cpu: 0.25,
  cpuWindowSeconds: 4,
  cpuSeconds: 6,
  memory: 1_500,
  processes: 2,
  threads: 3,
}

async function usage({ name }: InstanceTarget): Promise<InstanceUsage> {
  if (name === USAGE.name) return USAGE
  throw apiError('Conflict', `${name} does not run`)
}

let server: TestApiServer

function gatewayTo(node: string): NodeGateway {
  if (node !== 'here') throw apiError('ServiceUnavailable', `the agent of node ${node} can't be reached`)
  return { logs, usage, usageOfAll: async () => [USAGE] } as unknown as NodeGateway
}

before(async () => {
  server = await TestApiServer.start({ gateways: gatewayTo })
  const client = createLocalClient(server.registry, { fieldManager: 'test' })
  for (const [index, attempt] of [1, 2].entries()) {
    const made = await client.for('Instance').create({
      apiVersion: 'pmk.dev/v1',
      kind: 'Instance',
      metadata: { name: `web-${index}`, namespace: 'default', labels: { app: 'web' } },
      spec: { process: 'web', index, nodeName: 'here', revision: 'web-1', template: { command: ['sleep', '1000'] } },
    })
    const status = { phase: 'Running', reason: 'Running', pid: 7, ready: index === 0, restartCount: index, attempt } as const
    await client.for('Instance').updateStatus({ ...made, status })
  }
})
after(() => server.stop())

describe('Pods', () => {
  test('are listed with the columns that kubectl has for them', async () => {
    const { json } = await server.raw('GET', PODS, { headers: TABLE })
    const columns: { name: string; priority: number }[] = json.columnDefinitions
    assert.deepEqual(
      columns.filter(({ priority }) => priority === 0).map(({ name }) => name),
      ['Name', 'Ready', 'Status', 'Restarts', 'Age'],
    )
    assert.deepEqual(
      json.rows.map((row: { cells: unknown[] }) => [...row.cells.slice(0, 4), ...row.cells.slice(5)]),
      [
        ['web-0', '1/1', 'Running', '0', '<none>', 'here', '<none>', '<none>'],
        ['web-1', '0/1', 'Running', '1', '<none>', 'here', '<none>', '<none>'],
      ],
    )
  })

  test('are lists and objects of their own kind, in all forms', async () => {
    const list = (await server.raw('GET', '/api/v1/pods?labelSelector=app%3Dweb&fieldSelector=metadata.name%3Dweb-1')).json
    assert.equal(`${list.apiVersion} ${list.kind}`, 'v1 PodList')
    assert.deepEqual(
      list.items.map(({ kind, metadata }: { kind: string; metadata: { name: string } }) => `${kind} ${metadata.name}`),
      ['Pod web-1'],
    )
    const partial = { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' }
    const { items } = (await server.raw('GET', PODS, { headers: partial })).json
    assert.deepEqual(Object.keys(items[0]), ['kind', 'apiVersion', 'metadata'])
    const missing = await server.raw('GET', `${PODS}/none`)
    assert.equal(missing.status, 404)
    assert.equal(missing.json.message, 'pods "none" not found')
  })

  test('can not be written, and are not said to be', async () => {
    for (const [method, path] of [
      ['POST', PODS],
      ['DELETE', PODS],
      ['PUT', `${PODS}/web-0`],
      ['DELETE', `${PODS}/web-0`],
    ] as const) {
      const { status, json } = await server.send(method, path, {})
      assert.equal(`${status} ${json.reason}`, '405 MethodNotAllowed', `${method} ${path}`)
    }
    const patched = await server.send('PATCH', `${PODS}/web-0`, {}, 'application/merge-patch+json')
    assert.equal(patched.status, 405)
    const { resources } = (await server.raw('GET', '/api/v1')).json
    const verbs = Object.fromEntries(resources.map(({ name, verbs }: { name: string; verbs: string[] }) => [name, verbs]))
    assert.deepEqual(verbs.pods, ['get', 'list', 'watch'])
    assert.deepEqual(verbs['pods/log'], ['get'])
    assert.deepEqual(verbs.services, ['get', 'list', 'watch'])
  })

  test('have their logs, with the parameters of Kubernetes', async () => {
    const query = 'container=web&tailLines=5&timestamps=true&limitBytes=100&sinceTime=2026-01-01T00:00:00Z'
    const answer = await server.raw('GET', `${PODS}/web-0/log?${query}`)
    assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8')
    assert.equal(answer.text, 'log of web-0\n')
    assert.deepEqual(asked.at(-1), {
      follow: false,
      previous: false,
      timestamps: true,
      since: '2026-01-01T00:00:00.000Z',
      tailLines: 5,
      limitBytes: 100,
    })
  })

  test('have one container, and the log of a run before only when there was one', async () => {
    const other = await server.raw('GET', `${PODS}/web-0/log?container=sidecar`)
    assert.equal(`${other.status} ${other.json.message}`, '400 container sidecar is not valid for pod web-0')
    const first = await server.raw('GET', `${PODS}/web-0/log?previous=true`)
    assert.equal(`${first.status} ${first.json.message}`, '400 previous terminated container "web" in pod "web-0" not found')
    assert.equal((await server.raw('GET', `${PODS}/web-1/log?previous=true`)).text, 'log of web-1\n')
    assert.equal((await server.raw('GET', `${PODS}/none/log`)).json.message, 'pods "none" not found')
  })

  test('that wait to be started again have the log of the run that ended as the one before', async () => {
    const instances = createLocalClient(server.registry, { fieldManager: 'test' }).for('Instance')
    const { status: before, ...running } = await instances.get({ namespace: 'default', name: 'web-0' })
    const lastTermination = { reason: 'Error', exitCode: 1, finishedAt: '2026-01-01T00:00:00Z' }
    const waiting = { phase: 'Pending', reason: 'CrashLoopBackOff', attempt: 1, lastTermination } as const
    const stored = await instances.updateStatus({ ...running, status: waiting })
    try {
      assert.equal((await server.raw('GET', `${PODS}/web-0/log?previous=true&follow=true`)).status, 200)
      assert.deepEqual(asked.at(-1), { follow: false, previous: false, timestamps: false })
    } finally {
      await instances.updateStatus({ ...stored, status: before ?? {} })
    }
  })
})

describe('What Pods use', () => {
  const METRICS = '/apis/metrics.k8s.io/v1beta1/namespaces/default/pods'

  test('is told of those that run, whatever Nodes can not be reached', async () => {
    const client = createLocalClient(server.registry, { fieldManager: 'test' })
    const spec = { process: 'far', index: 0, nodeName: 'there', revision: 'far-1', template: { command: ['sleep', '1000'] } } as const
    await client
      .for('Instance')
      .create({ apiVersion: 'pmk.dev/v1', kind: 'Instance', metadata: { name: 'far-0', namespace: 'default' }, spec })
    for (const path of [METRICS, '/apis/metrics.k8s.io/v1beta1/pods?labelSelector=app%3Dweb']) {
      const { kind, items } = (await server.raw('GET', path)).json
      assert.equal(kind, 'PodMetricsList')
      assert.equal(items.length, 1)
      const [{ metadata, window, containers }] = items
      assert.equal(metadata.name, 'web-0')
      assert.equal(window, '4.000s')
      assert.deepEqual(containers, [{ name: 'web', usage: { cpu: '250000000n', memory: '2Ki' } }])
    }
    const none = (await server.raw('GET', `${METRICS}?labelSelector=app%3Ddb`)).json
    assert.deepEqual(none.items, [])
    await client.for('Instance').delete({ namespace: 'default', name: 'far-0' })
  })

  test('is not found of a Pod that does not run, and of none that is not there', async () => {
    assert.equal((await server.raw('GET', `${METRICS}/web-0`)).json.kind, 'PodMetrics')
    for (const name of ['web-1', 'none']) {
      const { status, json } = await server.raw('GET', `${METRICS}/${name}`)
      assert.equal(`${status} ${json.reason}`, '404 NotFound', name)
    }
    assert.equal((await server.send('POST', METRICS, {})).status, 405)
  })
})

test('Services are a kind of which there are none, in any namespace', async () => {
  const list = await server.raw('GET', '/api/v1/namespaces/kube-system/services?labelSelector=kubernetes.io%2Fcluster-service%3Dtrue')
  assert.equal(list.json.kind, 'ServiceList')
  assert.deepEqual(list.json.items, [])
  const watch = await server.raw('GET', '/api/v1/services?watch=true&resourceVersion=0&timeoutSeconds=1')
  assert.deepEqual([watch.status, watch.text], [200, ''])
})
