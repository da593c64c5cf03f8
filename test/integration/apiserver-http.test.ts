import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, mkdir, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect, createServer as createSocketServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { apiError, hasReason } from '../../src/api/status.ts'
import { type ApiServer, createApiServer } from '../../src/apiserver/server.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { createHttpClient } from '../../src/client/http-client.ts'
import { type Answer, PROCESSES, processNamed, TestApiServer } from '../support/api-server.ts'
import { tempDir } from '../support/temp-dir.ts'

let server: TestApiServer
before(async () => {
  server = await TestApiServer.start()
})
after(() => server.stop())

function assertStatus(answer: Answer, code: number, reason: string): void {
  assert.equal(answer.status, code, answer.text)
  assert.match(String(answer.headers['content-type']), /^application\/json/)
  const { kind, apiVersion, status, reason: told, code: inBody, message } = answer.json
  assert.deepEqual(
    { kind, apiVersion, status, told, inBody },
    { kind: 'Status', apiVersion: 'v1', status: 'Failure', told: reason, inBody: code },
  )
  assert.ok(message.length > 0)
}

describe('every refusal is a Status', () => {
  const rows: readonly [what: string, code: number, reason: string, send: () => Promise<Answer>][] = [
    ['an unknown path', 404, 'NotFound', () => server.raw('GET', '/nowhere')],
    ['an unknown group', 404, 'NotFound', () => server.raw('GET', '/apis/nobody.dev/v1')],
    ['an unknown kind', 404, 'NotFound', () => server.raw('GET', '/apis/pmk.dev/v1/namespaces/default/widgets')],
    ['an unknown subresource', 404, 'NotFound', () => server.raw('GET', `${PROCESSES}/web/widgets`)],
    ['an object that is not there', 404, 'NotFound', () => server.raw('GET', `${PROCESSES}/nobody`)],
    ['a method that a path does not have', 405, 'MethodNotAllowed', () => server.send('PATCH', PROCESSES, {})],
    ['a method that no path has', 405, 'MethodNotAllowed', () => server.raw('OPTIONS', PROCESSES)],
    ['a method that is not of HTTP proper', 405, 'MethodNotAllowed', () => server.raw('PROPFIND', PROCESSES)],
    ['broken JSON', 400, 'BadRequest', () => server.send('POST', PROCESSES, '{"kind":')],
    ['broken YAML', 400, 'BadRequest', () => server.send('POST', PROCESSES, 'a: [', 'application/yaml')],
    ['a body that is not UTF-8', 400, 'BadRequest', () => server.raw('POST', PROCESSES, { body: Buffer.from([0x22, 0xff, 0x22]) })],
    ['no body where one is needed', 400, 'BadRequest', () => server.raw('POST', PROCESSES)],
    ['a body of 4 MiB', 413, 'RequestEntityTooLarge', () => server.send('POST', PROCESSES, `"${'x'.repeat(4 * 1024 * 1024)}"`)],
    [
      'a body of an unknown type',
      415,
      'UnsupportedMediaType',
      () => server.send('POST', PROCESSES, 'a=b', 'application/x-www-form-urlencoded'),
    ],
    [
      'a body in protobuf for one of our kinds',
      415,
      'UnsupportedMediaType',
      () => server.send('POST', PROCESSES, 'k8s', 'application/vnd.kubernetes.protobuf'),
    ],
    ['a content type that is none', 415, 'UnsupportedMediaType', () => server.send('POST', PROCESSES, '{}', 'nonsense')],
    [
      'a compressed body',
      415,
      'UnsupportedMediaType',
      () => server.raw('POST', PROCESSES, { headers: { 'content-encoding': 'gzip', 'content-type': 'application/json' }, body: '{}' }),
    ],
    [
      'a patch of a type that nobody knows',
      415,
      'UnsupportedMediaType',
      () => server.send('PATCH', `${PROCESSES}/web`, {}, 'application/json'),
    ],
    ['an address that can not be decoded', 400, 'BadRequest', () => server.raw('GET', '/api/v1/namespaces/%zz')],
    ['a limit that is no number', 400, 'BadRequest', () => server.raw('GET', `${PROCESSES}?limit=many`)],
    ['a resourceVersion that is no number', 400, 'BadRequest', () => server.raw('GET', `${PROCESSES}?resourceVersion=abc`)],
    ['a selector that can not be read', 400, 'BadRequest', () => server.raw('GET', `${PROCESSES}?labelSelector=a%3D%3D%3Db`)],
    ['a field that can not be selected by', 400, 'BadRequest', () => server.raw('GET', `${PROCESSES}?fieldSelector=spec.color%3Dred`)],
    ['sendInitialEvents for a list', 422, 'Invalid', () => server.raw('GET', `${PROCESSES}?sendInitialEvents=true`)],
    ['nesting without end', 400, 'BadRequest', () => server.send('POST', PROCESSES, '['.repeat(1_000_000))],
    ['nesting without end in YAML', 400, 'BadRequest', () => server.send('POST', PROCESSES, '['.repeat(100_000), 'application/yaml')],
    ['two documents', 400, 'BadRequest', () => server.send('POST', PROCESSES, 'a: 1\n---\nb: 1\n', 'application/yaml')],
    ['a name that leads elsewhere', 404, 'NotFound', () => server.raw('GET', `${PROCESSES}/..%2f..%2fsecret`)],
    ['a name that goes up', 404, 'NotFound', () => server.raw('GET', `${PROCESSES}/%2e%2e`)],
    ['an action without its name', 400, 'BadRequest', () => server.send('POST', `${PROCESSES}/web/action`, {})],
  ]
  for (const [what, code, reason, send] of rows) test(`${what} is ${code} ${reason}`, async () => assertStatus(await send(), code, reason))

  test('what is not HTTP at all', async () => {
    const socket = connect(server.socketPath)
    socket.write('HELLO THERE\r\n\r\n')
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    assert.match(text, /^HTTP\/1\.1 400 /)
    assert.equal(JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)).kind, 'Status')
  })

  test('a failure of our own tells no detail, and is logged', async () => {
    const errors: object[] = []
    const log = { ...silentLogger, error: (fields: object) => errors.push(fields) }
    const broken = await TestApiServer.start({
      log,
      wrap: (registry) => ({ ...registry, list: () => Promise.reject(new TypeError('the secret')) }),
    })
    try {
      const answer = await broken.raw('GET', PROCESSES)
      assertStatus(answer, 500, 'InternalError')
      assert.ok(!answer.text.includes('the secret'))
      assert.equal(errors.length, 1)
    } finally {
      await broken.stop()
    }
  })
})

