import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Answer, PROCESSES, processNamed, TestApiServer } from '../support/api-server.ts'

const MERGE = 'application/merge-patch+json'
const JSON_PATCH = 'application/json-patch+json'
const APPLY = 'application/apply-patch+yaml'
const MAPS = '/api/v1/namespaces/default/configmaps'
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

let server: TestApiServer
before(async () => {
  server = await TestApiServer.start()
})
after(() => server.stop())

const mapNamed = (name: string, data: object, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
})

const apply = (path: string, manager: string, body: object, more = ''): Promise<Answer> =>
  server.send('PATCH', `${path}?fieldManager=${manager}${more}`, body, APPLY)

/** The very text of the owners of an answer, with one time for all times. */
function ownersIn({ json, text }: Answer): string {
  assert.ok(Array.isArray(json.metadata.managedFields), text)
  return JSON.stringify(json.metadata.managedFields).replaceAll(/"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"/g, '"time":"T"')
}

const entry = (manager: string, operation: string, apiVersion: string, fields: string, subresource = ''): string =>
  `{"manager":"${manager}","operation":"${operation}","apiVersion":"${apiVersion}","time":"T","fieldsType":"FieldsV1","fieldsV1":${fields}${
    subresource === '' ? '' : `,"subresource":"${subresource}"`
  }}`

describe('managedFields, byte for byte', () => {
  test('of a create: all that was sent, with its containers', async () => {
    const made = await server.send(
      'POST',
      `${MAPS}?fieldManager=kubectl-create`,
      mapNamed('golden', { b: '1', a: '2' }, { labels: { x: 'y' } }),
    )
    const fields = '{"f:data":{".":{},"f:a":{},"f:b":{}},"f:metadata":{"f:labels":{".":{},"f:x":{}}}}'
    assert.equal(ownersIn(made), `[${entry('kubectl-create', 'Update', 'v1', fields)}]`)
  })

  test('of a client-side apply: the annotation too, and of a second one only what changed', async () => {
    const annotations = (text: string): object => ({ annotations: { [LAST_APPLIED]: text } })
    await server.send('POST', `${MAPS}?fieldManager=kubectl-client-side-apply`, mapNamed('csa', { a: '1' }, annotations('{}')))
    const path = `${MAPS}/csa?fieldManager=kubectl-client-side-apply`
    const patched = await server.send('PATCH', path, { data: { a: null, b: '1' }, metadata: annotations('{"b":1}') }, MERGE)
    const fields = `{"f:data":{".":{},"f:b":{}},"f:metadata":{"f:annotations":{".":{},"f:${LAST_APPLIED}":{}}}}`
    assert.equal(ownersIn(patched), `[${entry('kubectl-client-side-apply', 'Update', 'v1', fields)}]`)
  })

  test('of a server-side apply, a status and a scale: each in an entry of its own, Apply first', async () => {
    const body = processNamed('golden', {
      metadata: { labels: { app: 'x' } },
      spec: { command: ['a'], env: [{ name: 'B', value: '1' }, { name: 'A' }], replicas: 1 },
    })
    const made = await apply(`${PROCESSES}/golden`, 'kubectl', body)
    assert.equal(made.status, 201, made.text)
    const env = '"f:env":{"k:{\\"name\\":\\"A\\"}":{".":{},"f:name":{}},"k:{\\"name\\":\\"B\\"}":{".":{},"f:name":{},"f:value":{}}}'
    const applied = (replicas: string): string =>
      entry('kubectl', 'Apply', 'pmk.dev/v1', `{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:command":{},${env}${replicas}}}`)
    assert.equal(ownersIn(made), `[${applied(',"f:replicas":{}')}]`)

    const status = await server.send('PATCH', `${PROCESSES}/golden/status?fieldManager=pmk-controller`, { status: { replicas: 1 } }, MERGE)
    const ofStatus = entry('pmk-controller', 'Update', 'pmk.dev/v1', '{"f:status":{".":{},"f:replicas":{}}}', 'status')
    assert.equal(ownersIn(status), `[${applied(',"f:replicas":{}')},${ofStatus}]`)

    const path = `${PROCESSES}/golden/scale`
    const scaled = await server.raw('PATCH', path, {
      headers: { 'content-type': MERGE, accept: 'application/json, */*', 'user-agent': 'kubectl/v1.33.0 (linux/amd64) kubernetes/0000000' },
      body: '{"spec":{"replicas":3}}',
    })
    assert.equal(scaled.json.spec.replicas, 3, scaled.text)
    const ofScale = entry('kubectl', 'Update', 'pmk.dev/v1', '{"f:spec":{"f:replicas":{}}}', 'scale')
    const entries = ownersIn(await server.raw('GET', `${PROCESSES}/golden`))
    // Both were written within a second or not: the order between them is that of their times.
    assert.ok([`[${applied('')},${ofScale},${ofStatus}]`, `[${applied('')},${ofStatus},${ofScale}]`].includes(entries), entries)
  })
})

