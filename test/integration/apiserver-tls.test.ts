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
    ].filter((path) => !/^\/(version|healthz|livez|readyz)$/.test(path))
    assert.ok(paths.length > 20, 'the server lists its paths')
    for (const path of paths) {
      await assert.rejects(get(nobody, path), path === '/apis/%zz' ? /./ : isUnauthorized, path)
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

  test('a body is not read for somebody without credentials', async () => {
    const socket = connect({ port: access.port, host: '127.0.0.1', ca: access.serverAuthority.certificate })
    await once(socket, 'secureConnect')
    socket.write(`POST ${PROCESSES} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{`)
    let text = ''
    for await (const chunk of socket) text += chunk
    assert.match(text, /^HTTP\/1\.1 401 /)
    assert.match(text, /connection: close/i)
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