describe('requests as clients really send them', () => {
  test('PUT and DELETE without Content-Type, DELETE with a JSON type and no body', async () => {
    const made = (await server.raw('POST', PROCESSES, { body: JSON.stringify(processNamed('bare')) })).json
    assert.equal(made.metadata.name, 'bare')
    const put = await server.raw('PUT', `${PROCESSES}/bare`, { body: JSON.stringify({ ...made, spec: { ...made.spec, replicas: 2 } }) })
    assert.equal(put.status, 200)
    assert.equal(put.json.spec.replicas, 2)
    const gone = await server.raw('DELETE', '/api/v1/namespaces/default/configmaps/none', {
      headers: { 'content-type': 'application/json' },
    })
    assertStatus(gone, 404, 'NotFound')
    assert.equal((await server.raw('DELETE', `${PROCESSES}/bare`)).status, 200)
  })

  test('a name of 253 characters goes there and back', async () => {
    const name = `${`${'a'.repeat(62)}.`.repeat(4)}z`
    const path = '/api/v1/namespaces/default/configmaps'
    const made = await server.send('POST', path, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } })
    assert.equal(made.status, 201, made.text)
    assert.equal((await server.raw('GET', `${path}/${name}`)).json.metadata.name, name)
    assert.equal((await server.raw('DELETE', `${path}/${name}`)).json.details.name, name)
  })

  test('keys such as constructor and __proto__ are ordinary keys', async () => {
    const path = '/api/v1/namespaces/default/configmaps'
    const body =
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"keys","labels":{"constructor":"a","prototype":"b"}},"data":{"__proto__":"c","constructor.prototype":"d","toString":"e"}}'
    const made = await server.send('POST', path, body)
    assert.equal(made.status, 201, made.text)
    const text = (await server.raw('GET', `${path}/keys`)).text
    assert.match(text, /"constructor":"a"/)
    assert.match(text, /"__proto__":"c"/)
    assert.match(text, /"toString":"e"/)
  })

  test('a body in YAML', async () => {
    const made = await server.send(
      'POST',
      PROCESSES,
      'apiVersion: pmk.dev/v1\nkind: Process\nmetadata: {name: yaml}\nspec: {command: [a]}\n',
      'application/yaml; charset=utf-8',
    )
    assert.equal(made.status, 201, made.text)
    const shown = await server.raw('GET', `${PROCESSES}/yaml`, { headers: { accept: 'application/yaml' } })
    assert.match(String(shown.headers['content-type']), /^application\/yaml/)
    assert.match(shown.text, /^kind: Process$/m)
  })

  test('an object without a name is never all objects', async () => {
    const before = (await server.raw('GET', '/apis/pmk.dev/v1/processes')).json.items.length
    assert.ok(before > 0)
    assertStatus(await server.raw('DELETE', `${PROCESSES}/`), 404, 'NotFound')
    assertStatus(await server.raw('DELETE', '/apis/pmk.dev/v1//processes'), 404, 'NotFound')
    assert.equal((await server.raw('GET', '/apis/pmk.dev/v1/processes')).json.items.length, before)
  })

  test('discovery overlooks doubled and trailing slashes', async () => {
    for (const path of ['/apis/', '//apis', '/apis//pmk.dev/v1/?timeout=32s', '/openapi/v3/'])
      assert.equal((await server.raw('GET', path)).status, 200, path)
  })
})