describe('conflicts, byte for byte', () => {
  const path = `${MAPS}/conflict`
  const time = '2025-01-01T00:00:00Z'
  const owner = (manager: string, operation: string, fieldsV1: object): object => ({
    manager,
    operation,
    apiVersion: 'v1',
    time,
    fieldsType: 'FieldsV1',
    fieldsV1,
  })
  const managedFields = [
    owner('alice', 'Apply', { 'f:data': { 'f:a': {} }, 'f:metadata': { 'f:finalizers': { 'v:"x/y"': {} } } }),
    owner('bob', 'Update', { 'f:data': { 'f:b': {}, 'f:c': {} } }),
  ]

  test('with one field, with several, and with force', async () => {
    await server.send('POST', MAPS, mapNamed('conflict', { a: '1', b: '1', c: '1' }))
    const given = await server.send('PATCH', path, { metadata: { managedFields } }, MERGE)
    assert.deepEqual(given.json.metadata.managedFields, managedFields, 'taken as they are')
    const one = await apply(path, 'me', mapNamed('conflict', { a: '2' }))
    assert.deepEqual(one.json, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'Apply failed with 1 conflict: conflict with "alice": .data.a',
      reason: 'Conflict',
      details: { causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "alice"', field: '.data.a' }] },
      code: 409,
    })
    const many = await apply(path, 'me', mapNamed('conflict', { a: '2', c: '2', b: null }))
    const ofBob = `"bob" using v1 at ${time}`
    assert.equal(
      many.json.message,
      `Apply failed with 3 conflicts: conflicts with "alice":\n- .data.a\nconflicts with ${ofBob}:\n- .data.b\n- .data.c`,
    )
    assert.deepEqual(many.json.details.causes.slice(1), [
      { reason: 'FieldManagerConflict', message: `conflict with ${ofBob}`, field: '.data.b' },
      { reason: 'FieldManagerConflict', message: `conflict with ${ofBob}`, field: '.data.c' },
    ])
    const forced = await apply(path, 'me', mapNamed('conflict', { a: '2', c: '2' }), '&force=true')
    assert.equal(forced.status, 200, forced.text)
    assert.deepEqual(forced.json.data, { a: '2', b: '1', c: '2' })
  })

  test('name the subresource of an owner', async () => {
    await server.send('POST', PROCESSES, processNamed('of-status'))
    const body = (replicas: number): object => ({ ...processNamed('of-status'), status: { replicas } })
    assert.equal((await apply(`${PROCESSES}/of-status/status`, 'one', body(1))).status, 200)
    const refused = await apply(`${PROCESSES}/of-status/status`, 'two', body(2))
    assert.equal(refused.json.message, 'Apply failed with 1 conflict: conflict with "one" with subresource "status": .status.replicas')
  })
})

describe('managedFields that a client sends', () => {
  for (const none of [[], [{}]]) {
    const text = JSON.stringify(none)
    test(`${text} takes all owners away: by PUT, merge patch and JSON patch, not through a subresource`, async () => {
      const name = none.length === 0 ? 'owners-none' : 'owners-empty'
      const path = `${PROCESSES}/${name}`
      const own = async (): Promise<Answer> => {
        const answer = await apply(path, 'me', processNamed(name), '&force=true')
        assert.ok(answer.json.metadata.managedFields.length > 0, answer.text)
        return answer
      }
      const made = await own()
      const kept = await server.send('PATCH', `${path}/status`, { metadata: { managedFields: none }, status: { replicas: 1 } }, MERGE)
      assert.ok(kept.json.metadata.managedFields.length > 0, kept.text)
      const { metadata } = kept.json
      const answers = [
        await server.send('PUT', path, { ...made.json, metadata: { ...metadata, managedFields: none } }),
        (await own()) && (await server.send('PATCH', path, { metadata: { managedFields: none } }, MERGE)),
        (await own()) && (await server.send('PATCH', path, [{ op: 'replace', path: '/metadata/managedFields', value: none }], JSON_PATCH)),
      ]
      for (const answer of answers) {
        assert.equal(answer.status, 200, answer.text)
        assert.equal(answer.json.metadata.managedFields, undefined, answer.text)
      }
      const labelled = await server.send('PATCH', path, { metadata: { labels: { a: 'b' } } }, MERGE)
      assert.equal(labelled.json.metadata.managedFields, undefined, 'nobody owns it until the first apply')
      const again = await own()
      assert.deepEqual(
        again.json.metadata.managedFields.map(({ manager, operation }: Record<string, string>) => `${manager} ${operation}`),
        ['me Apply', 'before-first-apply Update'],
      )
    })
  }
})

