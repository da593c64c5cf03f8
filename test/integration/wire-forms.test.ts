import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { parse } from 'yaml'
import { type Answer, PROCESSES, processNamed, TestApiServer } from '../support/api-server.ts'
import { eventually } from '../support/eventually.ts'

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io'
const BETA_TABLE = 'application/json;as=Table;v=v1beta1;g=meta.k8s.io'
const PARTIAL = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'
const PARTIAL_LIST = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'
const PROTOBUF = 'application/vnd.kubernetes.protobuf'
const V2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
const V2BETA1 = 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList'

/** What fills more than one piece of a list, and is worth compressing. */
const MANY = 400

let server: TestApiServer
before(async () => {
  server = await TestApiServer.start()
  await server.send('POST', PROCESSES, processNamed('web'))
  const data = { text: 'all work and no play '.repeat(20) }
  for (let n = 0; n < MANY; n++) {
    const metadata = { name: `many-${n}`, labels: { of: 'many' } }
    await server.client.for('ConfigMap').create({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data })
  }
})
after(() => server.stop())

const get = (path: string, accept: string | undefined, method = 'GET'): Promise<Answer> =>
  server.raw(method, path, { headers: accept === undefined ? {} : { accept } })

/** Bytes as they are on the wire, which `raw` takes for text. */
async function bytesOf(
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly headers: object; readonly bytes: Buffer }> {
  const request = httpRequest({ socketPath: server.socketPath, path, headers, agent: false }).end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return { headers: response.headers, bytes: Buffer.concat(chunks) }
}

/** The first event of a watch, which is then let go. */
async function firstLine(path: string, accept: string): Promise<Pick<Answer, 'status' | 'headers' | 'text'>> {
  const request = httpRequest({ socketPath: server.socketPath, path, headers: { accept }, agent: false }).end()
  request.on('error', () => {})
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) {
    text += String(chunk)
    if (text.includes('\n')) break
  }
  request.destroy()
  return { status: response.statusCode ?? 0, headers: response.headers, text: text.split('\n', 1)[0] ?? '' }
}

