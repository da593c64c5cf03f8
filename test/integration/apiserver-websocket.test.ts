import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { apiError } from '../../src/api/status.ts'
import type { Credentials } from '../../src/apiserver/authentication.ts'
import { TestApiServer } from '../support/api-server.ts'
import { eventually } from '../support/eventually.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { RawConnection } from '../support/raw-connection.ts'
import { TlsAccess } from '../support/tls-access.ts'
import { openSocketWatch, Refused, type SocketWatch, seen } from '../support/watches.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const HANDSHAKE = `host: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${KEY}\r\n`

function map(name: string, data: Readonly<Record<string, string>> = {}): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data }
}

let server: TestApiServer
before(async () => {
  server = await TestApiServer.start()
})
after(() => server.stop())

const open = (query: string, ...rest: [Readonly<Record<string, string>>?, (readonly string[])?]): Promise<SocketWatch> =>
  openSocketWatch(server.socketPath, `${MAPS}?${query}`, ...rest)

const nothingLeft = () =>
  eventually(() => assert.deepEqual([server.server.streams, server.server.requests, server.server.connections], [0, 0, 0]))

describe('a watch over a WebSocket', () => {
  test('is one event a message, and ends with 1000 when its time is over', async () => {
    await server.send('POST', MAPS, map('one'))
    const watch = await open('watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Done')
    const texts: string[] = []
    watch.webSocket.on('message', (data) => texts.push(String(data)))
    await server.send('PATCH', `${MAPS}/one`, { data: { a: 'b' } }, 'application/merge-patch+json')
    assert.deepEqual(
      (await seen(watch, 2)).map(({ type, object }) => `${type} ${object.kind} ${object.metadata.name}`),
      ['ADDED ConfigMap one', 'MODIFIED ConfigMap one'],
    )
    for (const text of texts) assert.ok(!text.endsWith('\n'), text)
    assert.equal(watch.headers['sec-websocket-extensions'], undefined)
    assert.equal(await watch.closed, 1000)
  })

  test('is counted as a stream, and a client that goes away frees it', async () => {
    await nothingLeft()
    const watches = await Promise.all([open('watch=true'), open('watch=true'), open('watch=true')])
    assert.equal(server.server.streams, 3)
    assert.equal(server.server.requests, 0)
    watches[0]?.destroy()
    watches[1]?.webSocket.close()
    watches[2]?.socket.end()
    await nothingLeft()
  })

  test('takes no notice of what the client says, unless that is too long', async () => {
    const watch = await open('watch=true')
    for (const message of ['{}', 'x'.repeat(60_000), '']) watch.webSocket.send(message)
    watch.webSocket.send(Buffer.from([0, 1, 2]))
    const pong = new Promise((resolve) => watch.webSocket.once('pong', resolve))
    watch.webSocket.ping('hello')
    assert.equal(String(await pong), 'hello')
    await server.send('POST', MAPS, map('heard'))
    await eventually(() =>
      assert.ok(
        watch.events.some(({ object }) => object.metadata.name === 'heard'),
        'not told',
      ),
    )
    watch.webSocket.send('x'.repeat(100_000))
    assert.equal(await watch.closed, 1009)
    await nothingLeft()
  })

  test('tells of history that is gone by an ERROR event, and ends', async () => {
    const from = Number(server.registry.resourceVersion())
    await server.send('POST', MAPS, map('old'))
    await server.send('POST', MAPS, map('older'))
    await server.store.compact(server.store.revision())
    const watch = await open(`watch=true&resourceVersion=${from}`)
    assert.equal(await watch.closed, 1000)
    assert.deepEqual(
      watch.events.map(({ type, object }) => [type, object.kind, object.code]),
      [['ERROR', 'Status', 410]],
    )
  })

  test('is refused with a Status before it begins, as over HTTP', async () => {
    for (const [query, code] of [
      ['watch=true&resourceVersion=abc', 400],
      ['watch=true&sendInitialEvents=true', 422],
      ['watch=perhaps', 400],
    ] as const) {
      await assert.rejects(open(query), (err) => {
        assert.ok(err instanceof Refused, String(err))
        assert.equal(err.code, code)
        assert.equal(err.body.kind, 'Status')
        assert.match(String(err.headers['content-type']), /^application\/json/)
        assert.equal(err.headers.connection, 'close')
        return true
      })
    }
    await nothingLeft()
  })

  test('gets an HTTP answer where there is nothing to watch', async () => {
    await assert.rejects(open('limit=1'), (err) => err instanceof Refused && err.code === 200 && err.body.kind === 'ConfigMapList')
    await assert.rejects(
      openSocketWatch(server.socketPath, '/nowhere'),
      (err) => err instanceof Refused && err.code === 404 && err.body.kind === 'Status',
    )
    await nothingLeft()
  })

  test('gets a long HTTP answer whole', { timeout: 60_000 }, async () => {
    const text = 'x'.repeat(200_000)
    for (let n = 0; n < 150; n++) await server.send('POST', MAPS, map(`long-${n}`, { text }))
    await assert.rejects(open('x=y'), (err) => err instanceof Refused && err.body.items.length >= 150)
    await server.raw('DELETE', MAPS)
    await nothingLeft()
  })

  test('chooses the first subprotocol that is no token', async () => {
    const watch = await open('watch=true', {}, ['base64.binary.k8s.io', 'v5.channel.k8s.io'])
    assert.equal(watch.webSocket.protocol, 'base64.binary.k8s.io')
    watch.destroy()
  })

  for (const [title, text, code] of [
    [
      'without a key',
      `GET ${MAPS}?watch=1 HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n`,
      400,
    ],
    ['of another version', `GET ${MAPS}?watch=1 HTTP/1.1\r\n${HANDSHAKE.replace('13', '7')}\r\n`, 400],
    ['by POST, with a body', `POST ${MAPS} HTTP/1.1\r\n${HANDSHAKE}content-type: application/json\r\ncontent-length: 2\r\n\r\n{}`, 400],
    ['by HEAD', `HEAD ${MAPS} HTTP/1.1\r\n${HANDSHAKE}\r\n`, 400],
    ['of another protocol', `GET ${MAPS} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n`, 200],
    [
      'of another protocol, by POST',
      `POST ${MAPS} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\n{}`,
      400,
    ],
    ['of another encoding', `GET ${MAPS}?watch=1 HTTP/1.1\r\n${HANDSHAKE}content-encoding: gzip\r\n\r\n`, 415],
  ] as const) {
    test(`a handshake ${title} is answered with ${code}, and the connection ends`, async () => {
      const connection = new RawConnection(server.socketPath, { keepsOpen: true }).read().write(text)
      await eventually(() => assert.ok(connection.ended || connection.closed, `still open: ${connection.text}`))
      assert.match(connection.text, new RegExp(`^HTTP/1.1 ${code} `))
      connection.socket.destroy()
      await nothingLeft()
    })
  }

  test('behind a request that is still being answered costs the connection, and nothing else', async () => {
    const connection = new RawConnection(server.socketPath)
      .read()
      .write(`GET ${MAPS}?watch=1 HTTP/1.1\r\nhost: x\r\n\r\nGET ${MAPS}?watch=1 HTTP/1.1\r\n${HANDSHAKE}\r\n`)
    await eventually(() => assert.ok(connection.closed, 'still open'))
    await nothingLeft()
    assert.equal((await server.raw('GET', '/livez')).status, 200)
  })

  test('noise instead of frames ends it', async () => {
    const connection = new RawConnection(server.socketPath)
      .read()
      .write(`GET ${MAPS}?watch=1 HTTP/1.1\r\n${HANDSHAKE}\r\n${'noise'.repeat(50)}`)
    await eventually(() => assert.ok(connection.closed, 'still open'))
    assert.match(connection.text, /^HTTP\/1.1 101 /)
    await nothingLeft()
  })
})

