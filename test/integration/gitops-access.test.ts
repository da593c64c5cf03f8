import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { UserInfo } from '../../src/registry/registry.ts'
import { type Answer, TestApiServer } from '../support/api-server.ts'

const RBAC = 'rbac.authorization.k8s.io'
const SOURCES = '/apis/pmk.dev/v1/namespaces/default/manifestsources'

/** Whoever a header of tests says: a stand-in for certificates and tokens. */
const users: Readonly<Record<string, UserInfo>> = {
  root: { name: 'root', groups: ['system:masters'] },
  boss: { name: 'boss', groups: [] },
  /** May do everything with sources, and everything that `admin` may. */
  keeper: { name: 'keeper', groups: [] },
  editor: { name: 'editor', groups: [] },
}

describe('a ManifestSource acts with the rights of the server, so', () => {
  let server: TestApiServer
  before(async () => {
    server = await TestApiServer.start({
      authenticate: ({ headers }) => users[String(headers['x-test-user'] ?? 'root')] ?? { name: 'nobody', groups: [] },
    })
    const post = async (resource: string, body: object): Promise<void> => {
      const answer = await as('root', 'POST', `/apis/${RBAC}/v1/${resource}`, { apiVersion: `${RBAC}/v1`, ...body })
      assert.equal(answer.status, 201, answer.text)
    }
    const rules = [{ apiGroups: ['pmk.dev'], resources: ['manifestsources', 'manifestsources/status'], verbs: ['*'] }]
    await post('clusterroles', { kind: 'ClusterRole', metadata: { name: 'sources' }, rules })
    for (const [user, role] of [
      ['boss', 'cluster-admin'],
      ['keeper', 'admin'],
      ['keeper', 'sources'],
      ['editor', 'edit'],
    ] as const)
      await post('clusterrolebindings', {
        kind: 'ClusterRoleBinding',
        metadata: { name: `${user}-${role}` },
        roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: role },
        subjects: [{ apiGroup: RBAC, kind: 'User', name: user }],
      })
    assert.equal((await as('boss', 'POST', SOURCES, source('web'))).status, 201)
    // What the controller would write.
    const status = { conditions: [], inventory: ['configmaps/default/a'] }
    assert.equal((await as('boss', 'PATCH', `${SOURCES}/web/status`, { status })).status, 200)
  })
  after(() => server.stop())

  function source(name: string, spec: object = { path: '/srv' }): object {
    return { apiVersion: 'pmk.dev/v1', kind: 'ManifestSource', metadata: { name, namespace: 'default' }, spec }
  }

  function as(user: string, method: string, path: string, body?: unknown, type?: string): Promise<Answer> {
    const usual = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    return server.raw(method, path, {
      headers: { 'x-test-user': user, ...(body === undefined ? {} : { 'content-type': type ?? usual }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  }

  const stored = async (): Promise<{ readonly metadata: object; readonly [field: string]: unknown }> =>
    (await as('root', 'GET', `${SOURCES}/web`)).json
  const APPLY = 'application/apply-patch+yaml'
  const replaced = async (): Promise<object> => ({ ...(await stored()), spec: { path: '/etc' } })
  const withoutFinalizer = async (): Promise<object> => ({
    ...(await stored()),
    metadata: { ...(await stored()).metadata, finalizers: [] },
  })

  const WRITES: readonly (readonly [string, string, string, (() => unknown) | undefined, string?])[] = [
    ['created', 'POST', SOURCES, () => source('mine')],
    ['created by an apply', 'PATCH', `${SOURCES}/mine?fieldManager=x`, () => source('mine'), APPLY],
    ['replaced', 'PUT', `${SOURCES}/web`, replaced],
    ['patched', 'PATCH', `${SOURCES}/web`, () => ({ spec: { path: '/etc' } })],
    [
      'patched by JSON patch',
      'PATCH',
      `${SOURCES}/web`,
      () => [{ op: 'replace', path: '/spec/path', value: '/etc' }],
      'application/json-patch+json',
    ],
    ['applied', 'PATCH', `${SOURCES}/web?fieldManager=x&force=true`, () => source('web', { path: '/etc' }), APPLY],
    ['annotated', 'PATCH', `${SOURCES}/web`, () => ({ metadata: { annotations: { 'pmk.dev/confirm-prune': 'x' } } })],
    ['rid of its finalizer', 'PUT', `${SOURCES}/web`, withoutFinalizer],
    ['given another inventory', 'PATCH', `${SOURCES}/web/status`, () => ({ status: { inventory: ['configmaps/default/theirs'] } })],
    ['deleted', 'DELETE', `${SOURCES}/web`, undefined],
    ['deleted with others', 'DELETE', SOURCES, undefined],
  ]
  for (const user of ['keeper', 'editor'])
    for (const [what, method, path, body, type] of WRITES)
      test(`it is not ${what} by ${user}, who is no cluster-admin`, async () => {
        const before = await stored()
        const answer = await as(user, method, path, await body?.(), type)
        // A finalizer that is left out stays, which is no change and needs no right of its own.
        const isKept = what === 'rid of its finalizer' && user === 'keeper'
        if (!isKept || answer.status !== 200) assert.equal(answer.status, 403, answer.text)
        if (user === 'keeper' && answer.status === 403)
          assert.match(answer.json.message, /acts with the rights of the server: that takes cluster-admin/)
        assert.deepEqual(await stored(), before)
        assert.equal((await as('root', 'GET', `${SOURCES}/mine`)).status, 404)
      })

  test('it is written by cluster-admin', async () => {
    assert.equal((await as('boss', 'PATCH', `${SOURCES}/web`, { spec: { path: '/etc' } })).status, 200)
    assert.equal((await as('boss', 'DELETE', `${SOURCES}/web`)).status, 200)
    const { metadata } = (await stored()) as {
      readonly metadata: { readonly deletionTimestamp?: string; readonly finalizers?: readonly string[] }
    }
    assert.deepEqual(
      [metadata.deletionTimestamp !== undefined, metadata.finalizers],
      [true, ['pmk.dev/source']],
      'it goes when its work is done',
    )
    for (const user of ['keeper', 'editor'])
      assert.equal((await as(user, 'PATCH', `${SOURCES}/web`, { metadata: { finalizers: null } })).status, 403, 'nobody else ends it')
  })
})
