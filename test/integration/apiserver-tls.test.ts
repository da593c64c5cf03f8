import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { connect } from 'node:tls'
import { hasReason } from '../../src/api/status.ts'
import { createAuthentication } from '../../src/apiserver/authentication.ts'
import { systemClock } from '../../src/base/clock.ts'
import { createHttpClient, type HttpClient } from '../../src/client/http-client.ts'
import { issueClient, issueServer, makeAuthority } from '../../src/pki/certificates.ts'
import { PROCESSES, processNamed, TestApiServer } from '../support/api-server.ts'
import { eventually } from '../support/eventually.ts'
import { AN_HOUR, credentialsFor, TlsAccess } from '../support/tls-access.ts'

const MINUTE = 60_000
const TOKENS = new Map([['good-token', { name: 'jane', groups: ['developers'] }]])

describe('over TLS', () => {
  let server: TestApiServer
  let access: TlsAccess
  let nobody: HttpClient

  before(async () => {
    const tokens = { verify: async (token: string) => TOKENS.get(token) }
    server = await TestApiServer.start({ authenticate: createAuthentication({ clock: systemClock, tokens }) })
    access = await TlsAccess.open(server.server)
    nobody = await access.client('nobody')
  })
  after(async () => {
    await access.close()
    await server.stop()
  })

  const isUnauthorized = (err: unknown): boolean => {
    assert.ok(hasReason(err, 'Unauthorized'), `not Unauthorized: ${err}`)
    assert.equal(err.status.code, 401)
    assert.equal(err.status.kind, 'Status')
    return true
  }
  const get = async (client: HttpClient, path: string, headers: Readonly<Record<string, string>> = {}): Promise<number> => {
    const answer = await client.request({ method: 'GET', path, headers })
    // Else the connection would not be used again.
    await answer.text()
    return answer.status
  }
  /** With the headers as they are given, which an honest client would not send. */
  async function forged(headers: Readonly<Record<string, string>>, path: string): Promise<number> {
    const { port } = access
    const ca = access.serverAuthority.certificate
    const { certificate: cert, key } = await access.certificate('admin', ['system:masters'])
    const sent = request({ port, host: '127.0.0.1', servername: 'localhost', ca, cert, key, path, headers, agent: false }).end()
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    response.resume()
    return response.statusCode ?? 0
  }

  test('version and health are told to everybody', async () => {
    for (const path of ['/version', '/healthz', '/livez', '/readyz', '/healthz/ping', '/livez/ping', '/readyz/ping']) {
      assert.equal(await get(nobody, path), 200, path)
      assert.equal((await nobody.request({ method: 'HEAD', path })).status, 200, path)
    }
  })

  test('nothing else is told to somebody without credentials, not even whether it exists', async () => {
    const { json } = await server.raw('GET', '/')
    const paths = [
      ...(json.paths as readonly string[]),
      ...[PROCESSES, `${PROCESSES}/web`, `${PROCESSES}/web/status`, '/no/such/path', '/healthz/ping/more', '/versions', '//', '/apis/%zz'],
      ...[`${PROCESSES}/${'x'.repeat(2_000)}`, '/version/../apis', '/version%2f..%2fapis', '/apis;/version', '//apis', '/apis/'],
    ].filter((path) => !/^\/(version|healthz|livez|readyz)$/.test(path))
    assert.ok(paths.length > 20, 'the server lists its paths')
    for (const path of paths) {
      await assert.rejects(get(nobody, path), isUnauthorized, path)
    }
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
      const body = JSON.stringify(processNamed('web'))
      await assert.rejects(
        nobody.request({ method, path: PROCESSES, body, headers: { 'content-type': 'application/json' } }),
        isUnauthorized,
      )
    }
    assert.deepEqual((await server.client.for('Process').list()).items, [])
  })

  /** What the server says to these bytes, until it closes the connection. */
  async function saidTo(bytes: string): Promise<string> {
    const socket = connect({ port: access.port, host: '127.0.0.1', ca: access.serverAuthority.certificate })
    await once(socket, 'secureConnect')
    socket.write(bytes)
    let text = ''
    for await (const chunk of socket) text += chunk
    return text
  }
  const HOST = 'Host: localhost\r\n'

  test('a body is not read for somebody without credentials, on whatever path', async () => {
    for (const [method, path, code] of [
      ['POST', PROCESSES, 401],
      ['POST', '/apis/%zz', 401],
      ['PATCH', '/no/such/path', 401],
      ['POST', '/version', 405],
      ['PUT', '/livez', 405],
      ['GET', PROCESSES, 401],
    ] as const) {
      for (const length of ['Content-Length: 1000000', 'Transfer-Encoding: chunked']) {
        const text = await saidTo(`${method} ${path} HTTP/1.1\r\n${HOST}Content-Type: application/json\r\n${length}\r\n\r\n`)
        assert.match(text, new RegExp(`^HTTP/1\\.1 ${code} `), `${method} ${path}, ${length}`)
        assert.match(text, /connection: close/i)
      }
    }
  })

  test('no other way of asking tells more to somebody without credentials', async () => {
    const upgrade =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
    const close = 'Connection: close\r\n'
    for (const [request, answer] of [
      [`CONNECT localhost:22 HTTP/1.1\r\n${HOST}\r\n`, /^$/],
      [`OPTIONS * HTTP/1.1\r\n${HOST}${close}\r\n`, /^HTTP\/1\.1 401 /],
      [`TRACE /apis HTTP/1.1\r\n${HOST}${close}\r\n`, /^HTTP\/1\.1 401 /],
      [`PROPFIND /no/such/path HTTP/1.1\r\n${HOST}${close}\r\n`, /^HTTP\/1\.1 401 /],
      [`GET /apis HTTP/1.0\r\n${HOST}\r\n`, /^HTTP\/1\.1 401 /],
      [`GET https://localhost/apis HTTP/1.1\r\n${HOST}${close}\r\n`, /^HTTP\/1\.1 401 /],
      [`GET /apis?watch=1 HTTP/1.1\r\n${HOST}${upgrade}\r\n`, /^HTTP\/1\.1 401 /],
      [`GET ${PROCESSES}?watch=1 HTTP/1.1\r\n${HOST}${upgrade}\r\n`, /^HTTP\/1\.1 401 /],
      [`GET /apis HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`, /^HTTP\/1\.1 401 /],
      [`GET /apis HTTP/1.1\r\n${HOST}Impersonate-User: root\r\nX-Remote-User: root\r\n${close}\r\n`, /^HTTP\/1\.1 401 /],
      [`GET /apis HTTP/1.1\r\n${HOST}X: ${'x'.repeat(70_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
      // The first answer says nothing of who may ask the second.
      [`GET /version HTTP/1.1\r\n${HOST}\r\nGET /apis HTTP/1.1\r\n${HOST}${close}\r\n`, /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 401 /],
      // Without a Host there is none that the server is called by.
      [`GET /version HTTP/1.1\r\n${close}\r\n`, /^HTTP\/1\.1 403 [\s\S]*"kind":"Status"/],
    ] as const) {
      const text = await saidTo(request)
      assert.match(text, answer, JSON.stringify(request.slice(0, 60)))
      if (answer.source.startsWith('^HTTP\\/1\\.1 401')) assert.match(text, /"reason":"Unauthorized"/)
    }
  })

  test('a client certificate of our authority is its user in its groups', async () => {
    const client = await access.client({ user: 'Zoë "q", O=x', groups: ['system:masters', 'b,O=c', '#41'] })
    assert.equal(await get(client, '/apis'), 200)
    // Only administrators get one, so the groups were read.
    await get(client, '/pmk/v1/backup').catch((err: unknown) => assert.ok(hasReason(err, 'NotFound'), String(err)))
  })

  test('certificates without a name, out of time, or of somebody else, are worth nothing', async () => {
    const past = { from: Date.now() - 3 * MINUTE, until: Date.now() - MINUTE }
    const future = { from: Date.now() + MINUTE, until: Date.now() + 3 * MINUTE }
    const stranger = await makeAuthority('test client-ca', AN_HOUR())
    const forServers = await issueServer(access.clientAuthority, ['localhost'], AN_HOUR())
    const attempts = {
      'no name': await access.certificate('', ['system:masters']),
      expired: await access.certificate('admin', ['system:masters'], past),
      'not yet valid': await access.certificate('admin', ['system:masters'], future),
      'of an authority of the same name': await issueClient(stranger, { user: 'admin', groups: ['system:masters'] }, AN_HOUR()),
      'of the authority for servers': await issueClient(access.serverAuthority, { user: 'admin', groups: ['system:masters'] }, AN_HOUR()),
      'for servers': forServers,
    }
    for (const [name, pair] of Object.entries(attempts)) {
      const client = createHttpClient({ url: access.url, ca: access.serverAuthority.certificate, ...pair })
      await assert.rejects(get(client, '/apis'), isUnauthorized, name)
      assert.equal(await get(client, '/version'), 200, name)
      await client.close()
    }
  })

  test('a bearer token is asked of the verifier; asking for a certificate breaks no such client', async () => {
    const client = await access.client({ token: 'good-token' })
    assert.equal(await get(client, '/apis'), 200)
    for (const token of ['bad-token', 'constructor', '']) {
      await assert.rejects(get(await access.client({ token }), '/apis'), isUnauthorized, token)
    }
    for (const authorization of ['Basic Z29vZC10b2tlbg==', 'good-token', 'Bearer', 'Bearer good-token x', 'Bearer ,']) {
      await assert.rejects(nobody.request({ method: 'GET', path: '/apis', headers: { authorization } }), isUnauthorized, authorization)
    }
  })

  test('a client that knows another authority does not talk to the server', async () => {
    const other = await makeAuthority('test server-ca', AN_HOUR())
    const client = createHttpClient({ url: access.url, ca: other.certificate, token: 'good-token' })
    await assert.rejects(get(client, '/version'), (err) => hasReason(err, 'ServiceUnavailable') && /certificate/.test(err.message))
    await client.close()
  })

  test('only TLS 1.2 and newer is spoken', async () => {
    for (const version of ['TLSv1', 'TLSv1.1'] as const) {
      const socket = connect({
        port: access.port,
        host: '127.0.0.1',
        ca: access.serverAuthority.certificate,
        minVersion: version,
        maxVersion: version,
        ciphers: 'DEFAULT@SECLEVEL=0',
      })
      const [err] = await once(socket, 'error')
      assert.match(String(err), /version/)
    }
  })

  test('who speaks plain HTTP is told so, and nothing else', async () => {
    const socket = connectPlain(access.port, '127.0.0.1')
    socket.write('GET /version HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good-token\r\n\r\n')
    let text = ''
    for await (const chunk of socket) text += chunk
    assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*\r\n\r\nthis port is served with TLS only: use https\n$/)
  })

  test('a web page gets nowhere: another name, an Origin', async () => {
    for (const host of ['127.0.0.1', 'localhost', 'LOCALHOST:1', `[::1]:${access.port}`]) {
      assert.equal(await forged({ host }, '/apis'), 200, host)
    }
    for (const host of ['rebound.example', 'localhost.evil.example', '127.0.0.2', 'localhost:1:2']) {
      for (const path of ['/apis', '/version', '/no/such/path']) assert.equal(await forged({ host }, path), 403, `${host} ${path}`)
    }
    // With a token it isn't the browser that says who asks; with a certificate it may be.
    assert.equal(await forged({ origin: 'https://headlamp.example', authorization: 'Bearer good-token' }, '/apis'), 200)
    assert.equal(await forged({ origin: 'https://headlamp.example', authorization: 'Bearer wrong' }, '/apis'), 401)
    // Pictures and scripts of a page are asked for without an Origin.
    for (const site of ['cross-site', 'same-site']) {
      assert.equal(await forged({ 'sec-fetch-site': site }, '/apis'), 403, site)
      assert.equal(await forged({ 'sec-fetch-site': site, authorization: 'Bearer wrong' }, '/apis'), 401, site)
    }
    assert.equal(await forged({ 'sec-fetch-site': 'none' }, '/apis'), 200)
    for (const origin of ['https://evil.example', access.url, 'null']) assert.equal(await forged({ origin }, '/version'), 403, origin)
  })

  test('a session is not resumed, with which a client would count as known', async () => {
    const options = { port: access.port, host: '127.0.0.1', ca: access.serverAuthority.certificate }
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      let session: Buffer | undefined
      for (let connection = 0; connection < 3; connection++) {
        const socket = connect({ ...options, maxVersion, ...(session === undefined ? {} : { session }) })
        socket.on('session', (given: Buffer) => {
          session = given
        })
        await once(socket, 'secureConnect')
        assert.equal(socket.isSessionReused(), false)
        socket.write('GET /apis HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
        let text = ''
        for await (const chunk of socket) text += chunk
        assert.match(text, /^HTTP\/1\.1 401 /)
      }
    }
  })

  test('a crowd leaves room for the unix socket', { timeout: 30_000 }, async () => {
    const own = await TestApiServer.start({ limits: { connections: 16 } })
    const door = await TlsAccess.open(own.server)
    // They count though their handshakes never begin.
    const crowd = Array.from({ length: 80 }, () => connectPlain(door.port, '127.0.0.1').on('error', () => {}))
    try {
      await eventually(() => assert.equal(own.server.connections, 14 + 50, 'as many as there is room for, and some to ask for the health'))
      assert.equal((await own.raw('GET', PROCESSES)).status, 200)
      for (const socket of crowd) socket.destroy()
      await eventually(() => assert.equal(own.server.connections, 0, 'all are forgotten'))
    } finally {
      for (const socket of crowd) socket.destroy()
      await door.close()
      await own.stop()
    }
  })

  test('watches and writes go over it, too', async () => {
    const client = await access.client()
    const signal = AbortSignal.timeout(20_000)
    await client.for('Process').create(processNamed('watched') as never)
    const stop = new AbortController()
    const seen = []
    for await (const event of client.for('Process').watch({ signal: AbortSignal.any([signal, stop.signal]) })) {
      seen.push(event.type)
      if (event.type === 'BOOKMARK') break
    }
    stop.abort()
    assert.deepEqual(seen, ['ADDED', 'BOOKMARK'])
  })

  test('new credentials serve from the next connection on, and open ones go on', async () => {
    const own = await TestApiServer.start()
    const first = await TlsAccess.open(own.server)
    try {
      const before = await first.client()
      assert.equal(await get(before, '/apis'), 200)
      const authority = await makeAuthority('new', AN_HOUR())
      const credentials = await credentialsFor(authority, first.clientAuthority, ['127.0.0.1', 'other.example'])
      own.server.useCredentials(credentials)
      assert.equal(await get(before, '/apis'), 200)
      await assert.rejects(get(await first.client('nobody'), '/version'), /certificate/)
      const admin = await first.certificate('admin', ['system:masters'])
      const fresh = createHttpClient({ url: first.url, ca: authority.certificate, ...admin })
      assert.equal(await get(fresh, '/apis'), 200)
      await fresh.close()
    } finally {
      await first.close()
      await own.stop()
    }
  })
})
