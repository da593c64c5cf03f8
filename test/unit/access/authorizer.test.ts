import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Attributes, refusalText, resourceAttributes } from '../../../src/access/attributes.ts'
import { allRules, decide } from '../../../src/access/authorizer.ts'
import { uncovered } from '../../../src/access/covers.ts'
import { DEFAULT_CLUSTER_ROLES } from '../../../src/access/default-roles.ts'
import { Grants } from '../../../src/access/grants.ts'
import { identitiesOf, templateOf } from '../../../src/access/run-as.ts'
import { definitionOf } from '../../../src/api/scheme.ts'
import type { ClusterRole, ClusterRoleBinding, ObjectMeta, PolicyRule, Role, RoleBinding, Subject } from '../../../src/generated/types.ts'
import type { UserInfo } from '../../../src/registry/registry.ts'

const GROUP = 'rbac.authorization.k8s.io'
const apiVersion = `${GROUP}/v1`
const ann: UserInfo = { name: 'ann', groups: ['devs'] }

function meta(name: string, namespace?: string): ObjectMeta {
  const rest = { uid: name, resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' }
  return { name, ...(namespace === undefined ? {} : { namespace }), ...rest }
}

function clusterRole(name: string, rules: readonly PolicyRule[]): ClusterRole {
  return { apiVersion, kind: 'ClusterRole', metadata: meta(name), rules }
}

function role(namespace: string, name: string, rules: readonly PolicyRule[]): Role {
  return { apiVersion, kind: 'Role', metadata: meta(name, namespace), rules }
}

function everywhere(name: string, subject: Subject): ClusterRoleBinding {
  const roleRef = { apiGroup: GROUP, kind: 'ClusterRole', name }
  return { apiVersion, kind: 'ClusterRoleBinding', metadata: meta(`b-${name}`), roleRef, subjects: [subject] }
}

function inNamespace(namespace: string, kind: string, name: string, subject: Subject): RoleBinding {
  return {
    apiVersion,
    kind: 'RoleBinding',
    metadata: meta(`b-${name}`, namespace),
    roleRef: { apiGroup: GROUP, kind, name },
    subjects: [subject],
  }
}

const toAnn: Subject = { kind: 'User', name: 'ann' }

/** Whether a single rule, given to Ann everywhere, allows it. */
function allows(rule: PolicyRule, attributes: Attributes): boolean {
  const grants = new Grants({
    roles: [],
    roleBindings: [],
    clusterRoles: [clusterRole('r', [rule])],
    clusterRoleBindings: [everywhere('r', toAnn)],
  })
  return decide(grants, ann, attributes).allowed
}

const processes = (verbs: readonly string[], resources: readonly string[], more: object = {}): PolicyRule => ({
  verbs,
  apiGroups: ['pmk.dev'],
  resources,
  ...more,
})

describe('a rule', () => {
  const get = { verb: 'get', group: 'pmk.dev', resource: 'processes', namespace: 'a', name: 'web' }
  const rows: readonly [string, PolicyRule, Attributes, boolean][] = [
    ['of the verb and kind', processes(['get'], ['processes']), resourceAttributes(get), true],
    ['of another verb', processes(['list'], ['processes']), resourceAttributes(get), false],
    ['of another group', { ...processes(['get'], ['processes']), apiGroups: [''] }, resourceAttributes(get), false],
    [
      'of all verbs, groups and kinds',
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      resourceAttributes({ ...get, subresource: 'scale' }),
      true,
    ],
    ['of the kind, for a subresource', processes(['get'], ['processes']), resourceAttributes({ ...get, subresource: 'scale' }), false],
    ['of the subresource', processes(['get'], ['processes/scale']), resourceAttributes({ ...get, subresource: 'scale' }), true],
    ['of all its subresources', processes(['get'], ['processes/*']), resourceAttributes({ ...get, subresource: 'action' }), true],
    ['of all its subresources, for the kind', processes(['get'], ['processes/*']), resourceAttributes(get), false],
    ['of the subresource of all kinds', processes(['get'], ['*/scale']), resourceAttributes({ ...get, subresource: 'scale' }), true],
    [
      'of the subresource of all kinds, for another',
      processes(['get'], ['*/scale']),
      resourceAttributes({ ...get, subresource: 'status' }),
      false,
    ],
    ['of the name', processes(['get'], ['processes'], { resourceNames: ['web'] }), resourceAttributes(get), true],
    ['of another name', processes(['get'], ['processes'], { resourceNames: ['db'] }), resourceAttributes(get), false],
    [
      'of a name, for all objects',
      processes(['list'], ['processes'], { resourceNames: ['web'] }),
      resourceAttributes({ ...get, verb: 'list', name: '' }),
      false,
    ],
    ['of a path', { verbs: ['get'], nonResourceURLs: ['/metrics'] }, { type: 'path', verb: 'get', path: '/metrics' }, true],
    [
      'of what a path begins with',
      { verbs: ['get'], nonResourceURLs: ['/pmk/*'] },
      { type: 'path', verb: 'get', path: '/pmk/v1/backup' },
      true,
    ],
    ['of a path, for one below', { verbs: ['get'], nonResourceURLs: ['/pmk'] }, { type: 'path', verb: 'get', path: '/pmk/v1' }, false],
    [
      'of all resources, for a path',
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { type: 'path', verb: 'get', path: '/metrics' },
      false,
    ],
  ]
  for (const [what, rule, attributes, expected] of rows) {
    test(`${what}: ${expected ? 'allows' : 'does not allow'}`, () => assert.equal(allows(rule, attributes), expected))
  }
})

describe('a binding', () => {
  const rule = processes(['get'], ['processes'])
  const at = (namespace: string): Attributes =>
    resourceAttributes({ verb: 'get', group: 'pmk.dev', resource: 'processes', namespace, name: 'x' })
  const none = { roles: [], clusterRoles: [], roleBindings: [], clusterRoleBindings: [] }

  test('counts in its namespace only, and finds the Role of that namespace only', () => {
    const grants = new Grants({
      ...none,
      roles: [role('a', 'r', [rule])],
      clusterRoles: [clusterRole('c', [rule])],
      roleBindings: [
        inNamespace('a', 'Role', 'r', toAnn),
        inNamespace('b', 'Role', 'r', toAnn),
        inNamespace('c', 'ClusterRole', 'c', toAnn),
      ],
    })
    assert.deepEqual(
      ['a', 'b', 'c', 'd', ''].map((namespace) => decide(grants, ann, at(namespace)).allowed),
      [true, false, true, false, false],
    )
    assert.match(decide(grants, ann, at('b')).reason, /role\.rbac\.authorization\.k8s\.io "r" not found/)
  })

  test('reaches users, groups and service accounts, each by their own name', () => {
    const to = (subject: Subject, user: UserInfo): boolean =>
      decide(
        new Grants({ ...none, clusterRoles: [clusterRole('c', [rule])], clusterRoleBindings: [everywhere('c', subject)] }),
        user,
        at('a'),
      ).allowed
    assert.equal(to({ kind: 'User', name: 'devs' }, ann), false)
    assert.equal(to({ kind: 'Group', name: 'devs' }, ann), true)
    assert.equal(to({ kind: 'Group', name: 'ann' }, ann), false)
    assert.equal(to({ kind: 'ServiceAccount', namespace: 'n', name: 's' }, { name: 'system:serviceaccount:n:s', groups: [] }), true)
    assert.equal(to({ kind: 'ServiceAccount', namespace: 'n', name: 's' }, { name: 's', groups: [] }), false)
  })

  test('is needed by everybody but the masters', () => {
    assert.equal(decide(new Grants(none), ann, at('a')).allowed, false)
    assert.equal(decide(new Grants(none), { name: 'x', groups: ['system:masters'] }, at('a')).allowed, true)
  })
})

test('decisions and coverage are those of a naive reading of the rules, for random ones', () => {
  let seed = 20261123
  const random = (n: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648
    return Math.floor((seed / 2147483648) * n)
  }
  const some = (words: readonly string[]): string[] => words.filter(() => random(3) === 0)
  const one = (words: readonly string[]): string => words[random(words.length)] ?? ''
  const VERBS = ['get', 'list', 'patch']
  const GROUPS = ['', 'pmk.dev']
  const KINDS = ['a', 'b']
  const SUBS = ['', 's', 't']
  const NAMES = ['', 'x', 'y']
  const patterns = ['*', 'a', 'b', 'a/s', 'a/*', '*/s', 'b/t']
  const anyRule = (): PolicyRule => ({
    verbs: some([...VERBS, '*']),
    apiGroups: some([...GROUPS, '*']),
    resources: some(patterns),
    ...(random(3) === 0 ? { resourceNames: some(['x', 'y']) } : {}),
  })
  const naive = (rules: readonly PolicyRule[], verb: string, group: string, kind: string, sub: string, name: string): boolean => {
    for (const rule of rules) {
      if (!rule.verbs.includes(verb) && !rule.verbs.includes('*')) continue
      if (!rule.apiGroups?.includes(group) && !rule.apiGroups?.includes('*')) continue
      const names = rule.resourceNames ?? []
      if (names.length > 0 && !names.includes(name)) continue
      for (const pattern of rule.resources ?? []) {
        const [k, s] = pattern.split('/')
        if (pattern === '*') return true
        if (s === undefined ? k === kind && sub === '' : sub !== '' && (k === '*' || k === kind) && (s === '*' || s === sub)) return true
      }
    }
    return false
  }
  for (let round = 0; round < 2_000; round++) {
    const held = Array.from({ length: random(4) }, anyRule)
    const wanted = [anyRule()]
    const grants = new Grants({
      roles: [],
      roleBindings: [],
      clusterRoles: [clusterRole('r', held)],
      clusterRoleBindings: [everywhere('r', toAnn)],
    })
    const [verb, group, kind, sub, name] = [one(VERBS), one(GROUPS), one(KINDS), one(SUBS), one(NAMES)]
    const attributes = resourceAttributes({ verb, group, resource: kind, subresource: sub, name })
    const expected = naive(held, verb, group, kind, sub, name)
    assert.equal(decide(grants, ann, attributes).allowed, expected, JSON.stringify({ held, attributes }))
    // Whatever is said to be covered gives nothing that isn't held.
    if (uncovered(allRules(grants, ann, ''), wanted).length > 0) continue
    for (const v of [...VERBS, 'other']) {
      for (const g of [...GROUPS, 'other']) {
        for (const k of [...KINDS, 'other']) {
          for (const s of [...SUBS, 'other']) {
            for (const n of [...NAMES, 'other']) {
              if (naive(wanted, v, g, k, s, n)) assert.ok(naive(held, v, g, k, s, n), JSON.stringify({ held, wanted, v, g, k, s, n }))
            }
          }
        }
      }
    }
  }
})

test('a rule of a million combinations is refused or covered at once', () => {
  const words = Array.from({ length: 1_000 }, (_, index) => `w${index}`)
  const huge: PolicyRule = { verbs: words, apiGroups: words, resources: words }
  assert.equal(uncovered([{ verbs: ['get'], apiGroups: ['*'], resources: ['*'] }], [huge]).length, 1)
  assert.deepEqual(uncovered([{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }], [huge]), [])
})

describe('the built-in roles', () => {
  const rulesOf = (name: string): readonly PolicyRule[] => DEFAULT_CLUSTER_ROLES.find(({ metadata }) => metadata.name === name)?.rules ?? []

  test('hold each what the smaller ones do', () => {
    for (const [small, large] of [
      ['view', 'edit'],
      ['edit', 'admin'],
      ['admin', 'cluster-admin'],
    ] as const) {
      assert.deepEqual(uncovered(rulesOf(large), rulesOf(small)), [], `${large} without ${small}`)
      assert.notDeepEqual(uncovered(rulesOf(small), rulesOf(large)), [])
    }
  })

  test('view has no verb that changes anything and no Secrets; none but cluster-admin has special verbs', () => {
    for (const { verbs, resources } of rulesOf('view')) {
      assert.ok(
        verbs.every((verb) => ['get', 'list', 'watch'].includes(verb)),
        verbs.join(' '),
      )
      assert.ok(!resources?.includes('secrets') && !resources?.includes('*'))
    }
    for (const name of ['view', 'edit', 'admin']) {
      const special = rulesOf(name).flatMap(({ verbs }) =>
        verbs.filter((verb) => ['*', 'runas', 'impersonate', 'bind', 'escalate'].includes(verb)),
      )
      assert.deepEqual(special, [], name)
    }
  })
})

describe('whose rights a program gets', () => {
  const names = (template: object): readonly string[] => identitiesOf(template, 'server').map(({ resource, name }) => `${resource}/${name}`)

  test('follows from its user, groups, capabilities and views', () => {
    assert.deepEqual(names({}), ['users/server'])
    assert.deepEqual(names({ securityContext: null }), ['users/server'])
    assert.deepEqual(names({ securityContext: { runAsUser: '007' } }), ['users/7'])
    assert.deepEqual(names({ securityContext: { runAsUser: 'w', runAsGroup: 0, supplementalGroups: ['d'] } }), [
      'users/w',
      'groups/0',
      'groups/d',
    ])
    assert.deepEqual(names({ securityContext: { runAsUser: 'w', capabilities: { add: ['KILL'] } } }), ['users/w', 'users/root'])
    assert.deepEqual(names({ securityContext: { runAsUser: 'w', capabilities: { drop: ['ALL'] } } }), ['users/w'])
    assert.deepEqual(names({ securityContext: { runAsUser: 'w', readOnlyPaths: ['/'] } }), ['users/w', 'users/root'])
    assert.deepEqual(names({ securityContext: { runAsUser: 'w', readOnlyPaths: ['/'], noNewPrivileges: true } }), ['users/w'])
    const securityContext = { runAsUser: 'w' }
    for (const precedence of [{ nice: -1 }, { oomScoreAdj: -1 }, { ioPriority: { class: 'RealTime' } }]) {
      assert.deepEqual(names({ securityContext, ...precedence }), ['users/w', 'users/root'], JSON.stringify(precedence))
    }
    for (const modest of [{ nice: 19 }, { nice: 0 }, { oomScoreAdj: 1000 }, { ioPriority: { class: 'Idle' } }, { nice: null }]) {
      assert.deepEqual(names({ securityContext, ...modest }), ['users/w'], JSON.stringify(modest))
    }
  })

  test('every field of a Process is either operation or part of what runs', () => {
    const propertiesOf = (schema: object | undefined): readonly string[] =>
      Object.keys((schema as { properties?: object } | undefined)?.properties ?? {})
    const spec = propertiesOf(definitionOf('Process').schema.properties?.spec)
    const template = propertiesOf(definitionOf('Instance').schema.properties?.spec?.properties?.template)
    const whole = Object.fromEntries(spec.map((field) => [field, field]))
    assert.deepEqual(Object.keys(templateOf(whole as never)).sort(), [...template].sort())
  })
})

test('refusals name the user, the verb, the resource and the place', () => {
  const scale = resourceAttributes({
    verb: 'update',
    group: 'pmk.dev',
    resource: 'processes',
    subresource: 'scale',
    namespace: 'n',
    name: 'w',
  })
  assert.equal(
    refusalText('x', scale, ''),
    'processes.pmk.dev "w" is forbidden: User "x" cannot update resource "processes/scale" in API group "pmk.dev" in the namespace "n"',
  )
  const nodes = resourceAttributes({ verb: 'list', group: '', resource: 'secrets' })
  assert.equal(
    refusalText('x', nodes, 'why'),
    'secrets is forbidden: User "x" cannot list resource "secrets" in API group "" at the cluster scope: why',
  )
})
