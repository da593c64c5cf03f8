import { forbiddenField, invalidField, requiredField, unsupportedField } from '../api/field-errors.ts'
import { checkPathSegment } from '../api/names.ts'
import type { Cause } from '../api/status.ts'
import { isJsonObject, jsonEqual } from '../base/json.ts'
import type { ClusterRoleBinding, RoleBinding, RoleRef, Subject } from '../generated/types.ts'
import type { Strategy } from './strategy.ts'

export const RBAC_GROUP = 'rbac.authorization.k8s.io'

export const roleBindingStrategy: Strategy<RoleBinding> = {
  normalize: withGroups,
  validate: (next, prev) => checkBinding(next, prev, ['Role', 'ClusterRole']),
}

export const clusterRoleBindingStrategy: Strategy<ClusterRoleBinding> = {
  normalize: withGroups,
  validate: (next, prev) => checkBinding(next, prev, ['ClusterRole']),
}

/** Says the API group of each subject that doesn't say it itself. */
function withGroups(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { subjects } = body
  if (!Array.isArray(subjects)) return body
  const complete = subjects.map((subject: unknown) => {
    if (!isJsonObject(subject) || (subject.kind !== 'User' && subject.kind !== 'Group')) return subject
    return subject.apiGroup === undefined || subject.apiGroup === '' ? { ...subject, apiGroup: RBAC_GROUP } : subject
  })
  return { ...body, subjects: complete }
}

function checkBinding(
  next: RoleBinding | ClusterRoleBinding,
  prev: RoleBinding | ClusterRoleBinding | undefined,
  kinds: readonly string[],
): readonly Cause[] {
  const causes = [
    ...checkRoleRef(next.roleRef, kinds),
    ...(next.subjects ?? []).flatMap((subject, index) => checkSubject(subject, `subjects[${index}]`)),
  ]
  // Who may only change subjects must not get at other rights by it.
  if (prev !== undefined && !jsonEqual(next.roleRef, prev.roleRef)) {
    causes.push(invalidField('roleRef', next.roleRef, 'cannot change roleRef'))
  }
  return causes
}

function checkRoleRef({ apiGroup, kind, name }: RoleRef, kinds: readonly string[]): readonly Cause[] {
  const causes: Cause[] = []
  if (apiGroup !== RBAC_GROUP) causes.push(unsupportedField('roleRef.apiGroup', apiGroup, [RBAC_GROUP]))
  if (!kinds.includes(kind)) causes.push(unsupportedField('roleRef.kind', kind, kinds))
  if (name === '') return [...causes, requiredField('roleRef.name')]
  const verdict = checkPathSegment(name)
  return verdict === undefined ? causes : [...causes, invalidField('roleRef.name', name, verdict)]
}

function checkSubject({ apiGroup, kind, name, namespace }: Subject, at: string): readonly Cause[] {
  const causes: Cause[] = []
  if (name === '') causes.push(requiredField(`${at}.name`))
  switch (kind) {
    case 'User':
    case 'Group':
      if (apiGroup !== RBAC_GROUP) causes.push(unsupportedField(`${at}.apiGroup`, apiGroup, [RBAC_GROUP]))
      if (namespace) causes.push(forbiddenField(`${at}.namespace`, `a ${kind} belongs to no namespace`))
      return causes
    case 'ServiceAccount':
      if (apiGroup) causes.push(unsupportedField(`${at}.apiGroup`, apiGroup, ['']))
      if (!namespace) causes.push(requiredField(`${at}.namespace`))
      return causes
    default:
      return [...causes, unsupportedField(`${at}.kind`, kind, ['ServiceAccount', 'User', 'Group'])]
  }
}
