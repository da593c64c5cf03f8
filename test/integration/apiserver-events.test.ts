import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { TestApiServer } from '../support/api-server.ts'
import { kubernetesBody } from '../support/protobuf.ts'

const CORE = '/api/v1/namespaces/default/events'
const VIEW = '/apis/events.k8s.io/v1/namespaces/default/events'
const STRATEGIC = 'application/strategic-merge-patch+json'
const PROTOBUF = { 'content-type': 'application/vnd.kubernetes.protobuf' }

const about = { kind: 'Process', namespace: 'default', name: 'web', uid: 'u1', apiVersion: 'pmk.dev/v1' }

/** As the recorder of client-go's tools/record sends it. */
const coreEvent = (name: string, more: object = {}) => ({
  kind: 'Event',
  apiVersion: 'v1',
  metadata: { name, namespace: 'default', creationTimestamp: null },
  involvedObject: about,
  reason: 'Started',
  message: 'It runs',
  source: { component: 'my-controller' },
  firstTimestamp: '2025-01-01T00:00:00Z',
  lastTimestamp: '2025-01-01T00:00:00Z',
  count: 1,
  type: 'Normal',
  eventTime: null,
  reportingComponent: 'my-controller',
  reportingInstance: '',
  ...more,
})

/** As the recorder of client-go's tools/events sends it. */
const newEvent = (name: string, more: object = {}) => ({
  kind: 'Event',
  apiVersion: 'events.k8s.io/v1',
  metadata: { name, namespace: 'default', creationTimestamp: null },
  eventTime: '2025-01-01T00:00:00.123456Z',
  reportingController: 'example.com/controller',
  reportingInstance: 'controller-host-1',
  action: 'Starting',
  reason: 'Started',
  regarding: about,
  note: 'It runs',
  type: 'Normal',
  deprecatedSource: {},
  deprecatedFirstTimestamp: null,
  deprecatedLastTimestamp: null,
  ...more,
})

