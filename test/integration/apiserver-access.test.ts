import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { parseYaml } from '../../src/base/yaml.ts'
import type { UserInfo } from '../../src/registry/registry.ts'
import { type Answer, PROCESSES, processNamed, TestApiServer } from '../support/api-server.ts'
import { eventually } from '../support/eventually.ts'

const RBAC = '/apis/rbac.authorization.k8s.io/v1'
const REVIEWS = '/apis/authorization.k8s.io/v1'
const RBAC_GROUP = 'rbac.authorization.k8s.io'

/** Whoever a header of tests says: a stand-in for certificates and tokens. */
const users: Readonly<Record<string, UserInfo>> = {
  root: { name: 'root', groups: ['system:masters'] },
  nobody: { name: 'nobody', groups: [] },
  viewer: { name: 'viewer', groups: ['readers'] },
  editor: { name: 'editor', groups: [] },
  admin: { name: 'admin', groups: [] },
  boss: { name: 'boss', groups: [] },
}

let server: TestApiServer

before(async () => {
  server = await TestApiServer.start({
    authenticate: ({ headers }) => users[String(headers['x-test-user'] ?? 'root')] ?? { name: 'nobody', groups: [] },
    preview: async () => ({
      kind: 'SourcePreview',
      apiVersion: 'pmk.dev/v1',
      changes: [],
      pruned: [],
      restarts: [],
      problems: [],
      partial: false,
      notes: [],
    }),
  })
  const bind = async (name: string, role: string, subject: object): Promise<void> => {
    const body = { ...head('ClusterRoleBinding', name), roleRef: { kind: 'ClusterRole', name: role }, subjects: [subject] }
    assert.equal((await as('root', 'POST', `${RBAC}/clusterrolebindings`, body)).status, 201)
  }
  await bind('readers', 'view', { kind: 'Group', name: 'readers' })
  await bind('editors', 'edit', { kind: 'User', name: 'editor' })
  await bind('admins', 'admin', { kind: 'User', name: 'admin' })
  await bind('bosses', 'cluster-admin', { kind: 'User', name: 'boss' })
})

after(() => server.stop())

function head(kind: string, name: string): object {
  return { apiVersion: `${RBAC_GROUP}/v1`, kind, metadata: { name } }
}