describe('the form of an answer', () => {
  const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io'
  before(async () => {
    await server.send('POST', PROCESSES, processNamed('form'))
  })
  const rows: readonly [accept: string | undefined, path: string, kind: string][] = [
    [undefined, `${PROCESSES}/form`, 'Process'],
    ['*/*', PROCESSES, 'ProcessList'],
    [`${TABLE},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json`, PROCESSES, 'Table'],
    ['application/json;g=meta.k8s.io;v=v1;as=Table', `${PROCESSES}/form`, 'Table'],
    [TABLE, `${PROCESSES}/form/status`, 'Table'],
    [`${TABLE},application/json`, `${PROCESSES}/form/scale`, 'Scale'],
    ['application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io', `${PROCESSES}/form`, 'PartialObjectMetadata'],
    ['application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', PROCESSES, 'PartialObjectMetadataList'],
    ['application/vnd.kubernetes.protobuf,application/json', PROCESSES, 'ProcessList'],
  ]
  for (const [accept, path, kind] of rows) {
    test(`Accept ${accept} of ${path.slice(PROCESSES.length) || 'all'} gives a ${kind}`, async () => {
      const answer = await server.raw('GET', path, { headers: accept === undefined ? {} : { accept } })
      assert.equal(answer.status, 200, answer.text)
      assert.match(String(answer.headers['content-type']), /^application\/json/)
      assert.equal(answer.json.kind, kind)
    })
  }

  test('protobuf alone is 406, and nothing is written before that is clear', async () => {
    const headers = { accept: 'application/vnd.kubernetes.protobuf', 'content-type': 'application/json' }
    assertStatus(await server.raw('POST', PROCESSES, { headers, body: JSON.stringify(processNamed('unseen')) }), 406, 'NotAcceptable')
    assertStatus(await server.raw('GET', `${PROCESSES}/unseen`), 404, 'NotFound')
  })

  test('a Table of v1beta1 says so, and holds what includeObject asks for', async () => {
    const headers = { accept: 'application/json;as=Table;v=v1beta1;g=meta.k8s.io' }
    const table = (await server.raw('GET', `${PROCESSES}?includeObject=Object&fieldSelector=metadata.name%3Dform`, { headers })).json
    assert.equal(table.apiVersion, 'meta.k8s.io/v1beta1')
    assert.equal(table.rows[0].object.spec.command[0], 'sleep')
    assertStatus(await server.raw('GET', `${PROCESSES}?includeObject=All`, { headers }), 400, 'BadRequest')
  })

  test('large answers are compressed for those who can read that', async () => {
    const data = { text: 'all work and no play '.repeat(20_000) }
    const path = '/api/v1/namespaces/default/configmaps'
    await server.send('POST', path, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'large' }, data })
    const plain = await server.raw('GET', `${path}/large`)
    assert.equal(plain.headers['content-encoding'], undefined)
    const chunks: Buffer[] = []
    const response = await server.client.request({ method: 'GET', path: `${path}/large`, headers: { 'accept-encoding': 'deflate, gzip' } })
    assert.equal(response.headers['content-encoding'], 'gzip')
    for await (const chunk of response.body) chunks.push(Buffer.from(chunk))
    assert.equal(gunzipSync(Buffer.concat(chunks)).toString(), plain.text)
    const refused = await server.raw('GET', `${path}/large`, { headers: { 'accept-encoding': 'gzip;q=0' } })
    assert.equal(refused.headers['content-encoding'], undefined)
  })

  test('HEAD answers as GET does, without the body', async () => {
    for (const path of ['/livez/ping', '/readyz', '/version', PROCESSES, `${PROCESSES}?watch=true`]) {
      const answer = await server.raw('HEAD', path)
      assert.deepEqual([path, answer.status, answer.text], [path, 200, ''])
    }
  })
})

