import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { InstanceTarget, InstanceUsage, LogPiece, LogQuery, NodeGateway } from '../../src/api/node-gateway.ts'
import { apiError, hasReason } from '../../src/api/status.ts'
import { aborted } from '../../src/base/abort.ts'
import { linesOf } from '../../src/client/watch-decoder.ts'
import type { LocalClientOptions } from '../../src/registry/local-client.ts'
import { createLocalClient } from '../../src/registry/local-client.ts'
import { processNamed, TestApiServer } from '../support/api-server.ts'
import { eventually } from '../support/eventually.ts'

const INSTANCES = '/apis/pmk.dev/v1/namespaces/default/instances'
const PROCESSES = '/apis/pmk.dev/v1/namespaces/default/processes'

/** An agent whose programs do what their names say. */
class ScriptedAgent implements NodeGateway {
  readonly signals: string[] = []
  readonly logQueries: LogQuery[] = []
  followers = 0

  async *logs({ name }: InstanceTarget, query: LogQuery, signal: AbortSignal): AsyncGenerator<LogPiece> {
    this.logQueries.push(query)
    if (name === 'web-2') throw apiError('NotFound', 'no log of web-2')
    if (query.cursor === 'nonsense') throw apiError('BadRequest', 'cursor: that is none of a log')
    yield { bytes: Buffer.alloc(0), cursor: '7.0', skipped: 0 }
    yield { bytes: Buffer.from('first line\n'), cursor: '18.0', skipped: 0 }
    if (!query.follow) return
    this.followers += 1
    try {
      await aborted(signal)
    } finally {
      this.followers -= 1
    }
  }

  async signal({ name }: InstanceTarget, signal: string): Promise<void> {
    if (name === 'web-1') throw apiError('Conflict', 'web-1 does not run')
    this.signals.push(`${name} ${signal}`)
  }

  async pause({ name }: InstanceTarget, paused: boolean): Promise<void> {
    if (name === 'web-1') throw apiError('Conflict', 'web-1 does not run')
    this.signals.push(`${name} ${paused ? 'paused' : 'unpaused'}`)
  }

  async reload({ name }: InstanceTarget): Promise<{ readonly exitCode: number; readonly output: string }> {
    return { exitCode: name === 'web-0' ? 0 : 3, output: `reloaded ${name}` }
  }

