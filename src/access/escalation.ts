import type { ResourceDefinition } from '../api/scheme.ts'
import { jsonEqual } from '../base/json.ts'
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding } from '../generated/types.ts'
import { forbidden, notFound } from '../registry/errors.ts'
import type { UserInfo } from '../registry/registry.ts'
import { RBAC_GROUP } from '../registry/role-binding-strategy.ts'
import { resourceAttributes } from './attributes.ts'
import { type Authorizer, FULL_AUTHORITY } from './authorizer.ts'
import { uncovered } from './covers.ts'

/** So many missing rights are told. */
const MOST_TOLD = 20

/** Nobody writes a role that gives more than the writer has, unless the verb `escalate` on that role allows it. */
export function checkRole(
  authorizer: Authorizer,
  user: UserInfo,
  definition: ResourceDefinition,
  next: Role | ClusterRole,
  prev: Role | ClusterRole | undefined,
): void {
  const { rules = [], metadata } = next
  if (prev !== undefined && jsonEqual(rules, prev.rules ?? [])) return
  const namespace = metadata.namespace ?? ''
  const escalate = resourceAttributes({ verb: 'escalate', group: RBAC_GROUP, resource: definition.plural, namespace, name: metadata.name })
  if (authorizer.authorize(user, escalate).allowed) return
  requireAll(authorizer, user, definition, metadata, rules)
}

/** Nobody binds a role that gives more than the binder has, unless the verb `bind` on that role allows it. */
export function checkBinding(
  authorizer: Authorizer,
  user: UserInfo,
  definition: ResourceDefinition,
  roleDefinition: ResourceDefinition,
  next: RoleBinding | ClusterRoleBinding,
  prev: RoleBinding | ClusterRoleBinding | undefined,
): void {
  const { roleRef, metadata } = next
  if (prev !== undefined && jsonEqual(roleRef, prev.roleRef) && jsonEqual(next.subjects ?? [], prev.subjects ?? [])) return
  const namespace = metadata.namespace ?? ''
  const bind = resourceAttributes({ verb: 'bind', group: RBAC_GROUP, resource: roleDefinition.plural, namespace, name: roleRef.name })
  if (authorizer.authorize(user, bind).allowed) return
  const rules = authorizer.rulesOf(roleRef.kind, roleRef.name, metadata.namespace)
  // What such a role will allow one day isn't known, so it can't be compared.
  if (rules === undefined) throw notFound(roleDefinition, roleRef.name)
  requireAll(authorizer, user, definition, metadata, rules)
}

/** Only who may do everything everywhere writes what acts with the server's rights. */
export function requireFullAuthority(
  authorizer: Authorizer,
  user: UserInfo,
  definition: ResourceDefinition,
  { name }: { readonly name: string },
): void {
  if (uncovered(authorizer.rulesFor(user, ''), FULL_AUTHORITY).length === 0) return
  const who = `User ${JSON.stringify(user.name)}`
  throw forbidden(definition, name, `${who} may not write it, since it acts with the rights of the server: that takes cluster-admin`)
}

function requireAll(
  authorizer: Authorizer,
  user: UserInfo,
  definition: ResourceDefinition,
  { name, namespace = '' }: { readonly name: string; readonly namespace?: string },
  wanted: readonly PolicyRule[],
): void {
  const missing = uncovered(authorizer.rulesFor(user, namespace), wanted)
  if (missing.length === 0) return
  const told = missing.slice(0, MOST_TOLD).map(ruleText)
  if (missing.length > told.length) told.push(`and ${missing.length - told.length} more`)
  const who = `user ${JSON.stringify(user.name)} (groups=${JSON.stringify(user.groups)})`
  throw forbidden(definition, name, `${who} is attempting to grant RBAC permissions not currently held:\n${told.join('\n')}`)
}

function ruleText({ apiGroups, resources, resourceNames, nonResourceURLs, verbs }: PolicyRule): string {
  const parts = { APIGroups: apiGroups, Resources: resources, ResourceNames: resourceNames, NonResourceURLs: nonResourceURLs, Verbs: verbs }
  const told = Object.entries(parts).flatMap(([name, values]) => (values === undefined ? [] : [`${name}:${JSON.stringify(values)}`]))
  return `{${told.join(', ')}}`
}
