import assert from 'node:assert/strict'
import nodeProcess from 'node:process'
import { after, before, describe, test } from 'node:test'
import { seededRandom } from '../../src/base/random.ts'
import { ApiServerProcess } from '../support/api-server-process.ts'
import { brokenHttp } from '../support/broken-http.ts'
import { eventually } from '../support/eventually.ts'
import { RawConnection } from '../support/raw-connection.ts'
import { Dice } from '../support/spoil.ts'
import { exchange } from '../support/wire.ts'

const NAMESPACES = '/api/v1/namespaces'
const CASES = 220
const HEAD = `POST ${NAMESPACES} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`

// PMK_SEED=n replays a run.
const seed = Number(nodeProcess.env.PMK_SEED ?? Math.floor(Math.random() * 1e9))

describe('an API server to which clients speak badly', () => {
  let server: ApiServerProcess
  before(async () => {
    server = await ApiServerProcess.start({ limits: { headWithin: 1_000, receivedWithin: 2_000 } })
  })
  after(() => server.stop())

  const isServing = async (): Promise<void> => {
    assert.equal((await exchange(server.socketPath, { method: 'GET', path: NAMESPACES }, { within: 30_000 })).status, 200)
  }
  const nothingLeft = async (): Promise<void> => {
    await eventually(async () => {
      const { requests, streams, held, connections, failures } = await server.ask()
      assert.deepEqual(
        { requests, streams, held, connections, failures },
        { requests: 0, streams: 0, held: 0, connections: 0, failures: [] },
      )
    })
  }

  test(`refuses what is no HTTP, and cuts the connection without waiting for the client (seed ${seed})`, async (t) => {
    const { revision } = await server.ask()
    const said = new Map<string, number>()
    for (const { title, pieces } of brokenHttp(new Dice(seededRandom(seed)), CASES)) {
      const connection = new RawConnection(server.socketPath, { keepsOpen: true }).read()
      try {
        for (const piece of pieces) {
          if (piece !== '') connection.write(piece)
          await new Promise((resolve) => setImmediate(resolve))
        }
        await eventually(() =>
          assert.ok(connection.ended || connection.closed, `${title}: still open; it said ${connection.text.slice(-500)}`),
        )
        for (const [, code = ''] of connection.text.matchAll(/^HTTP\/1\.1 (\d+) /gm)) {
          assert.match(code, /^[24]/, `${title}: ${connection.text.slice(0, 500)}`)
          said.set(code, (said.get(code) ?? 0) + 1)
        }
        const codes = [...connection.text.matchAll(/^HTTP\/1\.1 (\d+) /gm)]
        assert.ok(codes.length > 0 || connection.text === '', `${title}: ${connection.text.slice(0, 200)}`)
      } catch (err) {
        throw new Error(`${JSON.stringify({ title, pieces }).slice(0, 2_000)}\n${(err as Error).message}`, { cause: err })
      } finally {
        connection.socket.destroy()
      }
    }
    await isServing()
    await nothingLeft()
    assert.equal((await server.ask()).revision, revision, 'something was written')
    t.diagnostic(`seed ${seed}: ${[...said].map(([code, count]) => `${code}: ${count}`).join(', ')}`)
  })

  test('forgets the requests of one connection that did not wait for answers, when it is cut', async () => {
    const get = `GET ${NAMESPACES} HTTP/1.1\r\nhost: x\r\n\r\n`
    const watch = `GET ${NAMESPACES}?watch=1 HTTP/1.1\r\nhost: x\r\n\r\n`
    // What follows a watch has no turn before that ends.
    const connection = new RawConnection(server.socketPath).write(watch + get.repeat(30) + watch)
    await eventually(async () => {
      const { requests, streams } = await server.ask()
      assert.deepEqual({ requests, streams }, { requests: 30, streams: 2 })
    })
    connection.socket.destroy()
    await nothingLeft()
  })

  test('does not let what is broken into an answer that goes on', async () => {
    const watch = new RawConnection(server.socketPath).write(`GET ${NAMESPACES}?watch=1 HTTP/1.1\r\nhost: x\r\n\r\n`)
    await watch.answered(200)
    watch.write('\x01\x02\x03\r\n\r\n')
    await eventually(() => assert.ok(watch.ended || watch.closed, 'the watch goes on'))
    assert.equal([...watch.text.matchAll(/HTTP\/1\.1/g)].length, 1, watch.text)
    watch.socket.destroy()
    await nothingLeft()
  })

  test('gives up on who sends a head, or a body, too slowly, and on who sends nothing; a watch is not among them', async () => {
    const watch = new RawConnection(server.socketPath).write(`GET ${NAMESPACES}?watch=1 HTTP/1.1\r\nhost: x\r\n\r\n`)
    await watch.answered(200)
    const silent = new RawConnection(server.socketPath).read()
    const slow = [
      'GET /api/v1/namespaces HTTP/1.1\r\nhost: x\r\nx-long: ',
      `${HEAD}content-length: 100000\r\n\r\n `,
      `${HEAD}transfer-encoding: chunked\r\n\r\n`,
    ].map((start) => new RawConnection(server.socketPath).write(start).read())
    const drip = setInterval(() => {
      for (const [n, connection] of slow.entries())
        if (!connection.ended && !connection.closed) connection.write(n === 2 ? '1\r\n \r\n' : ' ')
    }, 50)
    try {
      await isServing()
      for (const [n, connection] of slow.entries()) {
        await eventually(() => assert.ok(connection.ended || connection.closed, `the slow one ${n} is still connected`))
        assert.match(connection.text, /^HTTP\/1\.1 408 /, `the slow one ${n} was told ${connection.text}`)
      }
      await eventually(() => assert.ok(silent.ended || silent.closed, 'the silent one is still connected'))
    } finally {
      clearInterval(drip)
    }
    const name = `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"after"}}`
    const headers = { 'content-type': 'application/json' }
    const created = await exchange(server.socketPath, { method: 'POST', path: NAMESPACES, headers, body: name }, { within: 30_000 })
    assert.equal(created.status, 201)
    await eventually(() => assert.match(watch.text, /"name":"after"/, 'the watch does not go on'))
    for (const { socket } of [watch, silent, ...slow]) socket.destroy()
    await nothingLeft()
  })
})