  async action(
    _target: InstanceTarget,
    action: string,
    onOutput: (chunk: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<{ readonly exitCode: number }> {
    if (action === 'unknown') throw apiError('BadRequest', 'web-0 has the actions check, wait')
    if (action === 'lost') {
      onOutput(Buffer.from('so far'))
      await new Promise((resolve) => setImmediate(resolve))
      throw apiError('ServiceUnavailable', 'the agent stops')
    }
    if (action === 'wait') {
      onOutput(Buffer.from('waiting'))
      await aborted(signal)
      this.signals.push('action aborted')
      return { exitCode: 143 }
    }
    onOutput(Buffer.from([0xff, 0x00, 0x0a]))
    onOutput(Buffer.from('more\n'))
    return { exitCode: 7 }
  }

  async usage({ namespace, name }: InstanceTarget): Promise<InstanceUsage> {
    return { namespace, name, process: 'web', cpu: 0.5, cpuWindowSeconds: 4, cpuSeconds: 12, memory: 1024, processes: 2, threads: 3 }
  }

  async usageOfAll(): Promise<readonly InstanceUsage[]> {
    return Promise.all(['web-0', 'web-1'].map((name) => this.usage({ namespace: 'default', name })))
  }
}

let server: TestApiServer
const agent = new ScriptedAgent()

before(async () => {
  server = await TestApiServer.start({
    gateways: (node) => {
      if (node === 'here') return agent
      throw apiError('ServiceUnavailable', `the agent of node ${node} can't be reached`)
    },
  })
  const options: LocalClientOptions = { fieldManager: 'test' }
  const client = createLocalClient(server.registry, options)
  await server.send('POST', PROCESSES, processNamed('web'))
  await server.send('POST', PROCESSES, processNamed('lonely'))
  await client.for('Node').create({ apiVersion: 'pmk.dev/v1', kind: 'Node', metadata: { name: 'here' } })
  // Made out of order: an action goes to the lowest index, not to the first one made.
  for (const [index, nodeName] of [
    [10, 'here'],
    [2, 'here'],
    [1, 'here'],
    [0, 'here'],
    [11, 'gone'],
  ] as const) {
    await client.for('Instance').create({
      apiVersion: 'pmk.dev/v1',
      kind: 'Instance',
      metadata: { name: `web-${index}`, namespace: 'default', labels: { 'pmk.dev/process': 'web', 'pmk.dev/index': String(index) } },
      spec: { process: 'web', index, nodeName, revision: 'web-1', template: { command: ['sleep', '1000'] } },
    })
  }
})
after(() => server.stop())

describe('logs', () => {
  test('the parameters of a Pod log reach the agent', async () => {
    const answer = await server.raw(
      'GET',
      `${INSTANCES}/web-0/log?tailLines=5&previous=true&timestamps=1&limitBytes=100&sinceTime=2026-01-01T00:00:00Z`,
    )
    assert.equal(answer.status, 200)
    assert.match(String(answer.headers['content-type']), /^text\/plain/)
    assert.equal(answer.text, 'first line\n')
    const expected = { follow: false, previous: true, timestamps: true, tailLines: 5, limitBytes: 100, since: '2026-01-01T00:00:00.000Z' }
    assert.deepEqual(agent.logQueries.at(-1), expected)
    await server.raw('GET', `${INSTANCES}/web-0/log?sinceSeconds=60`)
    const since = Date.parse(agent.logQueries.at(-1)?.since ?? '')
    assert.ok(Math.abs(Date.now() - 60_000 - since) < 30_000, String(since))
  })

  test('with frames each piece tells the place behind it, to go on from', async () => {
    const { text } = await server.raw('GET', `${INSTANCES}/web-0/log?frames=true&cursor=7.0`)
    assert.equal(agent.logQueries.at(-1)?.cursor, '7.0')
    assert.equal(text, '{"cursor":"7.0"}\n{"cursor":"18.0","output":"Zmlyc3QgbGluZQo="}\n')
  })

  test('a log that is followed comes as it is written, and ends for the agent with its reader', async () => {
    const controller = new AbortController()
    const response = await server.client.request({
      method: 'GET',
      path: `${INSTANCES}/web-0/log`,
      query: { follow: true },
      signal: controller.signal,
    })
    for await (const chunk of response.body) {
      assert.equal(Buffer.from(chunk).toString(), 'first line\n')
      break
    }
    await eventually(() => assert.equal(agent.followers, 0))
    await eventually(() => assert.equal(server.server.streams, 0))
  })

  for (const [path, code] of [
    [`${INSTANCES}/nobody/log`, 404],
    [`${INSTANCES}/web-2/log`, 404],
    [`${INSTANCES}/web-11/log`, 503],
    [`${INSTANCES}/web-0/log?tailLines=-1`, 400],
    [`${INSTANCES}/web-0/log?sinceTime=yesterday`, 400],
    [`${INSTANCES}/web-0/log?cursor=nonsense`, 400],
    [`${INSTANCES}/web-0/log?sinceTime=2026-01-01T00:00:00Z&sinceSeconds=5`, 400],
    [`${PROCESSES}/web/log`, 404],
  ] as const) {
    test(`${path.slice(INSTANCES.length - 9)} is ${code}`, async () => {
      const answer = await server.raw('GET', path)
      assert.equal(answer.status, code, answer.text)
      assert.equal(answer.json.kind, 'Status')
    })
  }
})

describe('signals and reloads', () => {
  test('a signal to a Process reaches all its Instances, and the answer tells of each', async () => {
    agent.signals.length = 0
    const { items } = (await server.send('POST', `${PROCESSES}/web/signal`, { signal: 'HUP' })).json
    assert.deepEqual(
      items.map(({ instance, outcome, status }: { instance: string; outcome: string; status?: { reason: string } }) => [
        instance,
        outcome,
        status?.reason,
      ]),
      [
        ['web-0', 'Success', undefined],
        ['web-1', 'Failure', 'Conflict'],
        ['web-2', 'Success', undefined],
        ['web-10', 'Success', undefined],
        ['web-11', 'Failure', 'ServiceUnavailable'],
      ],
    )
    assert.deepEqual(agent.signals.toSorted(), ['web-0 HUP', 'web-10 HUP', 'web-2 HUP'])
  })

  test('a signal to an Instance that does not run is a Conflict', async () => {
    assert.equal((await server.send('POST', `${INSTANCES}/web-1/signal`, { signal: 'HUP' })).status, 409)
    const one = await server.send('POST', `${INSTANCES}/web-0/signal`, { signal: 'USR1' })
    assert.deepEqual(one.json.items, [{ instance: 'web-0', outcome: 'Success' }])
  })

  test('a pause reaches every Instance of a Process and needs to be told which way', async () => {
    agent.signals.length = 0
    const { items } = (await server.send('POST', `${PROCESSES}/web/pause`, { paused: true })).json
    assert.deepEqual(items.map(({ instance, outcome }: { instance: string; outcome: string }) => [instance, outcome]).slice(0, 2), [
      ['web-0', 'Success'],
      ['web-1', 'Failure'],
    ])
    await server.send('POST', `${INSTANCES}/web-0/pause`, { paused: false })
    assert.equal(agent.signals[0], 'web-0 paused')
    assert.equal(agent.signals.at(-1), 'web-0 unpaused')
    assert.equal((await server.send('POST', `${INSTANCES}/web-0/pause`, {})).status, 400)
  })

  test('a reload tells exit code and output', async () => {
    const { items } = (await server.raw('POST', `${PROCESSES}/web/reload`)).json
    assert.deepEqual(items[0], { instance: 'web-0', outcome: 'Success', exitCode: 0, output: 'reloaded web-0' })
    assert.equal(items[1].exitCode, 3)
  })

  test('only POST does it', async () => {
    assert.equal((await server.raw('GET', `${INSTANCES}/web-0/reload`)).status, 405)
    assert.equal((await server.raw('POST', `${INSTANCES}/web-0/log`)).status, 405)
    assert.equal((await server.raw('POST', `${INSTANCES}/web-0/signal`, { body: '{}' })).status, 400)
  })
})

describe('actions', () => {
  async function lines(path: string, action: string): Promise<readonly Record<string, unknown>[]> {
    const response = await server.client.request({ method: 'POST', path: `${path}/action`, body: JSON.stringify({ action }) })
    const all: Record<string, unknown>[] = []
    for await (const line of linesOf(response.body)) all.push(JSON.parse(line))
    return all
  }

  test('an action of a Process is carried out once, by the lowest index; output comes byte for byte, the exit code last', async () => {
    const [first, ...rest] = await lines(`${PROCESSES}/web`, 'check')
    assert.deepEqual(first, { instance: 'web-0' })
    assert.deepEqual(rest.pop(), { exitCode: 7 })
    const output = Buffer.concat(rest.map((line) => Buffer.from(String(line.output), 'base64')))
    assert.deepEqual([...output], [0xff, 0x00, 0x0a, ...Buffer.from('more\n')])
  })

  test('what fails at once has a status of its own, what fails later says so at the end', async () => {
    await assert.rejects(lines(`${INSTANCES}/web-0`, 'unknown'), (err) => hasReason(err, 'BadRequest'))
    const all = await lines(`${INSTANCES}/web-0`, 'lost')
    assert.equal((all.at(-1) as { status: { reason: string } }).status.reason, 'ServiceUnavailable')
  })

  test('a Process without Instances can do nothing', async () => {
    await assert.rejects(lines(`${PROCESSES}/lonely`, 'check'), (err) => hasReason(err, 'Conflict'))
  })

  test('the command is told when its reader has gone', async () => {
    const controller = new AbortController()
    const request = {
      method: 'POST',
      path: `${INSTANCES}/web-0/action`,
      body: JSON.stringify({ action: 'wait' }),
      signal: controller.signal,
    } as const
    const response = await server.client.request(request)
    controller.abort()
    response.cancel()
    await eventually(() => assert.equal(agent.signals.at(-1), 'action aborted'))
  })
})

describe('usage', () => {
  test('of an Instance and of a Node', async () => {
    const one = (await server.raw('GET', `${INSTANCES}/web-0/usage`)).json
    assert.deepEqual([one.kind, one.name, one.memory], ['Usage', 'web-0', 1024])
    const all = (await server.raw('GET', '/apis/pmk.dev/v1/nodes/here/usage')).json
    assert.deepEqual([all.kind, all.items.length, all.items[1].name], ['UsageList', 2, 'web-1'])
    assert.equal((await server.raw('GET', '/apis/pmk.dev/v1/nodes/nowhere/usage')).status, 404)
  })
})