describe('limits', () => {
  test('count it, and refuse one too many with 429', async () => {
    const small = await TestApiServer.start({ limits: { streams: 1 } })
    try {
      const watch = await openSocketWatch(small.socketPath, `${MAPS}?watch=1`)
      await assert.rejects(
        openSocketWatch(small.socketPath, `${MAPS}?watch=1`),
        (err) => err instanceof Refused && err.code === 429 && err.headers['retry-after'] === '1',
      )
      watch.webSocket.close()
      await eventually(() => assert.equal(small.server.streams, 0))
      ;(await openSocketWatch(small.socketPath, `${MAPS}?watch=1`)).destroy()
    } finally {
      await small.stop()
    }
  })

  test('a reader that does not read is cut, and can read on from where it was', { timeout: 60_000 }, async () => {
    const impatient = await TestApiServer.start({ limits: { stalledAfter: 200 } })
    try {
      const from = impatient.registry.resourceVersion()
      const slow = await openSocketWatch(impatient.socketPath, `${MAPS}?watch=1&resourceVersion=${from}`)
      slow.socket.pause()
      const text = 'x'.repeat(100_000)
      for (let n = 0; n < 60; n++) await impatient.send('POST', MAPS, map(`slow-${n}`, { text }))
      await eventually(() => assert.equal(impatient.server.streams, 0))
      slow.socket.resume()
      assert.equal(await slow.closed, 1006)
      const last = slow.events.at(-1)?.object.metadata.resourceVersion ?? from
      const resumed = await openSocketWatch(impatient.socketPath, `${MAPS}?watch=1&resourceVersion=${last}`)
      await seen(resumed, 60 - slow.events.length)
      assert.deepEqual(
        [...slow.events, ...resumed.events].map(({ object }) => object.metadata.name),
        Array.from({ length: 60 }, (_, n) => `slow-${n}`),
      )
      resumed.destroy()
    } finally {
      await impatient.stop()
    }
  })
})