function as(user: string, method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  return server.raw(method, path, {
    headers: { 'x-test-user': user, ...(body === undefined ? {} : { 'content-type': type }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

function running(name: string, runAsUser: string | number | undefined, extra: object = {}): object {
  const securityContext = runAsUser === undefined ? {} : { securityContext: { runAsUser, ...extra } }
  return processNamed(name, { spec: { command: ['true'], ...securityContext } })
}

/** Every path and method that the server knows, from what it tells of itself. */
async function everything(): Promise<readonly { readonly path: string; readonly method: string; readonly isResource: boolean }[]> {
  const found: { path: string; method: string; isResource: boolean }[] = []
  const { paths } = (await as('root', 'GET', '/')).json as { paths: string[] }
  for (const path of paths) {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) found.push({ path, method, isResource: false })
    const list = /^\/(api|apis\/[^/]+)\/v[^/]+$/.test(path) ? (await as('root', 'GET', path)).json : undefined
    for (const { name, namespaced } of list?.resources ?? []) {
      const [resource, ...sub] = String(name).split('/')
      for (const base of namespaced ? [`${path}/namespaces/default`, path] : [path]) {
        for (const end of sub.length > 0 ? [`/x/${sub.join('/')}`] : ['', '/x']) {
          for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
            found.push({ path: `${base}/${resource}${end}`, method, isResource: true })
          }
        }
      }
    }
  }
  return found
}

describe('every route', () => {
  const OPEN = /^\/(api|apis|openapi|version|healthz|livez|readyz|pmk\/v1\/tls)(\/.+)?$/

  test('is closed to a user without rights, but for discovery, health and questions about oneself', async () => {
    const routes = await everything()
    assert.ok(routes.length > 300, `only ${routes.length} routes`)
    for (const { path, method, isResource } of routes) {
      const { status } = await as('nobody', method, path, method === 'GET' ? undefined : {})
      const isOpen = (method === 'GET' && OPEN.test(path) && !isResource) || /\/selfsubject[a-z]+$/.test(path)
      if (!isOpen) assert.ok([403, 404, 405].includes(status), `${method} ${path}: ${status}`)
    }
  })

  test('lets a user with view change nothing', async () => {
    const before = server.store.revision()
    for (const { path, method } of await everything()) {
      if (method === 'GET' || /reviews$/.test(path)) continue
      const { status } = await as('viewer', method, path, {})
      assert.ok([403, 404, 405].includes(status), `${method} ${path}: ${status}`)
    }
    assert.equal(server.store.revision(), before)
  })

  test('lets a user with view change nothing by other ways either', async () => {
    const before = server.store.revision()
    const refused = async (method: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<void> => {
      const { status } = await as('viewer', method, path, processNamed('sneaked'), headers)
      assert.equal(status, 403, `${method} ${path} ${JSON.stringify(headers)}`)
    }
    const apply = { 'content-type': 'application/apply-patch+yaml' }
    await refused('PATCH', `${PROCESSES}/sneaked?fieldManager=me`, apply)
    await refused('PATCH', `${PROCESSES}/sneaked?fieldManager=me&force=true&dryRun=All`, apply)
    for (const subresource of ['status', 'scale']) await refused('PATCH', `${PROCESSES}/sneaked/${subresource}?fieldManager=me`, apply)
    await refused('POST', `${PROCESSES}?dryRun=All`)
    await refused('DELETE', `${PROCESSES}?fieldSelector=metadata.name%3Dsneaked`)
    for (const user of ['root', 'editor', 'viewer', 'system:serviceaccount:default:x']) {
      await refused('POST', PROCESSES, { 'impersonate-user': user })
      await refused('POST', PROCESSES, { 'impersonate-user': user, 'impersonate-group': 'system:masters' })
    }
    // What is no right of theirs tells nothing of what is there.
    const there = await as('viewer', 'GET', '/api/v1/namespaces/default/secrets/there')
    await as('root', 'POST', '/api/v1/namespaces/default/secrets', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'there' } })
    assert.deepEqual((await as('viewer', 'GET', '/api/v1/namespaces/default/secrets/there')).json, there.json)
    assert.equal((await as('root', 'DELETE', '/api/v1/namespaces/default/secrets/there')).status, 200)
    assert.equal(server.store.revision(), before + 2)
  })

  test('view reads Processes and no Secrets', async () => {
    assert.equal((await as('viewer', 'GET', PROCESSES)).status, 200)
    assert.equal((await as('viewer', 'GET', '/api/v1/secrets')).status, 403)
    assert.equal((await as('viewer', 'GET', '/api/v1/namespaces/default/secrets?watch=true')).status, 403)
    assert.equal((await as('viewer', 'GET', `${RBAC}/clusterroles`)).status, 403)
    assert.equal((await as('editor', 'GET', '/api/v1/secrets')).status, 200)
  })

  test('what a source would change, of any namespace, is shown to nobody but who has all rights', async () => {
    const sources = '/apis/pmk.dev/v1/namespaces/default/manifestsources'
    const source = { apiVersion: 'pmk.dev/v1', kind: 'ManifestSource', metadata: { name: 'host' }, spec: { path: '/srv', suspend: true } }
    assert.equal((await as('root', 'POST', sources, source)).status, 201)
    for (const user of ['nobody', 'viewer', 'editor', 'admin']) assert.equal((await as(user, 'GET', `${sources}/host/preview`)).status, 403)
    assert.equal((await as('boss', 'GET', `${sources}/host/preview`)).json.kind, 'SourcePreview')
    assert.equal((await as('boss', 'GET', `${sources}/other/preview`)).status, 404)
    assert.equal((await as('boss', 'POST', `${sources}/host/preview`, {})).status, 405)
  })

  test("refuses in Kubernetes' words", async () => {
    const { json } = await as('nobody', 'GET', PROCESSES)
    assert.deepEqual(json, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message:
        'processes.pmk.dev is forbidden: User "nobody" cannot list resource "processes" in API group "pmk.dev" in the namespace "default"',
      reason: 'Forbidden',
      code: 403,
      details: { group: 'pmk.dev', kind: 'processes' },
    })
    const item = await as('nobody', 'PUT', `${PROCESSES}/web/scale`, {})
    assert.equal(
      item.json.message,
      'processes.pmk.dev "web" is forbidden: User "nobody" cannot update resource "processes/scale" in API group "pmk.dev" in the namespace "default"',
    )
    assert.equal((await as('nobody', 'GET', '/')).json.message, 'forbidden: User "nobody" cannot get path "/"')
  })
})

describe('runas', () => {
  test('edit neither makes nor changes what runs as the server, as root or as anybody', async () => {
    for (const user of [undefined, 'root', 0, '0', 'www-data']) {
      const { status, json } = await as('editor', 'POST', PROCESSES, running('a', user))
      assert.equal(status, 403, String(user))
      assert.match(json.message, /cannot runas resource "users"/)
    }
    assert.equal((await as('boss', 'POST', PROCESSES, running('taken', 'root'))).status, 201)
    const command = { spec: { command: ['evil'] } }
    assert.equal((await as('editor', 'PATCH', `${PROCESSES}/taken`, command)).status, 403)
    assert.equal(
      (
        await as('editor', 'PATCH', `${PROCESSES}/taken`, [{ op: 'add', path: '/spec/args', value: ['x'] }], {
          'content-type': 'application/json-patch+json',
        })
      ).status,
      403,
    )
    const { json: live } = await as('editor', 'GET', `${PROCESSES}/taken`)
    assert.equal((await as('editor', 'PUT', `${PROCESSES}/taken`, { ...live, spec: { ...live.spec, command: ['evil'] } })).status, 403)
    const apply = { 'content-type': 'application/apply-patch+yaml' }
    for (const name of ['taken', 'new']) {
      const body = running(name, 'root')
      const path = `${PROCESSES}/${name}?fieldManager=m&force=true`
      assert.equal(
        (await as('editor', 'PATCH', path, { ...body, spec: { ...(body as { spec: object }).spec, command: ['evil'] } }, apply)).status,
        403,
      )
    }
    const after = await as('root', 'GET', `${PROCESSES}/taken`)
    assert.deepEqual(after.json.spec.command, ['true'])
    assert.equal((await as('root', 'GET', `${PROCESSES}/new`)).status, 404)
  })

  test('who may not choose what runs may still scale, stop, restart and delete it', async () => {
    assert.equal((await as('boss', 'POST', PROCESSES, running('operated', 'root'))).status, 201)
    assert.equal((await as('editor', 'PATCH', `${PROCESSES}/operated/scale`, { spec: { replicas: 2 } })).status, 200)
    for (const spec of [{ desiredState: 'Stopped' }, { restartedAt: '2026-01-01T00:00:00Z' }, { suspend: true }, { replicas: 3 }]) {
      assert.equal((await as('editor', 'PATCH', `${PROCESSES}/operated`, { spec })).status, 200, JSON.stringify(spec))
    }
    assert.equal((await as('editor', 'DELETE', `${PROCESSES}/operated`)).status, 200)
  })

  test('the verb on one user opens that user in that namespace, and no group, capability or view that would be more', async () => {
    const rules = [{ apiGroups: ['pmk.dev'], resources: ['users'], resourceNames: ['www-data'], verbs: ['runas'] }]
    const ns = `${RBAC}/namespaces/default`
    assert.equal((await as('boss', 'POST', `${ns}/roles`, { ...head('Role', 'web'), rules })).status, 201)
    const binding = { ...head('RoleBinding', 'web'), roleRef: { kind: 'Role', name: 'web' }, subjects: [{ kind: 'User', name: 'editor' }] }
    assert.equal((await as('boss', 'POST', `${ns}/rolebindings`, binding)).status, 201)
    const tries: readonly [object, number][] = [
      [running('b1', 'www-data'), 201],
      [running('b2', 'root'), 403],
      [running('b3', 'www-data', { runAsGroup: 'root' }), 403],
      [running('b4', 'www-data', { supplementalGroups: ['docker'] }), 403],
      [running('b5', 'www-data', { capabilities: { add: ['SYS_ADMIN'] } }), 403],
      [running('b6', 'www-data', { hiddenPaths: ['/etc'] }), 403],
      [running('b7', 'www-data', { hiddenPaths: ['/etc'], noNewPrivileges: true }), 201],
      [processNamed('b8', { spec: { command: ['true'], inheritEnv: ['SECRET'], securityContext: { runAsUser: 'www-data' } } }), 403],
    ]
    for (const [body, status] of tries) {
      const answer = await as('editor', 'POST', PROCESSES, body)
      assert.equal(answer.status, status, `${JSON.stringify(body)}: ${answer.text}`)
    }
    assert.equal(
      (await as('boss', 'POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } })).status,
      201,
    )
    const there = PROCESSES.replace('/default/', '/other/')
    assert.equal((await as('editor', 'POST', there, running('c', 'www-data'))).status, 403)
    assert.equal((await as('editor', 'PATCH', `${PROCESSES}/b1`, { spec: { securityContext: { runAsUser: 'root' } } })).status, 403)
  })
})

describe('escalation', () => {
  const ns = `${RBAC}/namespaces/default`

  test('nobody gives what they have not: not in a role, not in a binding, not by changing either', async () => {
    const secret = { apiGroups: ['pmk.dev'], resources: ['users'], verbs: ['runas'] }
    const refused = await as('admin', 'POST', `${ns}/roles`, { ...head('Role', 'more'), rules: [secret] })
    assert.equal(refused.status, 403)
    assert.match(
      refused.json.message,
      /attempting to grant RBAC permissions not currently held:\n\{APIGroups:\["pmk.dev"\], Resources:\["users"\], Verbs:\["runas"\]\}/,
    )
    const own = { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list'] }
    assert.equal((await as('admin', 'POST', `${ns}/roles`, { ...head('Role', 'less'), rules: [own] })).status, 201)
    assert.equal((await as('admin', 'PATCH', `${ns}/roles/less`, { rules: [secret] })).status, 403)
    const subjects = [{ kind: 'User', name: 'admin' }]
    const bind = (role: string): object => ({ ...head('RoleBinding', role), roleRef: { kind: 'ClusterRole', name: role }, subjects })
    assert.equal((await as('admin', 'POST', `${ns}/rolebindings`, bind('cluster-admin'))).status, 403)
    assert.equal((await as('admin', 'POST', `${ns}/rolebindings`, bind('edit'))).status, 201)
    assert.equal((await as('admin', 'POST', `${ns}/rolebindings`, bind('missing'))).status, 404)
    const change = { roleRef: { kind: 'ClusterRole', name: 'view', apiGroup: RBAC_GROUP } }
    assert.equal((await as('boss', 'PATCH', `${ns}/rolebindings/edit`, change)).status, 422)
    assert.equal((await as('admin', 'POST', `${RBAC}/clusterrolebindings`, bind('view'))).status, 403)
  })

  test('a Token of somebody else takes the right to be them', async () => {
    const token = (user: string, groups: readonly string[]): object => ({
      apiVersion: 'pmk.dev/v1',
      kind: 'Token',
      metadata: { name: `t${Math.random()}` },
      spec: { user, groups, hash: `sha256:${'0'.repeat(64)}` },
    })
    const rules = [{ apiGroups: ['pmk.dev'], resources: ['tokens'], verbs: ['create'] }]
    assert.equal((await as('boss', 'POST', `${RBAC}/clusterroles`, { ...head('ClusterRole', 'tokens'), rules })).status, 201)
    const binding = {
      ...head('ClusterRoleBinding', 'tokens'),
      roleRef: { kind: 'ClusterRole', name: 'tokens' },
      subjects: [{ kind: 'User', name: 'editor' }],
    }
    assert.equal((await as('boss', 'POST', `${RBAC}/clusterrolebindings`, binding)).status, 201)
    const path = '/apis/pmk.dev/v1/tokens'
    assert.match((await as('editor', 'POST', path, token('boss', []))).json.message, /cannot impersonate resource "users"/)
    assert.equal((await as('boss', 'POST', path, token('boss', ['system:masters']))).status, 201)
  })

  test('impersonation takes the verb for the user and each group, and is carried out to the letter', async () => {
    const asViewer = { 'impersonate-user': 'viewer', 'impersonate-group': 'readers' }
    assert.match(
      (await as('editor', 'GET', PROCESSES, undefined, asViewer)).json.message,
      /User "editor" cannot impersonate resource "users"/,
    )
    assert.equal((await as('boss', 'GET', PROCESSES, undefined, asViewer)).status, 200)
    assert.equal((await as('boss', 'GET', '/api/v1/secrets', undefined, asViewer)).status, 403)
    assert.equal((await as('boss', 'GET', PROCESSES, undefined, { 'impersonate-group': 'readers' })).status, 400)
    assert.equal((await as('boss', 'GET', PROCESSES, undefined, { ...asViewer, 'impersonate-extra-scopes': 'x' })).status, 400)
  })
})

describe('a change of rights', () => {
  const ns = `${RBAC}/namespaces/default`
  const binding = {
    ...head('RoleBinding', 'brief'),
    roleRef: { kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'User', name: 'nobody' }],
  }

  test('is in force with the next request, both ways, a hundred times', async () => {
    for (let round = 0; round < 100; round++) {
      assert.equal((await as('root', 'POST', `${ns}/rolebindings`, binding)).status, 201)
      assert.equal((await as('nobody', 'GET', PROCESSES)).status, 200, `round ${round}`)
      assert.equal((await as('root', 'DELETE', `${ns}/rolebindings/brief`)).status, 200)
      assert.equal((await as('nobody', 'GET', PROCESSES)).status, 403, `round ${round}`)
    }
  })

  test('ends the watches of who has lost the right to them, and no others', async () => {
    assert.equal((await as('root', 'POST', `${ns}/rolebindings`, binding)).status, 201)
    let ended = false
    const lost = as('nobody', 'GET', `${PROCESSES}?watch=true`).then((answer) => {
      ended = true
      return answer
    })
    const kept = as('viewer', 'GET', `${PROCESSES}?watch=true&timeoutSeconds=1`)
    await eventually(() => assert.equal(server.server.streams, 2, 'streams'))
    assert.equal(ended, false)
    assert.equal((await as('root', 'DELETE', `${ns}/rolebindings/brief`)).status, 200)
    assert.equal((await lost).status, 200)
    assert.equal((await kept).status, 200)
  })
})

describe('reviews', () => {
  const ask = async (user: string, spec: object, kind = 'selfsubjectaccessreviews'): Promise<Answer> =>
    as(user, 'POST', `${REVIEWS}/${kind}`, { spec })
  const list = (group: string, resource: string): object => ({
    resourceAttributes: { verb: 'list', group, resource, namespace: 'default' },
  })

  test('tell what a request would tell, and store nothing', async () => {
    const before = server.store.revision()
    const yes = await ask('viewer', list('pmk.dev', 'processes'))
    assert.equal(yes.status, 201)
    assert.equal(yes.json.kind, 'SelfSubjectAccessReview')
    assert.equal(yes.json.status.allowed, true)
    assert.match(yes.json.status.reason, /RBAC: allowed by ClusterRoleBinding "readers" of ClusterRole "view" to Group "readers"/)
    assert.equal((await ask('viewer', list('', 'secrets'))).json.status.allowed, false)
    assert.equal((await ask('viewer', {})).status, 422)
    const of = { user: 'viewer', groups: ['readers'], ...list('pmk.dev', 'processes') }
    assert.equal((await ask('viewer', of, 'subjectaccessreviews')).status, 403)
    assert.equal((await ask('boss', of, 'subjectaccessreviews')).json.status.allowed, true)
    const local = `${REVIEWS}/namespaces/default/localsubjectaccessreviews`
    assert.equal((await as('admin', 'POST', local, { spec: of })).json.status.allowed, true)
    assert.equal((await as('boss', 'POST', local.replace('default', 'other'), { spec: of })).status, 422)
    assert.equal(server.store.revision(), before)
  })

  test('tell all rules of a namespace, and who one is, in every version that kubectl asks for', async () => {
    const { json } = await ask('root', { namespace: 'default' }, 'selfsubjectrulesreviews')
    assert.deepEqual(json.status, {
      resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
      nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
      incomplete: false,
    })
    for (const version of ['v1', 'v1beta1']) {
      const { status, json: review } = await as('viewer', 'POST', `/apis/authentication.k8s.io/${version}/selfsubjectreviews`, {})
      assert.equal(status, 201)
      assert.equal(review.apiVersion, `authentication.k8s.io/${version}`)
      assert.deepEqual(review.status.userInfo, { username: 'viewer', groups: ['readers', 'system:authenticated'] })
    }
  })
})

test('the manifests of docs/access.md give the rights that it says', async () => {
  const page = await readFile(new URL('../../docs/access.md', import.meta.url), 'utf8')
  const [, yaml = ''] = /```yaml\n(.*?)```/s.exec(page) ?? []
  await as('root', 'POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } })
  const documents = parseYaml(yaml)
  assert.equal(documents.length, 4)
  for (const { value } of documents) {
    const { kind, metadata } = value as { readonly kind: string; readonly metadata: { readonly name: string; readonly namespace?: string } }
    const plural = `${kind.toLowerCase()}s`
    const base = metadata.namespace === undefined ? RBAC : `${RBAC}/namespaces/${metadata.namespace}`
    const apply = { 'content-type': 'application/apply-patch+yaml' }
    // `readers` is there, for others; this test is the last one.
    const answer = await as('root', 'PATCH', `${base}/${plural}/${metadata.name}?fieldManager=docs&force=true`, value, apply)
    assert.ok(answer.status === 201 || answer.status === 200, answer.text)
  }
  const can = async (user: string, what: object): Promise<boolean> => {
    const spec = { user, resourceAttributes: { namespace: 'shop', ...what } }
    return (await as('root', 'POST', `${REVIEWS}/subjectaccessreviews`, { spec })).json.status.allowed
  }
  const runas = { verb: 'runas', group: 'pmk.dev', resource: 'users' }
  assert.equal(await can('ann', { verb: 'list', group: 'pmk.dev', resource: 'processes' }), true)
  assert.equal(await can('ann', { verb: 'list', resource: 'secrets' }), false)
  assert.equal(await can('ben', { verb: 'create', group: 'pmk.dev', resource: 'processes' }), true)
  assert.equal(await can('ben', { ...runas, name: 'www-data' }), true)
  assert.equal(await can('ben', { ...runas, name: 'root' }), false)
})
