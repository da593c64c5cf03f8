import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { afterEach, describe, test } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import type { HttpGetAction, Probe } from '../../src/generated/types.ts'
import type { ExecCommand } from '../../src/probe/exec.ts'
import { type ProbeResult, probeOnce } from '../../src/probe/probe.ts'

const BASE = { initialDelaySeconds: 0, periodSeconds: 1, timeoutSeconds: 1, successThreshold: 1, failureThreshold: 1 }
const noExec: ExecCommand = () => assert.fail('no command was to be run')
const never = new AbortController().signal

function once(probe: Partial<Probe>, options: { readonly exec?: ExecCommand; readonly signal?: AbortSignal } = {}): Promise<ProbeResult> {
  const { exec = noExec, signal = never } = options
  return probeOnce({ ...BASE, ...probe }, { clock: systemClock, exec, signal })
}

async function fails(result: Promise<ProbeResult>, message: RegExp): Promise<void> {
  const { ok, ...rest } = await result
  assert.equal(ok, false)
  assert.match('message' in rest ? rest.message : '', message)
}

describe('an HTTP probe', () => {
  const servers: Server[] = []
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  })

  async function serve(listener: RequestListener): Promise<HttpGetAction> {
    const server = createServer(listener)
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    return { host: '127.0.0.1', port, path: '/healthz', scheme: 'HTTP', expectStatus: '200-399' }
  }

  test('passes on an expected status', async () => {
    const httpGet = await serve((_, response) => response.writeHead(204).end())
    assert.deepEqual(await once({ httpGet }), { ok: true })
  })

  test('fails on another status and names both', async () => {
    const httpGet = await serve((_, response) => response.writeHead(503).end())
    await fails(once({ httpGet }), /\/healthz answered 503, expected 200-399/)
    assert.deepEqual(await once({ httpGet: { ...httpGet, expectStatus: '200, 500-599' } }), { ok: true })
  })

  test('does not follow a redirect', async () => {
    let requests = 0
    const httpGet = await serve((_, response) => {
      requests += 1
      response.writeHead(302, { location: '/healthz' }).end()
    })
    assert.deepEqual(await once({ httpGet }), { ok: true })
    await fails(once({ httpGet: { ...httpGet, expectStatus: '200-299' } }), /answered 302/)
    assert.equal(requests, 2)
  })

  test('looks for a text in the first 64 KiB of the body', async () => {
    const httpGet = await serve(({ url }, response) => response.end(`${'x'.repeat(url === '/far' ? 65_536 : 60_000)}all is well`))
    assert.deepEqual(await once({ httpGet: { ...httpGet, expectBody: 'all is well' } }), { ok: true })
    await fails(once({ httpGet: { ...httpGet, path: '/far', expectBody: 'all is well' } }), /without the expected text/)
  })

  test('does not wait for the end of a body that never ends', async () => {
    const httpGet = await serve((_, response) => void response.writeHead(200).write('ok'))
    assert.deepEqual(await once({ httpGet }), { ok: true })
    await fails(once({ httpGet: { ...httpGet, expectBody: 'never sent' } }), /did not answer within 1 s/)
  })

  test('fails when the answer takes longer than its timeout', async () => {
    const httpGet = await serve(() => {})
    await fails(once({ httpGet }), /did not answer within 1 s/)
  })

  test('sends the headers it is given, once for each time', async () => {
    let seen: readonly string[] = []
    const httpGet = await serve((request, response) => {
      seen = request.rawHeaders
      response.end()
    })
    const httpHeaders = [
      { name: 'Host', value: 'shop.example' },
      { name: 'X-Probe', value: 'a' },
      { name: 'X-Probe', value: 'b' },
      { name: 'user-agent', value: 'mine' },
    ]
    assert.deepEqual(await once({ httpGet: { ...httpGet, httpHeaders } }), { ok: true })
    const valuesOf = (name: string): readonly string[] =>
      seen.filter((_, index) => index % 2 === 1 && seen[index - 1]?.toLowerCase() === name)
    assert.deepEqual(valuesOf('host'), ['shop.example'])
    assert.deepEqual(valuesOf('x-probe'), ['a', 'b'])
    assert.deepEqual(valuesOf('user-agent'), ['mine'])
  })

  test('fails when nobody listens, and says so', async () => {
    const httpGet = await serve(() => {})
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
    await fails(once({ httpGet }), /^http:\/\/127\.0\.0\.1:\d+\/healthz: connection refused$/)
  })

  test('is given up when its run ends, as no result at all', async () => {
    const controller = new AbortController()
    const httpGet = await serve(() => controller.abort(new Error('the run has ended')))
    await assert.rejects(once({ httpGet }, { signal: controller.signal }), /the run has ended/)
  })
})

describe('a TCP probe', () => {
  test('passes when it is let in, and fails when nobody listens', async () => {
    const sockets: Socket[] = []
    const server = createTcpServer((socket) => sockets.push(socket))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    assert.deepEqual(await once({ tcpSocket: { host: '127.0.0.1', port } }), { ok: true })
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
    await fails(once({ tcpSocket: { host: '127.0.0.1', port } }), /connection refused/)
  })

  test('fails on a name that does not exist', async () => {
    await fails(
      once({ tcpSocket: { host: 'no-such-host.invalid', port: 80 }, timeoutSeconds: 20 }),
      /no connection to no-such-host\.invalid:80/,
    )
  })
})

describe('an exec probe', () => {
  const exec = { command: ['ping-it', '--all'] as const }

  test('passes when its command ends with 0', async () => {
    const seen: unknown[] = []
    const run: ExecCommand = async (command, timeout) => {
      seen.push(command, timeout)
      return { by: 'code', code: 0, output: '' }
    }
    assert.deepEqual(await once({ exec, timeoutSeconds: 3 }, { exec: run }), { ok: true })
    assert.deepEqual(seen, [['ping-it', '--all'], 3000])
  })

  test('fails with the code and the last line of the output', async () => {
    await fails(
      once({ exec }, { exec: async () => ({ by: 'code', code: 4, output: 'trying\nno pong\n' }) }),
      /^ping-it exited with code 4: no pong$/,
    )
    await fails(once({ exec }, { exec: async () => ({ by: 'signal', signal: 'SEGV', output: '' }) }), /^ping-it was ended by SEGV$/)
    await fails(once({ exec }, { exec: async () => ({ by: 'timeout', output: 'slow' }) }), /did not end within 1 s/)
    await fails(once({ exec }, { exec: async () => Promise.reject(new Error('"ping-it" is in none of /bin')) }), /is in none of/)
  })
})

test('a probe without a handler fails', () => fails(once({}), /no handler/))
