import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { PROCESSES, processNamed, TestApiServer } from '../support/api-server.ts'

const STRATEGIC = 'application/strategic-merge-patch+json'

describe('an API server that is sent strategic merge patches', () => {
  let server: TestApiServer
  before(async () => {
    server = await TestApiServer.start()
  })
  after(() => server.stop())

  async function patched(path: string, patch: unknown) {
    const answer = await server.send('PATCH', path, patch, STRATEGIC)
    assert.equal(answer.status, 200, answer.text)
    return answer.json
  }

  test('merges the lists of a Process by their keys, and replaces those that have none', async () => {
    const env = [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ]
    await server.send('POST', PROCESSES, processNamed('web', { spec: { command: ['sleep', '1'], env } }))
    const merged = await patched(`${PROCESSES}/web`, {
      spec: {
        command: ['true'],
        env: [
          { name: 'B', value: '3' },
          { name: 'C', value: '4' },
          { name: 'A', $patch: 'delete' },
        ],
      },
    })
    assert.deepEqual(merged.spec.command, ['true'])
    assert.deepEqual(merged.spec.env, [
      { name: 'B', value: '3' },
      { name: 'C', value: '4' },
    ])
    assert.equal(merged.metadata.generation, 2)
    const replaced = await patched(`${PROCESSES}/web`, { spec: { env: [{ $patch: 'replace' }, { name: 'D', value: '5' }] } })
    assert.deepEqual(replaced.spec.env, [{ name: 'D', value: '5' }])
  })

  test('refuses what they make of a Process as any other patch would be', async () => {
    await server.send('POST', PROCESSES, processNamed('refused'))
    const send = async (patch: unknown, query = '') => {
      const { status, json } = await server.send('PATCH', `${PROCESSES}/refused${query}`, patch, STRATEGIC)
      return [status, json.reason]
    }
    assert.deepEqual(await send({ spec: { replicas: -1 } }), [422, 'Invalid'])
    assert.deepEqual(await send({ spec: { bogus: 1 } }, '?fieldValidation=Strict'), [422, 'Invalid'])
    assert.deepEqual(await send({ spec: { $patch: 'nonsense' } }), [400, 'BadRequest'])
    assert.deepEqual(await send({ metadata: { resourceVersion: '1' } }), [409, 'Conflict'])
    assert.deepEqual(await send({ spec: { env: [{ value: 'without a name' }] } }), [400, 'BadRequest'])
  })

  test('writes the status of a Process by the types of its conditions', async () => {
    await server.send('POST', PROCESSES, processNamed('status'))
    const condition = (type: string, status: string) => ({
      type,
      status,
      reason: 'Test',
      message: '',
      lastTransitionTime: '2025-01-01T00:00:00Z',
    })
    await patched(`${PROCESSES}/status/status`, { status: { conditions: [condition('One', 'True'), condition('Two', 'True')] } })
    const { status } = await patched(`${PROCESSES}/status/status`, { status: { conditions: [{ type: 'Two', status: 'False' }] } })
    assert.deepEqual(
      status.conditions.map(({ type, status: value }: { type: string; status: string }) => [type, value]),
      [
        ['One', 'True'],
        ['Two', 'False'],
      ],
    )
  })

  test('of a Namespace, ConfigMap and Secret merges maps, finalizers as a set, and owners by uid', async () => {
    const at = '/api/v1/namespaces/default/configmaps'
    const owner = (uid: string, name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', name, uid })
    const metadata = { name: 'c', labels: { a: '1' }, finalizers: ['x.dev/one'], ownerReferences: [owner('u1', 'one')] }
    await server.send('POST', at, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: '1', b: '2' } })
    const merged = await patched(`${at}/c`, {
      metadata: {
        labels: { b: '2' },
        '$setElementOrder/finalizers': ['x.dev/two', 'x.dev/one'],
        finalizers: ['x.dev/two'],
        ownerReferences: [owner('u1', 'renamed'), owner('u2', 'two')],
      },
      data: { a: null, c: '3' },
    })
    assert.deepEqual(merged.data, { b: '2', c: '3' })
    assert.deepEqual(merged.metadata.labels, { a: '1', b: '2' })
    assert.deepEqual([...merged.metadata.finalizers].sort(), ['x.dev/one', 'x.dev/two'])
    assert.deepEqual(
      merged.metadata.ownerReferences.map(({ uid, name }: { uid: string; name: string }) => [uid, name]),
      [
        ['u1', 'renamed'],
        ['u2', 'two'],
      ],
    )
    const less = await patched(`${at}/c`, {
      metadata: {
        '$deleteFromPrimitiveList/finalizers': ['x.dev/one', 'x.dev/two'],
        ownerReferences: [{ uid: 'u1', $patch: 'delete' }],
        $retainKeys: ['finalizers', 'ownerReferences', 'name', 'uid', 'resourceVersion', 'namespace', 'generation', 'creationTimestamp'],
      },
      data: { $patch: 'replace', only: 'this' },
    })
    assert.deepEqual(less.data, { only: 'this' })
    assert.deepEqual([less.metadata.labels, less.metadata.finalizers?.length ?? 0, less.metadata.ownerReferences.length], [undefined, 0, 1])

    await server.send('POST', '/api/v1/namespaces/default/secrets', {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      stringData: { a: '1' },
    })
    const secret = await patched('/api/v1/namespaces/default/secrets/s', { stringData: { b: '2' }, data: { a: null } })
    assert.deepEqual([secret.data, secret.stringData, secret.type], [{ b: 'Mg==' }, undefined, 'Opaque'])
    const namespace = await patched('/api/v1/namespaces/default', { metadata: { labels: { team: 'a' } }, spec: { finalizers: null } })
    assert.deepEqual([namespace.metadata.labels.team, namespace.spec.finalizers], ['a', ['kubernetes']])
  })
})