describe('health and version', () => {
  test('a server that lives but is not ready says why', async () => {
    let ok = false
    const starting = await TestApiServer.start({ ready: () => ({ ok, reasons: ok ? [] : ['the agent has not looked around yet'] }) })
    try {
      assert.equal((await starting.raw('GET', '/livez')).text, 'ok')
      const answer = await starting.raw('GET', '/readyz')
      assert.equal(answer.status, 500)
      assert.match(answer.text, /the agent has not looked around yet/)
      assert.match(String(answer.headers['content-type']), /^text\/plain/)
      const told = await starting.raw('GET', '/readyz?verbose')
      assert.equal(told.text, '[+]ping ok\n[-]ready failed: the agent has not looked around yet\n[+]store ok\nreadyz check failed\n')
      ok = true
      assert.equal((await starting.raw('GET', '/livez?verbose')).text, '[+]ping ok\nlivez check passed\n')
      for (const path of ['/readyz', '/readyz/ping', '/healthz', '/healthz/ping', '/livez/ping']) {
        assert.equal((await starting.raw('GET', path)).text, 'ok', path)
      }
      assertStatus(await starting.raw('GET', '/livez/nothing'), 404, 'NotFound')
    } finally {
      await starting.stop()
    }
  })

  test('the version is one that kubectl can compare with its own', async () => {
    const { major, minor, gitVersion } = (await server.raw('GET', '/version?timeout=32s')).json
    assert.deepEqual([major, minor], ['1', '33'])
    assert.match(gitVersion, /^v1\.33\.\d+\+pmk\.\d+\.\d+\.\d+$/)
  })
})

