import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { hasReason } from '../../src/api/status.ts'
import { createHttpClient } from '../../src/client/http-client.ts'
import { PROCESSES, processNamed } from '../support/api-server.ts'
import { ApiServerProcess } from '../support/api-server-process.ts'
import { eventually } from '../support/eventually.ts'
import { RawConnection } from '../support/raw-connection.ts'
import { exchange, type WireAnswer } from '../support/wire.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const WATCH = `${PROCESSES}?watch=true&resourceVersion=0`
const MEGABYTE = 1024 * 1024

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`
}

/** With few of everything, so that a test needn't open thousands of connections to have too many. */
const FEW = { requests: 20, streams: 30, connections: 60, heldBytes: 20 * MEGABYTE, stalledAfter: 2_500 }

describe('an overloaded API server', () => {
  let server: ApiServerProcess
  let open: RawConnection[] = []
  before(async () => {
    server = await ApiServerProcess.start({ limits: FEW })
    await create('web')
  })
  after(() => server.stop())

  const ask = (method: string, path: string, body?: string): Promise<WireAnswer> =>
    exchange(server.socketPath, { method, path, headers: JSON_TYPE, ...(body === undefined ? {} : { body }) }, { within: 30_000 })
  const create = async (name: string): Promise<void> => {
    const answer = await ask('POST', PROCESSES, JSON.stringify(processNamed(name)))
    assert.equal(answer.status, 201, answer.text)
  }
  const dial = (): RawConnection => {
    const connection = new RawConnection(server.socketPath)
    open.push(connection)
    return connection
  }
  /** Closes every connection of a test, after which nothing may be counted any more. */
  const leaveNothing = async (): Promise<void> => {
    for (const { socket } of open) socket.destroy()
    open = []
    await eventually(async () => {
      const { requests, streams, held, failures } = await server.ask()
      assert.deepEqual({ requests, streams, held, failures }, { requests: 0, streams: 0, held: 0, failures: [] })
    })
  }
  const isRefused = (answer: WireAnswer): void => {
    assert.equal(answer.status, 429, answer.text)
    assert.equal(answer.headers['retry-after'], '1')
    assert.equal(JSON.parse(answer.text).reason, 'TooManyRequests')
  }

  test('takes only so many requests, counted from their first line, and goes on telling how it is', async () => {
    for (let count = 0; count < FEW.requests; count++) {
      dial().write(`POST ${PROCESSES} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{`)
    }
    await eventually(async () => assert.equal((await server.ask()).requests, FEW.requests))
    isRefused(await ask('GET', PROCESSES))
    assert.equal((await ask('GET', '/readyz')).status, 200)
    await leaveNothing()
    assert.equal((await ask('GET', PROCESSES)).status, 200)
  })

  test('has its own client come again after a refusal, until there is room', async () => {
    for (let count = 0; count < FEW.requests; count++) {
      dial().write(`POST ${PROCESSES} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{`)
    }
    await eventually(async () => assert.equal((await server.ask()).requests, FEW.requests))
    const codes: number[] = []
    const client = createHttpClient({ socketPath: server.socketPath }, { onRequest: (_method, _path, code) => codes.push(code) })
    try {
      const process = client.for('Process').get({ name: 'web' })
      await eventually(() => assert.ok(codes.includes(429), 'it was not refused yet'))
      await leaveNothing()
      assert.equal((await process).metadata.name, 'web')
      assert.equal(codes.at(-1), 200)
      // What must not happen twice is not tried twice.
      for (let count = 0; count < FEW.requests; count++) {
        dial().write(`POST ${PROCESSES} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{`)
      }
      await eventually(async () => assert.equal((await server.ask()).requests, FEW.requests))
      const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'once' } } as const
      await assert.rejects(client.for('Namespace').create(object), (err) => hasReason(err, 'TooManyRequests'))
    } finally {
      await client.close()
    }
    await leaveNothing()
  })

  test('takes only so many watches; ordinary requests are not among them', async () => {
    for (let count = 0; count < FEW.streams; count++) dial().write(get(WATCH)).read()
    await eventually(async () => assert.equal((await server.ask()).streams, FEW.streams))
    isRefused(await ask('GET', WATCH))
    assert.equal((await ask('GET', PROCESSES)).status, 200)
    await leaveNothing()
  })

  test('takes only so many connections, closes idle ones for new ones, and can still be asked how it is', async () => {
    for (let count = 0; count < FEW.streams; count++) dial().write(get(WATCH)).read()
    await eventually(async () => assert.equal((await server.ask()).streams, FEW.streams))
    // A first byte each: such a connection is not idle.
    const rest = Array.from({ length: FEW.connections - FEW.streams }, () => dial().write('G'))
    await eventually(async () => assert.equal((await server.ask()).connections, FEW.connections))
    isRefused(await ask('GET', PROCESSES))
    assert.equal((await ask('GET', '/livez')).status, 200)
    // Beyond those that are let in for that, connections are closed at once.
    const beyond = Array.from({ length: 60 }, () => dial().write('G').read())
    await eventually(() => assert.ok(beyond.filter(({ closed }) => closed).length >= 10, 'none of those beyond was closed'))
    assert.ok((await server.ask()).connections <= FEW.connections + 50)
    for (const { socket } of [...rest, ...beyond]) socket.destroy()
    await eventually(async () => assert.equal((await server.ask()).connections, FEW.streams))
    // Those whose last request was answered are idle, and go when others come.
    const idle = Array.from({ length: FEW.connections - FEW.streams }, () => dial().write(get('/livez')))
    await Promise.all(idle.map((connection) => connection.answered(200)))
    const crowded = dial().write(get(PROCESSES)).read()
    await eventually(() =>
      assert.ok(
        idle.every(({ closed }) => closed),
        'an idle connection is still open',
      ),
    )
    await crowded.answered(429)
    assert.equal((await ask('GET', PROCESSES)).status, 200)
    await leaveNothing()
  })

  test('holds only so much of what comes in', async () => {
    const length = 3 * MEGABYTE
    const head = `POST ${PROCESSES} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`
    for (let count = 0; count < 6; count++) dial().write(head)
    await eventually(async () => assert.equal((await server.ask()).held, 6 * length))
    const refused = dial().write(head)
    await refused.answered(429)
    const chunked = dial().write(`POST ${PROCESSES} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`)
    await chunked.answered(429)
    assert.equal((await ask('GET', PROCESSES)).status, 200, 'small requests still pass')
    await leaveNothing()
  })

  test('refuses a body that is too large, before it is read or as soon as it is', async () => {
    const said = dial().write(
      `POST ${PROCESSES} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n`,
    )
    await said.answered(413)
    const unsaid = dial().write(
      `POST ${PROCESSES} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
    )
    for (let count = 0; count < 8; count++) unsaid.write(`80000\r\n${'x'.repeat(0x80000)}\r\n`)
    await unsaid.answered(413)
    await leaveNothing()
  })

  test('forgets requests whose clients go in the middle, or close their half', async () => {
    const body = JSON.stringify(processNamed('half'))
    const head = `POST ${PROCESSES} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
    for (let count = 0; count < 5; count++) {
      dial()
        .write(`${head}${body.slice(0, 20)}`)
        .socket.end()
      dial().write(head.slice(0, 50)).socket.end()
      const gone = dial().write(`${head}${body.slice(0, 30)}`)
      gone.socket.once('connect', () => setImmediate(() => gone.socket.destroy()))
      const watching = dial().write(get(WATCH)).read()
      watching.socket.once('data', () => watching.socket.destroy())
    }
    await leaveNothing()
    // One that closes its half after a whole request still gets its answer.
    const polite = dial().write(get(PROCESSES))
    polite.socket.end()
    await polite.answered(200)
    await leaveNothing()
    assert.equal((await ask('GET', `${PROCESSES}/half`)).status, 404, 'half a body made an object')
  })

  test('cuts off who never reads a large answer', async () => {
    const text = 'x'.repeat(700_000)
    for (let count = 0; count < 16; count++) {
      const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `large-${count}` }, data: { text } }
      assert.equal((await ask('POST', '/api/v1/namespaces/default/configmaps', JSON.stringify(object))).status, 201)
    }
    const path = '/api/v1/namespaces/default/configmaps'
    const lazy = dial().write(get(path))
    await eventually(async () => assert.equal((await server.ask()).requests, 1))
    const { held } = await server.ask()
    assert.ok(held < 12 * MEGABYTE, `${held} bytes are held`)
    assert.equal((await ask('GET', PROCESSES)).status, 200, 'others are served')
    await eventually(async () => assert.equal((await server.ask()).requests, 0))
    lazy.read()
    await eventually(() => assert.ok(lazy.closed, 'the connection of who never read is still open'))
    assert.ok(lazy.text.length < 11_000_000, 'it got everything')
    const patient = await ask('GET', path)
    assert.equal(JSON.parse(patient.text).items.length, 16)
    await leaveNothing()
  })

  test('cuts off a watcher that never reads, with memory bounded and the others served', async () => {
    await create('noisy')
    const lazy = dial().write(get(WATCH))
    const seen = dial().write(get(WATCH)).read()
    await eventually(async () => assert.equal((await server.ask()).streams, 2))
    const before = await server.ask('collect')
    const writes = 150
    for (let count = 0; count < writes; count++) {
      const patch = { metadata: { annotations: { text: `${count}-${'x'.repeat(20_000)}` } } }
      const answer = await exchange(
        server.socketPath,
        {
          method: 'PATCH',
          path: `${PROCESSES}/noisy`,
          headers: { 'content-type': 'application/merge-patch+json' },
          body: JSON.stringify(patch),
        },
        { within: 30_000 },
      )
      assert.equal(answer.status, 200)
    }
    await eventually(() => assert.ok(seen.text.includes(`"text":"${writes - 1}-`), 'the watcher that reads has not seen the last write'))
    await eventually(async () => assert.equal((await server.ask()).streams, 1))
    lazy.read()
    await eventually(() => assert.ok(lazy.closed, 'the watcher that never reads is still connected'))
    const { heapUsed, arrayBuffers } = await server.ask('collect')
    const grown = heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers
    assert.ok(grown < 40 * MEGABYTE, `memory grew by ${Math.round(grown / MEGABYTE)} MiB`)
    await leaveNothing()
  })

  test('reads a log no faster than its follower does, and cuts off one that never reads', async () => {
    const instance = {
      apiVersion: 'pmk.dev/v1',
      kind: 'Instance',
      metadata: { name: 'web-0' },
      spec: { process: 'web', index: 0, revision: 'web-1', nodeName: 'here', desiredState: 'Running', template: { command: ['x'] } },
    }
    const created = await ask('POST', '/apis/pmk.dev/v1/namespaces/default/instances', JSON.stringify(instance))
    assert.equal(created.status, 201, created.text)
    const lazy = dial().write(get('/apis/pmk.dev/v1/namespaces/default/instances/web-0/log?follow=true'))
    await eventually(async () => assert.equal((await server.ask()).streams, 1))
    await eventually(async () => assert.equal((await server.ask()).streams, 0))
    const { produced } = await server.ask()
    assert.ok(produced < 10 * MEGABYTE, `${produced} bytes were read for somebody who took none`)
    lazy.read()
    await eventually(() => assert.ok(lazy.closed, 'the follower that never reads is still connected'))
    await leaveNothing()
  })
})