describe('the end of the server', () => {
  test('ends its watches with 1001', async () => {
    const stopping = await TestApiServer.start()
    const watch = await openSocketWatch(stopping.socketPath, `${MAPS}?watch=1`)
    await stopping.stop()
    assert.equal(await watch.closed, 1001)
  })

  test('does not wait long for a client that says nothing to that', async () => {
    const stopping = await TestApiServer.start()
    const connection = new RawConnection(stopping.socketPath, { keepsOpen: true })
      .read()
      .write(`GET ${MAPS}?watch=1 HTTP/1.1\r\n${HANDSHAKE}\r\n`)
    await eventually(() => assert.equal(stopping.server.streams, 1))
    await stopping.stop()
    await eventually(() => assert.ok(connection.closed || connection.ended, 'still open'))
    connection.socket.destroy()
  })
})

test('a client that answers no pings is taken for gone, and one that does is not', async () => {
  const clock = new FakeClock()
  const pinging = await TestApiServer.start({ clock })
  try {
    const alive = await openSocketWatch(pinging.socketPath, `${MAPS}?watch=1`)
    const silent = connect(pinging.socketPath).on('error', () => {})
    silent.write(`GET ${MAPS}?watch=1 HTTP/1.1\r\n${HANDSHAKE}\r\n`)
    silent.resume()
    await eventually(() => assert.equal(pinging.server.streams, 2))
    for (let n = 0; n < 3; n++) {
      const pinged = new Promise((resolve) => alive.webSocket.once('ping', resolve))
      // What is sent by now reaches the server before the next ping is due.
      const answered = n < 2 ? pinged : Promise.resolve()
      await clock.advance(30_000)
      await answered
      await pinging.raw('GET', '/livez')
    }
    await eventually(() => assert.equal(pinging.server.streams, 1))
    assert.equal(alive.webSocket.readyState, WebSocket.OPEN)
    alive.destroy()
    silent.destroy()
  } finally {
    await pinging.stop()
  }
})

