import type { New } from '../api/object.ts'
import type { ClusterRole, ClusterRoleBinding, PolicyRule } from '../generated/types.ts'
import { RBAC_GROUP } from '../registry/role-binding-strategy.ts'
import { AUTHENTICATED, MASTERS, UNAUTHENTICATED } from './well-known.ts'

/** "false": the role is left alone when the server starts. */
export const AUTOUPDATE = 'rbac.authorization.kubernetes.io/autoupdate'

const READ = ['get', 'list', 'watch']
const WRITE = ['create', 'update', 'patch', 'delete', 'deletecollection']
const HEALTH = ['/healthz', '/healthz/*', '/livez', '/livez/*', '/readyz', '/readyz/*', '/version', '/version/']
const DISCOVERY = ['/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*', '/pmk/v1/tls']

const on = (group: string, resources: readonly string[], verbs: readonly string[]): PolicyRule => ({
  apiGroups: [group],
  resources,
  verbs,
})

/** Everything but Secrets and who may do what. */
const view: readonly PolicyRule[] = [
  on('pmk.dev', ['processes', 'processes/status', 'processes/scale'], READ),
  on('pmk.dev', ['instances', 'instances/status', 'instances/log', 'instances/usage', 'revisions'], READ),
  on('pmk.dev', ['nodes', 'nodes/status', 'nodes/usage'], READ),
  on('pmk.dev', ['manifestsources', 'manifestsources/status'], READ),
  on('', ['configmaps', 'events', 'namespaces', 'namespaces/status', 'services'], READ),
  on('', ['pods', 'pods/log', 'pods/status'], READ),
  on('events.k8s.io', ['events'], READ),
  on('metrics.k8s.io', ['pods'], ['get', 'list']),
  on('apiextensions.k8s.io', ['customresourcedefinitions', 'customresourcedefinitions/status'], READ),
]

/** What runs, short of whose rights it gets: for that there is the verb `runas`, which no role but cluster-admin has. */
const edit: readonly PolicyRule[] = [
  ...view,
  on('pmk.dev', ['processes', 'processes/scale'], WRITE),
  on('pmk.dev', ['processes/signal', 'processes/reload', 'processes/pause', 'processes/action'], ['create']),
  on('pmk.dev', ['instances/signal', 'instances/reload', 'instances/pause', 'instances/action'], ['create']),
  on('pmk.dev', ['instances'], ['delete', 'deletecollection']),
  on('', ['configmaps'], WRITE),
  on('', ['secrets'], [...READ, ...WRITE]),
  on('coordination.k8s.io', ['leases'], [...READ, ...WRITE]),
]

/** And who may do what in the namespace. */
const admin: readonly PolicyRule[] = [
  ...edit,
  on(RBAC_GROUP, ['roles', 'rolebindings'], [...READ, ...WRITE]),
  on('authorization.k8s.io', ['localsubjectaccessreviews'], ['create']),
]

const basicUser: readonly PolicyRule[] = [
  on('authorization.k8s.io', ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'], ['create']),
  on('authentication.k8s.io', ['selfsubjectreviews'], ['create']),
]

interface DefaultMetadata {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export type DefaultRole = New<ClusterRole> & { readonly metadata: DefaultMetadata }
export type DefaultBinding = New<ClusterRoleBinding> & { readonly metadata: DefaultMetadata }

export const DEFAULT_CLUSTER_ROLES: readonly DefaultRole[] = [
  role('cluster-admin', [
    { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
    { nonResourceURLs: ['*'], verbs: ['*'] },
  ]),
  role('admin', admin),
  role('edit', edit),
  role('view', view),
  role('system:basic-user', basicUser),
  role('system:discovery', [{ nonResourceURLs: [...DISCOVERY, ...HEALTH], verbs: ['get'] }]),
  role('system:public-info-viewer', [{ nonResourceURLs: HEALTH, verbs: ['get'] }]),
]

export const DEFAULT_CLUSTER_ROLE_BINDINGS: readonly DefaultBinding[] = [
  binding('cluster-admin', [MASTERS]),
  binding('system:basic-user', [AUTHENTICATED]),
  binding('system:discovery', [AUTHENTICATED]),
  binding('system:public-info-viewer', [AUTHENTICATED, UNAUTHENTICATED]),
]

function metadata(name: string): DefaultMetadata {
  return { name, labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' }, annotations: { [AUTOUPDATE]: 'true' } }
}

function role(name: string, rules: readonly PolicyRule[]): DefaultRole {
  return { apiVersion: `${RBAC_GROUP}/v1`, kind: 'ClusterRole', metadata: metadata(name), rules }
}

function binding(name: string, groups: readonly string[]): DefaultBinding {
  return {
    apiVersion: `${RBAC_GROUP}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: metadata(name),
    roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name },
    subjects: groups.map((group) => ({ apiGroup: RBAC_GROUP, kind: 'Group', name: group })),
  }
}
