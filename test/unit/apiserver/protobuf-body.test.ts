import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ApiError } from '../../../src/api/status.ts'
import { decodeDeleteOptions, decodeObject } from '../../../src/apiserver/request-body.ts'
import { recordedBodies } from '../../fixtures/kubectl-bodies.ts'
import { kubernetesBody, type ProtobufMessage, protobuf, varint } from '../../support/protobuf.ts'

const TYPE = 'application/vnd.kubernetes.protobuf'

function decode(apiVersion: string, kind: string, bytes: Uint8Array): unknown {
  return decodeObject({ contentType: TYPE, bytes }, { apiVersion, kind }).value
}

function decodeMessage(apiVersion: string, kind: string, message: ProtobufMessage): Record<string, unknown> {
  return decode(apiVersion, kind, kubernetesBody(apiVersion, kind, message)) as Record<string, unknown>
}

/** JSON as it is understood: null means that a field isn't set. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  const set = Object.entries(value).filter(([, field]) => field !== null)
  return Object.fromEntries(set.map(([key, field]) => [key, withoutNulls(field)]))
}

describe('a body in Kubernetes protobuf', () => {
  for (const { command, path, json, protobuf: base64 } of recordedBodies) {
    test(`of kubectl ${command} (${path}) is the object that an older kubectl sends as JSON`, () => {
      const twin = JSON.parse(json)
      assert.deepEqual(decode(twin.apiVersion, twin.kind, Buffer.from(base64, 'base64')), withoutNulls(twin))
    })
  }

  test('of a core Event has whole seconds, microseconds, and what JSON never leaves out', () => {
    const event = decodeMessage('v1', 'Event', {
      1: { 1: 'web.17', 3: 'default', 8: {} },
      2: { 1: 'Process', 2: 'default', 3: 'web', 4: '', 5: 'pmk.dev/v1', 6: '', 7: '' },
      3: 'Started',
      4: 'It runs',
      5: {},
      6: { 1: 1_700_000_000, 2: 999_999_999 },
      7: { 1: 1_700_000_001 },
      8: 3,
      9: 'Normal',
      10: { 1: 1_700_000_000, 2: 123_456_789 },
      11: { 1: 2, 2: { 1: 1_700_000_002 } },
      12: '',
      14: '',
      15: 'host-1',
    })
    assert.deepEqual(event, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'web.17', namespace: 'default' },
      involvedObject: { kind: 'Process', namespace: 'default', name: 'web', apiVersion: 'pmk.dev/v1' },
      reason: 'Started',
      message: 'It runs',
      source: {},
      firstTimestamp: '2023-11-14T22:13:20Z',
      lastTimestamp: '2023-11-14T22:13:21Z',
      count: 3,
      type: 'Normal',
      eventTime: '2023-11-14T22:13:20.123456Z',
      series: { count: 2, lastObservedTime: '2023-11-14T22:13:22.000000Z' },
      reportingComponent: '',
      reportingInstance: 'host-1',
    })
  })

  test('of an Event of events.k8s.io has the names of that group', () => {
    const event = decodeMessage('events.k8s.io/v1', 'Event', {
      1: { 1: 'web.17' },
      2: { 1: 1, 2: 1000 },
      3: { 1: 0, 2: {} },
      4: 'pmk.dev/agent',
      5: 'agent-1',
      6: 'Starting',
      7: 'Started',
      8: { 1: 'Process', 3: 'web' },
      9: { 1: 'Node', 3: 'n' },
      10: 'It runs',
      11: 'Normal',
      12: { 1: 'agent', 2: 'host' },
      13: { 1: 5 },
      14: { 1: -1 },
      15: 7,
    })
    assert.deepEqual(event, {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'web.17' },
      eventTime: '1970-01-01T00:00:01.000001Z',
      series: { count: 0 },
      reportingController: 'pmk.dev/agent',
      reportingInstance: 'agent-1',
      action: 'Starting',
      reason: 'Started',
      regarding: { kind: 'Process', name: 'web' },
      related: { kind: 'Node', name: 'n' },
      note: 'It runs',
      type: 'Normal',
      deprecatedSource: { component: 'agent', host: 'host' },
      deprecatedFirstTimestamp: '1970-01-01T00:00:05Z',
      deprecatedLastTimestamp: '1969-12-31T23:59:59Z',
      deprecatedCount: 7,
    })
  })

  test('of a Lease keeps what is set though it is empty: who gave the lease up has no name', () => {
    const lease = decodeMessage('coordination.k8s.io/v1', 'Lease', {
      1: { 1: 'leader', 6: '42' },
      2: { 1: '', 2: 15, 3: { 1: 1_700_000_000, 2: 1_000 }, 4: {}, 5: 0 },
    })
    assert.deepEqual(lease.spec, {
      holderIdentity: '',
      leaseDurationSeconds: 15,
      acquireTime: '2023-11-14T22:13:20.000001Z',
      leaseTransitions: 0,
    })
  })

  test('of metadata has owners, finalizers, numbers and the owners of fields', () => {
    const { metadata } = decodeMessage('v1', 'ConfigMap', {
      1: {
        1: 'c',
        7: 9_007_199_254_740_991n,
        9: { 1: 1 },
        10: 0,
        11: [{ 1: 'app', 2: 'web' }, { 1: '__proto__' }],
        13: { 1: 'Process', 3: 'web', 4: 'u', 5: 'pmk.dev/v1', 6: false },
        14: ['a', 'b'],
        17: { 1: 'me', 2: 'Update', 3: 'v1', 4: { 1: 1 }, 6: 'FieldsV1', 7: { 1: '{"f:data":{}}' }, 8: '' },
      },
    })
    assert.deepEqual(metadata, {
      name: 'c',
      generation: 9_007_199_254_740_991,
      deletionTimestamp: '1970-01-01T00:00:01Z',
      deletionGracePeriodSeconds: 0,
      labels: JSON.parse('{"app":"web","__proto__":""}'),
      ownerReferences: [{ kind: 'Process', name: 'web', uid: 'u', apiVersion: 'pmk.dev/v1', controller: false }],
      finalizers: ['a', 'b'],
      managedFields: [
        {
          manager: 'me',
          operation: 'Update',
          apiVersion: 'v1',
          time: '1970-01-01T00:00:01Z',
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:data': {} },
        },
      ],
    })
  })

  test('of a SubjectAccessReview has a list of texts for each key of extra', () => {
    const { spec } = decodeMessage('authorization.k8s.io/v1', 'SubjectAccessReview', {
      1: {},
      2: {
        1: { 2: 'get', 5: 'secrets', 8: { 1: 'metadata.name=a' }, 9: { 2: { 1: 'app', 2: 'In', 3: ['x', 'y'] } } },
        3: 'ann',
        4: ['a', ''],
        5: [{ 1: 'scopes', 2: { 1: ['one', 'two'] } }, { 1: 'none' }],
      },
    })
    assert.deepEqual(spec, {
      resourceAttributes: {
        verb: 'get',
        resource: 'secrets',
        fieldSelector: { rawSelector: 'metadata.name=a' },
        labelSelector: { requirements: [{ key: 'app', operator: 'In', values: ['x', 'y'] }] },
      },
      user: 'ann',
      groups: ['a', ''],
      extra: { scopes: ['one', 'two'], none: [] },
    })
  })

  test('holds DeleteOptions, whatever is deleted and whatever group they name', () => {
    const message = { 1: 0, 2: { 1: 'u', 2: '7' }, 3: false, 4: 'Foreground', 5: ['All'] }
    const bytes = kubernetesBody('coordination.k8s.io/v1', 'DeleteOptions', message)
    assert.deepEqual(decodeDeleteOptions({ contentType: TYPE, bytes })?.value, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'DeleteOptions',
      gracePeriodSeconds: 0,
      preconditions: { uid: 'u', resourceVersion: '7' },
      orphanDependents: false,
      propagationPolicy: 'Foreground',
      dryRun: ['All'],
    })
  })

  test('may have fields that nobody knows, of every wire type, and fields in any order and more than once', () => {
    const unknown = Buffer.concat([
      protobuf({ 900: -1, 901: 'text' }),
      Buffer.concat([varint(902 * 8 + 1), Buffer.alloc(8)]),
      Buffer.concat([varint(903 * 8 + 5), Buffer.alloc(4)]),
      Buffer.concat([varint(904 * 8 + 3), varint(905 * 8 + 3), protobuf({ 1: 1 }), varint(905 * 8 + 4), varint(904 * 8 + 4)]),
    ])
    const raw = Buffer.concat([
      protobuf({
        2: [
          { 1: 'a', 2: '1' },
          { 1: 'a', 2: '2' },
        ],
      }),
      unknown,
      protobuf({
        1: [
          { 1: 'first', 3: 'here' },
          { 1: 'second', 99: 'new' },
        ],
      }),
    ])
    assert.deepEqual(decode('v1', 'ConfigMap', kubernetesBody('v1', 'ConfigMap', raw)), {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'second', namespace: 'here' },
      data: { a: '2' },
    })
  })

  test('cut off anywhere is refused, or is what a shorter one would be; never anything else', () => {
    const whole = kubernetesBody('v1', 'Event', { 1: { 1: 'n', 11: { 1: 'a', 2: 'b' } }, 6: { 1: 1, 2: 1 }, 8: 300 })
    for (let length = 0; length < whole.length; length++) {
      try {
        const value = decode('v1', 'Event', whole.subarray(0, length))
        assert.equal((value as { kind?: unknown }).kind, 'Event')
      } catch (err) {
        assert.ok(err instanceof ApiError && err.status.reason === 'BadRequest', `${length} bytes: ${err}`)
      }
    }
  })

  const raw = (bytes: readonly number[]): Uint8Array => kubernetesBody('v1', 'ConfigMap', Buffer.from(bytes))
  const hostile: readonly (readonly [string, Uint8Array])[] = [
    ['something else', Buffer.from('{"kind":"ConfigMap"}')],
    ['only the first bytes of the magic number', Buffer.from('k8s')],
    ['a number of more than 64 bits', raw([0x08, ...Array.from({ length: 10 }, () => 0xff), 1])],
    ['a field with the number 0', raw([0x02, 0x00])],
    ['a field whose number is too large', raw([0xfa, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00])],
    ['a length that is longer than what there is', raw([0x0a, 0x7f, 0x00])],
    ['a length of nearly 2^64', raw([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])],
    ['a wire type that does not exist', raw([0x0e])],
    ['a group that ends without having begun', raw([0xfc, 0x3e])],
    ['groups in groups that never end', raw(Array.from({ length: 100_000 }, (_, i) => (i % 2 === 0 ? 0xfb : 0x3e)))],
    ['a number where a message is expected', raw([0x08, 0x01])],
    ['a message where a number is expected', raw([0x22, 0x00])],
    ['text that is not UTF-8', raw([0x0a, 0x03, 0x0a, 0x01, 0xff])],
    ['a time beyond the year 9999', kubernetesBody('v1', 'ConfigMap', { 1: { 8: { 1: 2n ** 62n } } })],
    ['a time with more nanoseconds than a second has', kubernetesBody('v1', 'ConfigMap', { 1: { 8: { 1: 1, 2: 1_000_000_000 } } })],
    ['fieldsV1 that are no JSON', kubernetesBody('v1', 'ConfigMap', { 1: { 17: { 7: { 1: '{' } } } })],
    ['fieldsV1 that are nested deeply', kubernetesBody('v1', 'ConfigMap', { 1: { 17: { 7: { 1: '['.repeat(100_000) } } } })],
    ['another kind', kubernetesBody('v1', 'Secret', {})],
    ['another version', kubernetesBody('v2', 'ConfigMap', {})],
    ['an encoding of its own', Buffer.concat([Buffer.from('k8s\0'), protobuf({ 3: 'gzip' })])],
  ]
  for (const [what, bytes] of hostile) {
    test(`that is or has ${what} is a BadRequest`, () => {
      assert.throws(
        () => decode('v1', 'ConfigMap', bytes),
        (err) => err instanceof ApiError && err.status.reason === 'BadRequest',
      )
    })
  }

  test('with more values than an object may have is too large, however small they are', () => {
    const many = (count: number): Uint8Array =>
      Buffer.concat([Buffer.from('k8s\0'), protobuf({ 2: Buffer.alloc(2 * count, Buffer.from([0x12, 0x00])) })])
    assert.throws(
      () => decode('v1', 'ConfigMap', many(1_000_000)),
      (err) => err instanceof ApiError && err.status.reason === 'RequestEntityTooLarge',
    )
    const numbers = `[${'1,'.repeat(60_000)}1]`
    assert.throws(
      () => decodeMessage('v1', 'ConfigMap', { 1: { 17: [{ 7: { 1: numbers } }] } }),
      (err) => err instanceof ApiError && err.status.reason === 'RequestEntityTooLarge',
    )
  })

  test('is an unsupported media type for our own kinds, and for what is empty a BadRequest', () => {
    const bytes = kubernetesBody('pmk.dev/v1', 'Process', {})
    assert.throws(
      () => decode('pmk.dev/v1', 'Process', bytes),
      (err) => err instanceof ApiError && err.status.code === 415 && !err.message.includes('protobuf'),
    )
    assert.throws(
      () => decode('v1', 'Secret', new Uint8Array()),
      (err) => err instanceof ApiError && err.status.code === 400,
    )
  })
})