describe('Events, which two groups serve', () => {
  let server: TestApiServer
  before(async () => {
    server = await TestApiServer.start()
  })
  after(() => server.stop())

  async function ok(method: string, path: string, body?: unknown, type?: string) {
    const answer = body === undefined ? await server.raw(method, path) : await server.send(method, path, body, type)
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`)
    return answer.json
  }
  const names = (list: { items: readonly { metadata: { name: string } }[] }) => list.items.map(({ metadata }) => metadata.name)

  test('one that was written through v1 is read through events.k8s.io/v1, with the same identity and version', async () => {
    const created = await ok('POST', CORE, coreEvent('a.1'))
    const { metadata, ...view } = await ok('GET', `${VIEW}/a.1`)
    assert.deepEqual(view, {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      regarding: about,
      reason: 'Started',
      note: 'It runs',
      deprecatedSource: { component: 'my-controller' },
      deprecatedFirstTimestamp: '2025-01-01T00:00:00Z',
      deprecatedLastTimestamp: '2025-01-01T00:00:00Z',
      deprecatedCount: 1,
      type: 'Normal',
      reportingController: 'my-controller',
      reportingInstance: '',
    })
    assert.equal(metadata.uid, created.metadata.uid)
    assert.equal(metadata.resourceVersion, created.metadata.resourceVersion)
    const [owner] = metadata.managedFields
    assert.equal(owner.apiVersion, 'events.k8s.io/v1')
    assert.ok('f:note' in owner.fieldsV1 && !('f:message' in owner.fieldsV1))
  })

  test('one that was written through events.k8s.io/v1 is read through v1, and comes in lists and tables of both', async () => {
    const created = await ok('POST', VIEW, newEvent('b.1', { series: { count: 2, lastObservedTime: '2025-01-01T00:00:05.000000Z' } }))
    assert.equal(created.apiVersion, 'events.k8s.io/v1')
    const core = await ok('GET', `${CORE}/b.1`)
    assert.deepEqual([core.apiVersion, core.message, core.involvedObject], ['v1', 'It runs', about])
    assert.deepEqual(
      [core.reportingComponent, core.eventTime, core.series.count],
      ['example.com/controller', '2025-01-01T00:00:00.123456Z', 2],
    )
    assert.ok('f:message' in core.metadata.managedFields[0].fieldsV1)
    const list = await ok('GET', '/apis/events.k8s.io/v1/events')
    assert.deepEqual([list.kind, list.apiVersion, names(list)], ['EventList', 'events.k8s.io/v1', ['a.1', 'b.1']])
    assert.deepEqual(names(await ok('GET', CORE)), ['a.1', 'b.1'])
    const accept = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }
    const tables = await Promise.all([CORE, VIEW].map(async (path) => (await server.raw('GET', path, { headers: accept })).json))
    assert.deepEqual(
      tables[0].rows.map((row: { cells: unknown }) => row.cells),
      tables[1].rows.map((row: { cells: unknown }) => row.cells),
    )
    assert.notEqual(tables[0].rows[1].cells[0], null, 'an Event of the newer form has a time')
  })

  test('a recorder of v1 counts by a strategic merge patch, and makes the Event again when it is gone', async () => {
    await ok('POST', CORE, coreEvent('count.1'))
    const patch = { count: 2, lastTimestamp: '2025-01-01T00:01:00Z', message: '(combined from similar events): It runs' }
    const counted = await ok('PATCH', `${CORE}/count.1`, patch, STRATEGIC)
    assert.deepEqual([counted.count, counted.firstTimestamp], [2, '2025-01-01T00:00:00Z'])
    assert.equal((await ok('GET', `${VIEW}/count.1`)).deprecatedCount, 2)
    await ok('DELETE', `${VIEW}/count.1`)
    const gone = await server.send('PATCH', `${CORE}/count.1`, patch, STRATEGIC)
    assert.deepEqual([gone.status, gone.json.reason], [404, 'NotFound'])
  })

  test('a recorder of events.k8s.io/v1 in protobuf makes an Event, and then patches its series', async () => {
    const message = {
      1: { 1: 'series.1', 3: 'default', 8: {} },
      2: { 1: 1_735_689_600, 2: 123_456_789 },
      4: 'example.com/controller',
      5: 'controller-host-1',
      6: 'Starting',
      7: 'Started',
      8: { 1: 'Process', 2: 'default', 3: 'web' },
      10: 'It runs',
      11: 'Normal',
      12: { 1: '', 2: '' },
      13: {},
      14: {},
      15: 0,
    }
    const created = await server.raw('POST', VIEW, { headers: PROTOBUF, body: kubernetesBody('events.k8s.io/v1', 'Event', message) })
    assert.equal(created.status, 201, created.text)
    assert.equal(created.json.eventTime, '2025-01-01T00:00:00.123456Z')
    const series = { count: 2, lastObservedTime: '2025-01-01T00:00:09.000000Z' }
    const patched = await ok('PATCH', `${VIEW}/series.1`, { series }, STRATEGIC)
    assert.deepEqual([patched.series, patched.note], [series, 'It runs'])
    const put = await ok('PUT', `${VIEW}/series.1`, { ...patched, series: { ...series, count: 3 } })
    assert.equal(put.series.count, 3)
    assert.equal((await ok('GET', `${CORE}/series.1`)).series.count, 3)
  })

  test('server-side apply through one group owns the fields of the other', async () => {
    const apply = (path: string, body: object, manager: string) =>
      server.send('PATCH', `${path}/owned.1?fieldManager=${manager}`, body, 'application/apply-patch+yaml')
    const first = await apply(VIEW, newEvent('owned.1', { metadata: {}, deprecatedSource: undefined }), 'one')
    assert.equal(first.status, 201, first.text)
    const body = { apiVersion: 'v1', kind: 'Event', metadata: {}, involvedObject: about, message: 'Another sentence' }
    const conflict = await apply(CORE, body, 'two')
    assert.deepEqual([conflict.status, conflict.json.details?.causes?.map(({ field }: { field: string }) => field)], [409, ['.message']])
    const again = await apply(VIEW, newEvent('owned.1', { metadata: {}, deprecatedSource: undefined }), 'one')
    assert.equal(again.json.metadata.resourceVersion, first.json.metadata.resourceVersion, 'what is applied again changes nothing')
  })

  test('a watch of either group tells of what is written through the other, with its own names', async () => {
    const { metadata } = await ok('GET', VIEW)
    const watch = (path: string) => server.raw('GET', `${path}?watch=true&timeoutSeconds=1&resourceVersion=${metadata.resourceVersion}`)
    const streams = Promise.all([watch(CORE), watch(VIEW)])
    await ok('POST', CORE, coreEvent('seen.1'))
    await ok('POST', VIEW, newEvent('seen.2'))
    await ok('DELETE', `${CORE}/seen.2`)
    const [core, view] = (await streams).map(({ text }) =>
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
        .map(({ type, object }) => [type, object.apiVersion, object.metadata.name, object.message ?? object.note]),
    )
    const told = (apiVersion: string) => [
      ['ADDED', apiVersion, 'seen.1', 'It runs'],
      ['ADDED', apiVersion, 'seen.2', 'It runs'],
      ['DELETED', apiVersion, 'seen.2', 'It runs'],
    ]
    assert.deepEqual(core, told('v1'))
    assert.deepEqual(view, told('events.k8s.io/v1'))
  })

  test('both are selected by what they tell about, each in its own words', async () => {
    await ok('POST', CORE, coreEvent('sel.1', { involvedObject: { ...about, name: 'db', fieldPath: 'spec' }, type: 'Warning' }))
    await ok('POST', VIEW, newEvent('sel.2', { regarding: { ...about, name: 'db', resourceVersion: '7' }, reason: 'Failed' }))
    const select = async (path: string, selector: string) => names(await ok('GET', `${path}?fieldSelector=${encodeURIComponent(selector)}`))
    const rows: readonly (readonly [string, string, readonly string[]])[] = [
      [
        CORE,
        'involvedObject.name=db,involvedObject.namespace=default,involvedObject.kind=Process,involvedObject.uid=u1',
        ['sel.1', 'sel.2'],
      ],
      [CORE, 'involvedObject.name=db,involvedObject.fieldPath=spec', ['sel.1']],
      [CORE, 'involvedObject.apiVersion=pmk.dev/v1,involvedObject.resourceVersion=7', ['sel.2']],
      [CORE, 'involvedObject.name=db,source=my-controller', ['sel.1']],
      [CORE, 'involvedObject.name=db,source=example.com/controller', ['sel.2']],
      [CORE, 'reportingComponent=example.com/controller,reason=Failed', ['sel.2']],
      [CORE, 'involvedObject.name=db,type!=Warning', ['sel.2']],
      [VIEW, 'regarding.name=db,regarding.namespace=default,regarding.kind=Process,regarding.uid=u1', ['sel.1', 'sel.2']],
      [VIEW, 'regarding.name=db,regarding.fieldPath=spec', ['sel.1']],
      [VIEW, 'regarding.apiVersion=pmk.dev/v1,regarding.resourceVersion=7', ['sel.2']],
      [VIEW, 'reportingController=example.com/controller,reason=Failed', ['sel.2']],
      [VIEW, 'regarding.name=db,type=Warning', ['sel.1']],
      [VIEW, 'metadata.name=sel.2,metadata.namespace=default', ['sel.2']],
    ]
    for (const [path, selector, expected] of rows) assert.deepEqual(await select(path, selector), expected, selector)
    assert.equal((await server.raw('GET', `${VIEW}?fieldSelector=involvedObject.name%3Ddb`)).status, 400)
    const removed = await ok('DELETE', `${VIEW}?fieldSelector=regarding.name%3Ddb`)
    assert.deepEqual(names(removed), ['sel.1', 'sel.2'])
    assert.deepEqual(await select(CORE, 'involvedObject.name=db'), [])
  })

  test('what comes through events.k8s.io/v1 must be whole, and only its series may change', async () => {
    const refused = async (answer: ReturnType<TestApiServer['send']>) => {
      const { status, json } = await answer
      assert.equal(status, 422, JSON.stringify(json))
      return json.details.causes.map(({ field }: { field: string }) => field).sort()
    }
    const post = (more: object) => refused(server.send('POST', VIEW, newEvent('bad.1', more)))
    assert.deepEqual(await post({ eventTime: null }), ['eventTime'])
    assert.deepEqual(await post({ eventTime: '2025-01-01T00:00:00Z' }), ['eventTime'])
    assert.deepEqual(await post({ reportingController: '', action: '', reason: undefined }), ['action', 'reason', 'reportingController'])
    assert.deepEqual(await post({ reportingInstance: 'x'.repeat(129), type: 'Odd' }), ['reportingInstance', 'type'])
    assert.deepEqual(await post({ note: 'x'.repeat(1025) }), ['note'])
    assert.deepEqual(await post({ deprecatedCount: 1, deprecatedSource: { host: 'h' } }), ['deprecatedCount', 'deprecatedSource'])
    assert.deepEqual(await post({ series: { count: 1 } }), ['series.count', 'series.lastObservedTime'])
    await ok('POST', VIEW, newEvent('node.1', { regarding: { kind: 'Node', name: 'host-1' } }))
    await ok('POST', VIEW, newEvent('fixed.1'))
    const patch = { note: 'Another', reason: 'Other', regarding: { name: 'db' } }
    assert.deepEqual(await refused(server.send('PATCH', `${VIEW}/fixed.1`, patch, STRATEGIC)), ['note', 'reason', 'regarding'])
    await ok('PATCH', `${CORE}/fixed.1`, { message: 'v1 always let one' }, STRATEGIC)
  })

  test('what comes through v1 may be of the older form, with a message of any length, about an object of its namespace', async () => {
    const long = await ok('POST', CORE, coreEvent('long.1', { message: 'x'.repeat(5000) }))
    assert.equal(long.message.length, 1024)
    assert.ok(long.message.endsWith('x...'))
    const elsewhere = await server.send('POST', CORE, coreEvent('elsewhere.1', { involvedObject: { ...about, namespace: 'other' } }))
    assert.deepEqual([elsewhere.status, elsewhere.json.details.causes[0].field], [422, 'involvedObject.namespace'])
    const mixed = await server.send('POST', CORE, coreEvent('mixed.1', { eventTime: '2025-01-01T00:00:00.000000Z' }))
    assert.deepEqual(
      [mixed.status, mixed.json.details.causes.map(({ field }: { field: string }) => field)],
      [422, ['reportingInstance', 'action']],
    )
    const wrong = await server.send('POST', CORE, newEvent('wrong.1'))
    assert.equal(wrong.status, 400)
  })

  test('discovery tells of both, with the core group first', async () => {
    const groups = (await ok('GET', '/apis')).groups.map(({ name }: { name: string }) => name)
    assert.ok(groups.includes('events.k8s.io'))
    const [resource] = (await ok('GET', '/apis/events.k8s.io/v1')).resources
    assert.deepEqual([resource.name, resource.kind, resource.verbs.length, resource.shortNames], ['events', 'Event', 8, ['ev']])
    const document = await ok('GET', (await ok('GET', '/openapi/v3')).paths['apis/events.k8s.io/v1'].serverRelativeURL)
    const { patch } = document.paths['/apis/events.k8s.io/v1/namespaces/{namespace}/events/{name}']
    assert.deepEqual(patch['x-kubernetes-group-version-kind'], { group: 'events.k8s.io', version: 'v1', kind: 'Event' })
  })
})