describe('Leases, as leader election uses them', () => {
  const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases'
  let server: TestApiServer
  before(async () => {
    server = await TestApiServer.start()
  })
  after(() => server.stop())

  const lease = (spec: object, metadata: object = {}) => ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'leader', ...metadata },
    spec,
  })
  const held = (holderIdentity: string, renewTime = '2025-01-01T00:00:00.000001Z') => ({
    holderIdentity,
    leaseDurationSeconds: 15,
    acquireTime: '2025-01-01T00:00:00.000000Z',
    renewTime,
    leaseTransitions: 0,
  })

  test('of two who take it with the version that they saw, one gets it', async () => {
    assert.equal((await server.raw('GET', `${LEASES}/leader`)).status, 404)
    const first = await server.send('POST', LEASES, lease(held('a')))
    assert.equal(first.status, 201, first.text)
    assert.equal((await server.send('POST', LEASES, lease(held('b')))).status, 409)
    const { resourceVersion } = first.json.metadata
    const renewed = await server.send('PUT', `${LEASES}/leader`, lease(held('a', '2025-01-01T00:00:02.500000Z'), { resourceVersion }))
    assert.deepEqual([renewed.status, renewed.json.spec.renewTime], [200, '2025-01-01T00:00:02.500000Z'])
    const late = await server.send('PUT', `${LEASES}/leader`, lease(held('b'), { resourceVersion }))
    assert.deepEqual([late.status, late.json.reason], [409, 'Conflict'])
    const blind = await server.send('PUT', `${LEASES}/leader`, lease(held('b')))
    assert.equal(blind.status, 422, 'without a version it would be no lock')
    const released = lease({ ...held(''), leaseDurationSeconds: 1 }, { resourceVersion: renewed.json.metadata.resourceVersion })
    assert.equal((await server.send('PUT', `${LEASES}/leader`, released)).json.spec.holderIdentity, '')
  })

  test('has times with microseconds, which clients in Go insist on, and numbers that make sense', async () => {
    for (const [spec, field] of [
      [{ renewTime: '2025-01-01T00:00:00Z' }, 'spec.renewTime'],
      [{ renewTime: '2025-01-01T00:00:00.000Z' }, 'spec.renewTime'],
      [{ acquireTime: '2025-02-30T00:00:00.000000Z' }, 'spec.acquireTime'],
      [{ leaseDurationSeconds: 0 }, 'spec.leaseDurationSeconds'],
      [{ leaseTransitions: -1 }, 'spec.leaseTransitions'],
      [{ preferredHolder: 'b' }, 'spec.preferredHolder'],
      [{ strategy: 'Mine' }, 'spec.strategy'],
    ] as const) {
      const { status, json } = await server.send('POST', LEASES, lease(spec, { name: 'bad' }))
      assert.deepEqual([status, json.details?.causes?.[0]?.field], [422, field])
    }
    const accepted = lease(
      { strategy: 'example.com/mine', preferredHolder: 'b', renewTime: '2025-01-01T01:00:00.000000+01:00' },
      { name: 'good' },
    )
    assert.equal((await server.send('POST', LEASES, accepted)).status, 201)
  })

  test('shows its holder', async () => {
    await server.send('POST', LEASES, lease(held('me'), { name: 'shown' }))
    const { json } = await server.raw('GET', `${LEASES}/shown`, {
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    })
    assert.deepEqual(
      json.columnDefinitions.map(({ name }: { name: string }) => name),
      ['Name', 'Holder', 'Age'],
    )
    assert.deepEqual(json.rows[0].cells.slice(0, 2), ['shown', 'me'])
  })
})