describe('the form of an answer is the first of the Accept header that there is', () => {
  const LIST = PROCESSES
  const ONE = `${PROCESSES}/web`
  const WATCH = `${PROCESSES}?watch=1&timeoutSeconds=1`
  const GROUP = '/apis/pmk.dev/v1'
  const forms: readonly [path: string, accept: string | undefined, kind: string, apiVersion: string, contentType?: string][] = [
    [ONE, undefined, 'Process', 'pmk.dev/v1'],
    [ONE, '*/*', 'Process', 'pmk.dev/v1'],
    [ONE, `${TABLE},${BETA_TABLE},application/json`, 'Table', 'meta.k8s.io/v1'],
    [ONE, `${BETA_TABLE},${TABLE}`, 'Table', 'meta.k8s.io/v1beta1'],
    [ONE, 'application/json;v=v1;g=meta.k8s.io;as=Table', 'Table', 'meta.k8s.io/v1'],
    [ONE, `${PARTIAL},application/json`, 'PartialObjectMetadata', 'meta.k8s.io/v1'],
    [ONE, `${PROTOBUF};as=PartialObjectMetadata;v=v1;g=meta.k8s.io,${PARTIAL}`, 'PartialObjectMetadata', 'meta.k8s.io/v1'],
    [ONE, `${PROTOBUF},application/json`, 'Process', 'pmk.dev/v1'],
    [ONE, 'application/cbor, application/json;q=0.1', 'Process', 'pmk.dev/v1'],
    [LIST, undefined, 'ProcessList', 'pmk.dev/v1'],
    [LIST, TABLE, 'Table', 'meta.k8s.io/v1'],
    [LIST, `${PARTIAL_LIST},application/json`, 'PartialObjectMetadataList', 'meta.k8s.io/v1'],
    [LIST, `${PARTIAL},application/json`, 'ProcessList', 'pmk.dev/v1'],
    [WATCH, 'application/json;stream=watch', 'Process', 'pmk.dev/v1'],
    [WATCH, `${PROTOBUF};stream=watch,application/json;stream=watch`, 'Process', 'pmk.dev/v1'],
    [WATCH, `application/yaml,${TABLE}`, 'Table', 'meta.k8s.io/v1'],
    [WATCH, BETA_TABLE, 'Table', 'meta.k8s.io/v1beta1'],
    [WATCH, PARTIAL, 'PartialObjectMetadata', 'meta.k8s.io/v1'],
    [`${ONE}/scale`, `${TABLE},application/json`, 'Scale', 'autoscaling/v1'],
    [GROUP, `${V2},application/json`, 'APIResourceList', 'v1'],
    ['/apis', undefined, 'APIGroupList', 'v1'],
    ['/apis', V2, 'APIGroupDiscoveryList', 'apidiscovery.k8s.io/v2', V2],
    ['/apis', V2BETA1, 'APIGroupDiscoveryList', 'apidiscovery.k8s.io/v2beta1', V2BETA1],
    ['/apis', `${V2},${V2BETA1},application/json`, 'APIGroupDiscoveryList', 'apidiscovery.k8s.io/v2', V2],
    ['/apis', `${V2BETA1},${V2}`, 'APIGroupDiscoveryList', 'apidiscovery.k8s.io/v2beta1', V2BETA1],
    ['/apis', `${V2};profile=nopeer,${V2},application/json`, 'APIGroupDiscoveryList', 'apidiscovery.k8s.io/v2', V2],
    [
      '/apis',
      'application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io',
      'APIGroupDiscoveryList',
      'apidiscovery.k8s.io/v2',
      V2,
    ],
    ['/apis', 'application/json;as=APIGroupDiscoveryList;v=v9;g=apidiscovery.k8s.io,application/json', 'APIGroupList', 'v1'],
    ['/api', V2, 'APIGroupDiscoveryList', 'apidiscovery.k8s.io/v2', V2],
  ]
  for (const [path, accept, kind, apiVersion, contentType = 'application/json'] of forms) {
    test(`${path.replace(PROCESSES, '…')} for ${accept} is a ${kind} of ${apiVersion}`, async () => {
      const answer = await (path === WATCH ? firstLine(path, accept ?? '') : get(path, accept))
      assert.equal(answer.status, 200, answer.text)
      assert.equal(answer.headers['content-type'], contentType)
      const document = path === WATCH ? JSON.parse(answer.text).object : JSON.parse(answer.text)
      assert.deepEqual([document.kind, document.apiVersion], [kind, apiVersion])
    })
  }

  for (const [path, accept] of [
    [ONE, PROTOBUF],
    [LIST, PROTOBUF],
    [LIST, 'application/cbor'],
    [WATCH, 'application/yaml'],
    [WATCH, `${PROTOBUF};stream=watch`],
    [`${ONE}/scale`, TABLE],
    [`${ONE}/scale`, PROTOBUF],
    ['/apis', PROTOBUF],
    [GROUP, PROTOBUF],
  ] as const) {
    test(`${path.replace(PROCESSES, '…')} for ${accept} alone is 406`, async () => {
      const { status, headers, json } = await get(path, accept)
      assert.deepEqual(
        [status, headers['content-type'], json.kind, json.reason, json.code],
        [406, 'application/json', 'Status', 'NotAcceptable', 406],
      )
      assert.match(json.message, /^only the following media types are accepted: application\/json/)
    })
  }

  test('writes are answered in the asked form, too, and not done when there is none', async () => {
    const send = (method: string, path: string, type: string, body: string, accept: string) =>
      server.raw(method, path, { headers: { 'content-type': type, accept }, body })
    const text = (name: string, replicas: number): string => JSON.stringify(processNamed(name, { spec: { command: ['a'], replicas } }))
    const made = await send('POST', PROCESSES, 'application/json', text('forms', 1), TABLE)
    assert.deepEqual([made.status, made.json.kind, made.json.rows.length], [201, 'Table', 1])
    const { json } = await get(`${PROCESSES}/forms`, undefined)
    const put = await send(
      'PUT',
      `${PROCESSES}/forms`,
      'application/json',
      JSON.stringify({ ...json, spec: { ...json.spec, replicas: 2 } }),
      PARTIAL,
    )
    assert.deepEqual([put.status, put.json.kind], [200, 'PartialObjectMetadata'])
    const merge = await send('PATCH', `${PROCESSES}/forms`, 'application/merge-patch+json', '{"spec":{"replicas":3}}', 'application/yaml')
    assert.deepEqual([merge.status, parse(merge.text).spec.replicas], [200, 3])
    for (const [method, path, type, body] of [
      ['POST', PROCESSES, 'application/json', text('never', 1)],
      ['PATCH', `${PROCESSES}/forms`, 'application/merge-patch+json', '{"spec":{"replicas":9}}'],
      ['PATCH', `${PROCESSES}/forms/scale`, 'application/merge-patch+json', '{"spec":{"replicas":9}}'],
      ['DELETE', `${PROCESSES}/forms`, 'application/json', ''],
    ] as const) {
      assert.equal((await send(method, path, type, body, PROTOBUF)).status, 406, `${method} ${path}`)
    }
    assert.equal((await get(`${PROCESSES}/never`, undefined)).status, 404)
    assert.equal((await get(`${PROCESSES}/forms`, undefined)).json.spec.replicas, 3)
  })
})

