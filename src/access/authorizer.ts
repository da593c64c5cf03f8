import { type ApiError, apiError } from '../api/status.ts'
import type { PolicyRule } from '../generated/types.ts'
import type { UserInfo } from '../registry/registry.ts'
import { type Attributes, refusalText } from './attributes.ts'
import type { Grant, Grants } from './grants.ts'
import { compileRule, ruleAllows } from './rules.ts'
import { MASTERS } from './well-known.ts'

export interface Decision {
  readonly allowed: boolean
  /** Why, as far as there is more to say than that nothing allows it. */
  readonly reason: string
}

/** Says what users may do. Nothing is remembered of earlier answers. */
export interface Authorizer {
  authorize(user: UserInfo, attributes: Attributes): Decision
  /** All that a user may do in a namespace, cluster-wide rights included. Without a namespace, those alone. */
  rulesFor(user: UserInfo, namespace: string): readonly PolicyRule[]
  /** The rules of a role as a binding in the namespace means it; undefined when there is no such role. */
  rulesOf(kind: string, name: string, namespace: string | undefined): readonly PolicyRule[] | undefined
}

/** What the grants of a moment allow: the union of the rules of all roles that are bound to the user. */
export function decide(grants: Grants, user: UserInfo, attributes: Attributes): Decision {
  if (user.groups.includes(MASTERS)) return { allowed: true, reason: '' }
  const missing = new Set<string>()
  for (const grant of grants.of(user, attributes.type === 'path' ? '' : attributes.namespace)) {
    if (grant.rules === undefined) {
      const { kind, name } = grant.binding.roleRef
      missing.add(`${kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(name)} not found`)
    } else if (grant.rules.some((rule) => ruleAllows(compileRule(rule), attributes))) {
      return { allowed: true, reason: `RBAC: allowed by ${describe(grant)}` }
    }
  }
  return { allowed: false, reason: missing.size === 0 ? '' : `RBAC: ${[...missing].join(', ')}` }
}

/** The rules of all grants; those of the masters are all there can be. */
export function allRules(grants: Grants, user: UserInfo, namespace: string): readonly PolicyRule[] {
  if (user.groups.includes(MASTERS)) return FULL_AUTHORITY
  return [...grants.of(user, namespace)].flatMap(({ rules = [] }) => rules)
}

export const FULL_AUTHORITY: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
]

/** Throws ApiError(Forbidden) for what the user may not do. */
export function requireRight(authorizer: Authorizer, user: UserInfo, attributes: Attributes): void {
  const { allowed, reason } = authorizer.authorize(user, attributes)
  if (!allowed) throw refusal(user, attributes, reason)
}

function refusal(user: UserInfo, attributes: Attributes, reason: string): ApiError {
  const message = refusalText(user.name, attributes, reason)
  if (attributes.type === 'path') return apiError('Forbidden', message, {})
  const { name, group, resource } = attributes
  const details = { ...(name === '' ? {} : { name }), ...(group === '' ? {} : { group }), kind: resource }
  return apiError('Forbidden', message, details)
}

function describe({ binding, subject }: Grant): string {
  const { kind, metadata, roleRef } = binding
  const name = metadata.namespace === undefined ? metadata.name : `${metadata.name}/${metadata.namespace}`
  return `${kind} ${JSON.stringify(name)} of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${subject.kind} ${JSON.stringify(subject.name)}`
}