describe('an API server with as many watchers as it is made for', () => {
  const WATCHERS = 2_000
  const WRITES = 5

  test('tells two thousand of them of each change once and in order, and serves others meanwhile', async () => {
    const server = await ApiServerProcess.start()
    const watchers: RawConnection[] = []
    try {
      // Some hundred at once, since no more than a thousand requests are taken.
      while (watchers.length < WATCHERS) {
        for (let count = 0; count < 500; count++) watchers.push(new RawConnection(server.socketPath).write(get(WATCH)).read())
        await eventually(async () => assert.equal((await server.ask()).streams, watchers.length))
      }
      const before = await server.ask('collect')
      for (let count = 0; count < WRITES; count++) {
        const body = JSON.stringify(processNamed(`p-${String(count).padStart(2, '0')}`))
        const answer = await exchange(server.socketPath, { method: 'POST', path: PROCESSES, headers: JSON_TYPE, body }, { within: 30_000 })
        assert.equal(answer.status, 201)
        assert.equal((await exchange(server.socketPath, { method: 'GET', path: '/readyz' }, { within: 30_000 })).status, 200)
      }
      const expected = Array.from({ length: WRITES }, (_, count) => `p-${String(count).padStart(2, '0')}`)
      for (const watcher of watchers) {
        await eventually(() => {
          const names = [...watcher.text.matchAll(/"type":"ADDED".*?"name":"(p-\d\d)"/g)].map(([, name]) => name)
          assert.deepEqual(names, expected)
        })
      }
      const during = await server.ask('collect')
      // What is held for a watcher doesn't grow with what it was told.
      const grown = during.heapUsed + during.arrayBuffers - before.heapUsed - before.arrayBuffers
      assert.ok(grown < 20 * MEGABYTE, `memory grew by ${Math.round(grown / MEGABYTE)} MiB`)
      for (const { socket } of watchers) socket.destroy()
      await eventually(async () => {
        const { streams, connections, failures } = await server.ask()
        assert.deepEqual({ streams, connections, failures }, { streams: 0, connections: 0, failures: [] })
      })
    } finally {
      for (const { socket } of watchers) socket.destroy()
      await server.stop()
    }
  })
})