describe('answers in YAML', () => {
  test('say what those in JSON say', async () => {
    for (const path of [
      `${PROCESSES}/web`,
      `${PROCESSES}/web/scale`,
      PROCESSES,
      `${CONFIG_MAPS}?limit=40`,
      `${CONFIG_MAPS}?labelSelector=of%3Dnobody`,
      '/apis/pmk.dev',
      '/apis/pmk.dev/v1',
    ]) {
      const yaml = await get(path, 'application/yaml, */*')
      assert.equal(yaml.headers['content-type'], 'application/yaml')
      assert.deepEqual(parse(yaml.text), (await get(path, undefined)).json, path)
    }
  })

  test('leave what is very large on one line', async () => {
    const data = { text: '\u00e9"\n\t#: '.repeat(20_000) }
    await server.send('POST', CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a-large-one' }, data })
    for (const path of [`${CONFIG_MAPS}/a-large-one`, `${CONFIG_MAPS}?limit=2`])
      assert.deepEqual(parse((await get(path, 'application/yaml')).text), (await get(path, undefined)).json, path)
  })
})

describe('compression', () => {
  for (const [what, accept] of [
    ['JSON', 'application/json'],
    ['a Table', TABLE],
    ['YAML', 'application/yaml'],
  ] as const) {
    test(`of a long list as ${what} gives the same text, packed`, async () => {
      const path = `${CONFIG_MAPS}?labelSelector=of%3Dmany&includeObject=Object`
      // Ages go on meanwhile.
      const still = (text: string): string => text.replaceAll(/"\d+[smh]\d*s?",/g, '')
      const plain = await get(path, accept)
      const packed = await bytesOf(path, { accept, 'accept-encoding': 'gzip' })
      assert.equal(plain.headers['content-encoding'], undefined)
      assert.deepEqual({ ...packed.headers }, { ...packed.headers, 'content-encoding': 'gzip', vary: 'Accept-Encoding' })
      assert.ok(packed.bytes.length < plain.text.length / 4, `${packed.bytes.length} of ${plain.text.length}`)
      assert.equal(still(gunzipSync(packed.bytes).toString()), still(plain.text))
    })
  }

  test('is left out for what is short, for HEAD and for a watch', async () => {
    const encoded = { 'accept-encoding': 'gzip' }
    const short = await server.raw('GET', `${CONFIG_MAPS}?labelSelector=of%3Dmany&limit=3`, { headers: encoded })
    assert.equal(short.headers['content-encoding'], undefined)
    assert.equal(short.json.items.length, 3)
    // Pieces that come to less than what is worth it.
    const pieces = await server.raw('GET', `${CONFIG_MAPS}?labelSelector=of%3Dmany&limit=200&includeObject=None`, {
      headers: { ...encoded, accept: TABLE },
    })
    assert.equal(pieces.headers['content-encoding'], undefined)
    assert.equal(pieces.json.rows.length, 200)
    const watch = await server.raw('GET', `${CONFIG_MAPS}?watch=1&timeoutSeconds=1`, { headers: encoded })
    assert.equal(watch.headers['content-encoding'], undefined)
    assert.ok(watch.text.length > 128 * 1024)
    const head = await server.raw('HEAD', CONFIG_MAPS, { headers: encoded })
    assert.deepEqual([head.status, head.text], [200, ''])
  })

  test('of a list whose reader leaves in the middle leaves nothing under way', async () => {
    const request = httpRequest({
      socketPath: server.socketPath,
      path: CONFIG_MAPS,
      headers: { 'accept-encoding': 'gzip' },
      agent: false,
    }).end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    await once(response, 'data')
    request.destroy()
    assert.equal((await get(`${CONFIG_MAPS}?limit=1`, undefined)).status, 200)
    await eventually(() => assert.equal(server.server.requests, 0, 'no request is under way'))
  })
})

describe('what a body may be called and hold', () => {
  const keys = (name: string, values: object): object => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels: { constructor: 'a', prototype: 'b' } },
    data: values,
  })
  const data = JSON.parse('{"__proto__":"c","constructor":"d","constructor.prototype":"e","toString":"f","hasOwnProperty":"g"}')

  async function stored(name: string): Promise<unknown> {
    const { json } = await get(`${CONFIG_MAPS}/${name}`, undefined)
    return { labels: json.metadata.labels, data: Object.entries(json.data).sort() }
  }
  const expected = { labels: { constructor: 'a', prototype: 'b' }, data: Object.entries(data).sort() }

  test('keys such as constructor and __proto__ are ordinary keys, however they are written', async () => {
    const json = 'application/json'
    const plain = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' } })
    const body = (name: string): string => JSON.stringify(keys(name, {})).replace('"data":{}', `"data":${JSON.stringify(data)}`)
    const rows: readonly [name: string, write: (path: string) => Promise<Answer>][] = [
      ['k-post', () => server.send('POST', CONFIG_MAPS, body('k-post'))],
      ['k-yaml', () => server.send('POST', CONFIG_MAPS, body('k-yaml').replaceAll(':', ': '), 'application/yaml')],
      ['k-apply', (path) => server.send('PATCH', `${path}?fieldManager=t`, body('k-apply'), 'application/apply-patch+yaml')],
      ['k-merge', (path) => server.send('PATCH', path, body('k-merge'), 'application/merge-patch+json')],
      ['k-strategic', (path) => server.send('PATCH', path, body('k-strategic'), 'application/strategic-merge-patch+json')],
      [
        'k-json',
        (path) =>
          server.send(
            'PATCH',
            path,
            `[{"op":"add","path":"/data","value":${JSON.stringify(data)}},{"op":"add","path":"/metadata/labels","value":{"constructor":"a","prototype":"b"}}]`,
            'application/json-patch+json',
          ),
      ],
    ]
    for (const [name, write] of rows) {
      const path = `${CONFIG_MAPS}/${name}`
      if (!['k-post', 'k-yaml', 'k-apply'].includes(name)) await server.send('POST', CONFIG_MAPS, plain.replace('"x"', `"${name}"`), json)
      const answer = await write(path)
      assert.ok(answer.status < 300, `${name}: ${answer.text}`)
      assert.deepEqual(await stored(name), expected, name)
      const again = await server.send('PUT', path, (await get(path, undefined)).text)
      assert.equal(again.status, 200, again.text)
      assert.deepEqual(await stored(name), expected, `${name}, put as it was read`)
      const rows = (await get(path, TABLE)).json.rows
      assert.equal(rows[0].cells[1], 5, 'and are counted')
    }
    assert.equal(({} as Record<string, unknown>).c, undefined)
  })

  test('JSON is what a body without a type is, and no body none', async () => {
    const path = `${CONFIG_MAPS}/untyped`
    const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'untyped' } })
    assert.equal((await server.raw('POST', CONFIG_MAPS, { body })).status, 201)
    assert.equal((await server.raw('PUT', path, { body: (await get(path, undefined)).text })).status, 200)
    assert.equal((await server.raw('PATCH', path, { body: '{}' })).json.reason, 'UnsupportedMediaType')
    for (const type of ['application/json', 'application/yaml', 'application/json; charset=utf-8']) {
      await server.raw('POST', CONFIG_MAPS, { body })
      assert.equal((await server.raw('DELETE', path, { headers: { 'content-type': type } })).status, 200, type)
    }
    await server.raw('POST', CONFIG_MAPS, { body })
    const options = 'kind: DeleteOptions\napiVersion: v1\npreconditions: {uid: other}\n'
    assert.equal((await server.send('DELETE', path, options, 'application/yaml')).json.reason, 'Conflict')
  })

  test('a body without a length is measured as it comes', async () => {
    const request = httpRequest({
      socketPath: server.socketPath,
      method: 'POST',
      path: CONFIG_MAPS,
      agent: false,
      headers: { 'content-type': 'application/json' },
    })
    request.on('error', () => {})
    for (let sent = 0; sent < 4 * 1024 * 1024; sent += 64 * 1024) request.write('x'.repeat(64 * 1024))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    assert.equal(response.statusCode, 413)
    request.destroy()
  })

  test('a name of 253 characters goes there and back, with a percent sign for each dot, and one of 254 is refused', async () => {
    const name = `${`${'a'.repeat(62)}.`.repeat(4)}z`
    const body = (text: string): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: text } })
    assert.equal((await server.send('POST', CONFIG_MAPS, body(name))).status, 201)
    assert.equal((await get(`${CONFIG_MAPS}/${name.replaceAll('.', '%2E')}`, undefined)).json.metadata.name, name)
    assert.equal((await server.raw('DELETE', `${CONFIG_MAPS}/${name}`)).status, 200)
    assert.equal((await server.send('POST', CONFIG_MAPS, body(`${name}z`))).json.reason, 'Invalid')
  })
})
