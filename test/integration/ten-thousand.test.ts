import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ApiServerProcess } from '../support/api-server-process.ts'
import { eventually } from '../support/eventually.ts'
import { RawConnection } from '../support/raw-connection.ts'
import { exchange, type WireAnswer } from '../support/wire.ts'

const COUNT = 10_000
/** Sent without waiting for answers: fewer than the server takes at once. */
const BATCH = 500
const PATH = '/api/v1/namespaces/default/configmaps'
const MEGABYTE = 1024 * 1024
/** For all that is done with all of them. What is quadratic takes minutes. */
const MOST_CPU_MILLIS = 20_000
/** Others get their turn between pieces; on a busy machine a turn takes its time. */
const LONGEST_STALL = 2_000

const NAMES = Array.from({ length: COUNT }, (_, n) => `c-${String(n).padStart(5, '0')}`)

interface List {
  readonly metadata: { readonly continue?: string }
  readonly items: readonly { readonly metadata: { readonly name: string } }[]
}

describe('an API server with ten thousand objects', () => {
  let server: ApiServerProcess
  before(async () => {
    server = await ApiServerProcess.start()
  })
  after(() => server.stop())

  const ask = async (method: string, path: string): Promise<WireAnswer> => {
    const answer = await exchange(server.socketPath, { method, path }, { within: 120_000 })
    assert.equal(answer.status, 200, answer.text.slice(0, 500))
    return answer
  }
  const namesIn = (answer: WireAnswer): readonly string[] => (JSON.parse(answer.text) as List).items.map(({ metadata }) => metadata.name)
  const isSmooth = async (what: string): Promise<void> => {
    const { longestStallMillis, failures } = await server.ask()
    assert.ok(longestStallMillis < LONGEST_STALL, `${what} held the server up for ${Math.round(longestStallMillis)} ms`)
    assert.deepEqual(failures, [])
  }

  test('takes them, lists them whole and in pages, replays them to a watcher, and deletes them, without a stall', async (t) => {
    const empty = await server.ask('collect')
    const watcher = new RawConnection(server.socketPath).write(`GET ${PATH}?watch=true HTTP/1.1\r\nhost: x\r\n\r\n`).read()
    const writer = new RawConnection(server.socketPath).read()
    for (let first = 0; first < COUNT; first += BATCH) {
      const requests = NAMES.slice(first, first + BATCH).map((name) => {
        const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { name } })
        return `POST ${PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
      })
      writer.text = ''
      writer.write(requests.join(''))
      await eventually(() => assert.equal(writer.text.split('HTTP/1.1 201 ').length - 1, BATCH), { within: 120_000 })
    }
    await isSmooth('creating them')
    const told = (connection: RawConnection, type: string): number => connection.text.split(`"type":"${type}"`).length - 1
    await eventually(() => assert.equal(told(watcher, 'ADDED'), COUNT), { within: 120_000, every: 100 })

    assert.deepEqual(namesIn(await ask('GET', PATH)), NAMES)
    await isSmooth('listing them')
    const paged: string[] = []
    for (let path: string | undefined = `${PATH}?limit=700`; path !== undefined; ) {
      const answer: WireAnswer = await ask('GET', path)
      paged.push(...namesIn(answer))
      const { continue: next } = (JSON.parse(answer.text) as List).metadata
      path = next === undefined || next === '' ? undefined : `${PATH}?limit=700&continue=${encodeURIComponent(next)}`
    }
    assert.deepEqual(paged, NAMES)
    await isSmooth('listing them in pages')
    const late = new RawConnection(server.socketPath).write(`GET ${PATH}?watch=true&resourceVersion=0 HTTP/1.1\r\nhost: x\r\n\r\n`).read()
    await eventually(() => assert.equal(told(late, 'ADDED'), COUNT), { within: 120_000, every: 100 })
    await isSmooth('replaying them')

    const full = await server.ask('collect')
    const grown = full.heapUsed + full.arrayBuffers - empty.heapUsed - empty.arrayBuffers
    assert.ok(grown < 100 * MEGABYTE, `memory grew by ${Math.round(grown / MEGABYTE)} MiB`)

    await ask('DELETE', PATH)
    await isSmooth('deleting them')
    for (const connection of [watcher, late]) {
      await eventually(() => assert.equal(told(connection, 'DELETED'), COUNT), { within: 120_000, every: 100 })
      connection.socket.destroy()
    }
    writer.socket.destroy()
    assert.deepEqual(namesIn(await ask('GET', PATH)), [])
    const { cpuMillis } = await server.ask()
    assert.ok(cpuMillis - empty.cpuMillis < MOST_CPU_MILLIS, `it took ${Math.round(cpuMillis - empty.cpuMillis)} ms of processor time`)
    t.diagnostic(`${Math.round(cpuMillis - empty.cpuMillis)} ms of processor time, ${(grown / MEGABYTE).toFixed(1)} MiB for all of them`)
  })
})