test('versions grow over all kinds, and a write that changes nothing takes none and tells nobody', async () => {
  let last = server.store.revision()
  const grows = (answer: Answer): Answer => {
    assert.ok(answer.status < 300, answer.text)
    const version = Number(answer.json.metadata.resourceVersion)
    assert.equal(version, last + 1, `${answer.text} after ${last}`)
    last = version
    return answer
  }
  const path = `${PROCESSES}/same`
  const labels = { metadata: { labels: { a: 'b' } } }
  grows(await apply(path, 'me', processNamed('same')))
  grows(await server.send('POST', MAPS, mapNamed('same', { a: '1' })))
  grows(await server.send('PATCH', path, labels, MERGE))
  const { json } = grows(await server.send('PATCH', `${path}/status`, { status: { replicas: 1 } }, MERGE))
  const same = [
    await server.send('PUT', path, json),
    await server.send('PUT', `${path}/status`, json),
    await server.send('PATCH', path, labels, MERGE),
    await server.send('PATCH', path, [{ op: 'replace', path: '/metadata/labels/a', value: 'b' }], JSON_PATCH),
    await apply(path, 'me', processNamed('same')),
    await server.send('PATCH', `${path}/scale`, { spec: { replicas: 1 } }, MERGE),
  ]
  for (const answer of same) assert.equal(answer.status, 200, answer.text)
  for (const answer of same) assert.equal(answer.json.metadata.resourceVersion, json.metadata.resourceVersion, answer.text)
  assert.equal(server.store.revision(), last)
})

test('the generation counts changes of the spec and the beginning of a deletion', async () => {
  const path = `${PROCESSES}/counted`
  const made = await server.send('POST', PROCESSES, { ...processNamed('counted'), metadata: { name: 'counted', generation: 7 } })
  assert.equal(made.json.metadata.generation, 1)
  const table: readonly [what: string, growth: number, write: () => Promise<Answer>][] = [
    ['a label', 0, () => server.send('PATCH', path, { metadata: { labels: { a: 'b' } } }, MERGE)],
    ['an annotation', 0, () => server.send('PATCH', path, { metadata: { annotations: { a: 'b' } } }, MERGE)],
    ['a generation of the client', 0, () => server.send('PATCH', path, { metadata: { generation: 99, labels: { a: 'c' } } }, MERGE)],
    ['a status', 0, () => server.send('PATCH', `${path}/status`, { status: { replicas: 1 } }, MERGE)],
    ['a spec through /status', 0, () => server.send('PATCH', `${path}/status`, { spec: { replicas: 9 }, status: { replicas: 2 } }, MERGE)],
    ['a status through the object', 0, () => server.send('PATCH', path, { status: { replicas: 9 } }, MERGE)],
    ['a spec', 1, () => server.send('PATCH', path, { spec: { nice: 1 } }, MERGE)],
    [
      'an applied spec',
      1,
      () => apply(path, 'me', processNamed('counted', { spec: { nice: 2, command: ['sleep', '1000'] } }), '&force=true'),
    ],
    ['a scale', 1, () => server.send('PATCH', `${path}/scale`, { spec: { replicas: 2 } }, MERGE)],
    ['the same scale', 0, () => server.send('PATCH', `${path}/scale`, { spec: { replicas: 2 } }, MERGE)],
    ['a deletion that has to wait', 1, () => server.raw('DELETE', path)],
    ['a second deletion', 0, () => server.raw('DELETE', path)],
  ]
  let generation = 1
  for (const [what, growth, write] of table) {
    const answer = await write()
    assert.equal(answer.status, 200, answer.text)
    generation += growth
    assert.equal((await server.raw('GET', path)).json.metadata.generation, generation, what)
  }
})

test('a replacement with the uid or the version of another object is refused, and says why', async () => {
  const { json } = await server.send('POST', PROCESSES, processNamed('whose'))
  const put = (metadata: object): Promise<Answer> =>
    server.send('PUT', `${PROCESSES}/whose`, { ...json, metadata: { ...json.metadata, ...metadata } })
  const uid = await put({ uid: 'other' })
  assert.equal(uid.status, 409)
  assert.equal(uid.json.reason, 'Conflict')
  const version = await put({ resourceVersion: '1' })
  assert.deepEqual(
    [version.status, version.json.message],
    [
      409,
      'Operation cannot be fulfilled on processes.pmk.dev "whose": the object has been modified; please apply your changes to the latest version and try again',
    ],
  )
  assert.deepEqual(version.json.details, { name: 'whose', group: 'pmk.dev', kind: 'processes' })
  const absent = await server.send('PUT', `${PROCESSES}/nobody`, { ...json, metadata: { ...json.metadata, name: 'nobody' } })
  assert.deepEqual([absent.status, absent.json.message], [404, 'processes.pmk.dev "nobody" not found'])
})