describe('the socket', () => {
  const made: ApiServer[] = []
  const make = (): ApiServer => {
    const another = createApiServer({
      registry: server.registry,
      gateways: () => {
        throw apiError('ServiceUnavailable', 'none')
      },
      clock: systemClock,
      log: silentLogger,
      version: '0.0.0',
      ready: () => ({ ok: true, reasons: [] }),
    })
    made.push(another)
    return another
  }
  after(() => Promise.all(made.map((another) => another.close())))

  test('only its owner may open it, whatever the umask', async () => {
    assert.equal((await stat(server.socketPath)).mode & 0o777, 0o600)
  })

  test('a second server on the same socket is refused, and the first one serves on', async () => {
    await assert.rejects(make().listen({ socketPath: server.socketPath }), /another server listens/)
    assert.equal((await server.raw('GET', '/livez')).status, 200)
  })

  test('a socket that nobody answers on is replaced; a file, or a link to one, is left alone', async () => {
    const dir = await tempDir()
    try {
      const stale = join(dir.path, 'stale.sock')
      await leaveStaleSocket(stale)
      const replacing = make()
      await replacing.listen({ socketPath: stale })
      const client = createHttpClient({ socketPath: stale })
      assert.equal(await (await client.request({ method: 'GET', path: '/livez' })).text(), 'ok')
      await client.close()
      await replacing.close()
      await assert.rejects(stat(stale), { code: 'ENOENT' })
      const file = join(dir.path, 'precious')
      await writeFile(file, 'mine')
      await assert.rejects(make().listen({ socketPath: file }), /is not a socket/)
      await symlink(file, join(dir.path, 'link'))
      await assert.rejects(make().listen({ socketPath: join(dir.path, 'link') }), /is not a socket/)
    } finally {
      await dir.remove()
    }
  })

  test('a path that the kernel would cut is refused with the limit', async () => {
    await assert.rejects(make().listen({ socketPath: `/tmp/${'x'.repeat(103)}` }), /is 108 bytes long; the limit is 107/)
  })

  test('a directory that may not be written is an error of the system', {
    skip: process.getuid?.() === 0 && 'root may write anywhere',
  }, async () => {
    const dir = await tempDir()
    try {
      await mkdir(join(dir.path, 'locked'))
      await chmod(join(dir.path, 'locked'), 0o500)
      await assert.rejects(make().listen({ socketPath: join(dir.path, 'locked', 'a.sock') }), { code: 'EACCES' })
    } finally {
      await dir.remove()
    }
  })
})

describe('the client', () => {
  test('without a server it says ServiceUnavailable, with the cause of the system', async () => {
    const client = createHttpClient({ socketPath: '/nonexistent/pmk.sock' })
    await assert.rejects(
      client.for('Process').list(),
      (err) => hasReason(err, 'ServiceUnavailable') && (err.cause as NodeJS.ErrnoException).code === 'ENOENT',
    )
    await client.close()
  })

  test('a connection that the server closed while it was idle is opened again', async () => {
    const dir = await tempDir()
    const socketPath = join(dir.path, 's')
    // Answers one request a connection and then drops it, without having said so.
    let connections = 0
    const dropping = createSocketServer((socket) => {
      connections += 1
      let seen = 0
      socket.on('error', () => {})
      socket.on('data', () => {
        seen += 1
        if (seen > 1) socket.destroy()
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      })
    })
    dropping.listen(socketPath)
    await once(dropping, 'listening')
    const client = createHttpClient({ socketPath })
    try {
      for (let round = 0; round < 3; round++) assert.equal(await (await client.request({ method: 'GET', path: '/' })).text(), 'ok')
      assert.ok(connections >= 2)
    } finally {
      await client.close()
      dropping.close()
      await dir.remove()
    }
  })

  test('what a server tells beside its answer is handed on', async () => {
    const dir = await tempDir()
    const socketPath = join(dir.path, 's')
    const warning = createServer((_request, response) => {
      response.setHeader('warning', ['299 - "unknown field \\"spec.x\\""', '299 - "second"']).end('{}')
    })
    warning.listen(socketPath)
    await once(warning, 'listening')
    const told: string[] = []
    const client = createHttpClient({ socketPath }, { onWarning: (text) => told.push(text) })
    try {
      await (await client.request({ method: 'GET', path: '/' })).text()
      assert.deepEqual(told, ['unknown field "spec.x"', 'second'])
    } finally {
      await client.close()
      warning.close()
      await dir.remove()
    }
  })
})

/** A socket file as a server leaves it that was killed. */
async function leaveStaleSocket(path: string): Promise<void> {
  const { spawnSync } = await import('node:child_process')
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['-e', script])
  assert.ok((await stat(path)).isSocket())
}