describe('who may watch', () => {
  let guarded: TestApiServer
  let asked: Credentials[] = []
  before(async () => {
    guarded = await TestApiServer.start({
      authenticate: (credentials) => {
        asked.push(credentials)
        const { authorization } = credentials.headers
        if (authorization === 'Bearer powerless') return { name: 'joe', groups: [] }
        if (authorization !== 'Bearer s3cret') throw apiError('Unauthorized', 'Unauthorized')
        return { name: 'jane', groups: ['system:masters'] }
      },
    })
  })
  after(() => guarded.stop())
  const watchAs = (headers: Readonly<Record<string, string>>, protocols?: readonly string[]) => {
    asked = []
    return openSocketWatch(guarded.socketPath, `${MAPS}?watch=1`, headers, protocols)
  }
  const token = (text: string) => `base64url.bearer.authorization.k8s.io.${Buffer.from(text).toString('base64url')}`

  test('is asked as of any request', async () => {
    for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
      await assert.rejects(watchAs(headers), (err) => err instanceof Refused && err.code === 401 && err.body.reason === 'Unauthorized')
    }
    await assert.rejects(
      watchAs({ authorization: 'Bearer powerless' }),
      (err) => err instanceof Refused && err.code === 403 && /"joe" cannot watch/.test(err.body.message),
    )
    ;(await watchAs({ authorization: 'Bearer s3cret' })).destroy()
  })

  test('may be told by a subprotocol, as browsers must, which the answer does not repeat', async () => {
    const watch = await watchAs({}, [token('s3cret'), 'base64.binary.k8s.io'])
    assert.equal(watch.webSocket.protocol, 'base64.binary.k8s.io')
    assert.equal(asked[0]?.headers['sec-websocket-protocol'], 'base64.binary.k8s.io')
    watch.destroy()
    await assert.rejects(watchAs({}, [token('wrong'), 'x']), (err) => err instanceof Refused && err.code === 401)
  })

  test('a header says it before a subprotocol', async () => {
    await assert.rejects(
      watchAs({ authorization: 'Bearer wrong' }, [token('s3cret'), 'x']),
      (err) => err instanceof Refused && err.code === 401,
    )
  })

  for (const [title, protocols] of [
    ['two tokens', [token('s3cret'), token('wrong'), 'x']],
    ['nothing beside the token', [token('s3cret')]],
    ['a token with a line end', [token('s3cret\r\nx: y'), 'x']],
    ['an empty token', [token(''), 'x']],
  ] as const) {
    test(`${title} among the subprotocols is 400`, async () => {
      await assert.rejects(watchAs({}, protocols), (err) => err instanceof Refused && err.code === 400 && !err.message.includes('s3cret'))
      assert.deepEqual(asked, [])
    })
  }

  describe('on a port, where web pages can ask', () => {
    let access: TlsAccess
    before(async () => {
      access = await TlsAccess.open(guarded.server)
    })
    const page = { origin: 'https://elsewhere.example' }
    const rows: readonly (readonly [string, Readonly<Record<string, string>>, readonly string[], number])[] = [
      ['a page that knows nothing', page, [], 403],
      ['a page that the browser gives a password to', { ...page, authorization: 'Basic amFuZTpzM2NyZXQ=' }, [], 403],
      ['a page that brings a wrong token', page, [token('wrong'), 'x'], 401],
      ['a page that was given the token', page, [token('s3cret'), 'x'], 101],
      ['what passes on the request of a page with a token of its own', { ...page, authorization: 'Bearer s3cret' }, [], 101],
      ['a page behind a name of its own', { authorization: 'Bearer s3cret', host: 'elsewhere.example' }, [], 403],
      ['a program with a token', { authorization: 'Bearer s3cret' }, [], 101],
      ['a program without one', {}, [], 401],
    ]
    for (const [title, headers, protocols, code] of rows) {
      test(`${title} gets ${code}`, async () => {
        const answer = await openSocketWatch(
          { url: access.url, ca: access.serverAuthority.certificate },
          `${MAPS}?watch=1`,
          headers,
          protocols,
        ).then(
          (watch) => {
            watch.destroy()
            return 101
          },
          (err) => (err instanceof Refused ? err.code : err),
        )
        assert.equal(answer, code)
      })
    }
  })
})

test('a certificate, which browsers show for whatever page asks, lets no page watch', async () => {
  const secure = await TestApiServer.start()
  try {
    const access = await TlsAccess.open(secure.server)
    const { certificate: cert, key } = await access.certificate('jane', ['system:masters'])
    const target = { url: access.url, ca: access.serverAuthority.certificate, cert, key }
    const page = { origin: 'https://elsewhere.example' }
    const wrong = `base64url.bearer.authorization.k8s.io.${Buffer.from('wrong').toString('base64url')}`
    const refused = (code: number, ...rest: [Readonly<Record<string, string>>, (readonly string[])?]) =>
      assert.rejects(openSocketWatch(target, `${MAPS}?watch=1`, ...rest), (err) => err instanceof Refused && err.code === code)
    ;(await openSocketWatch(target, `${MAPS}?watch=1`)).destroy()
    await refused(403, page)
    await refused(401, page, [wrong, 'x'])
    await refused(401, { ...page, authorization: 'Bearer wrong' })
    await eventually(() => assert.equal(secure.server.streams, 0))
  } finally {
    await secure.stop()
  }
})
