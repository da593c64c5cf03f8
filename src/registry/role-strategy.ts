import { forbiddenField, invalidField, requiredField } from '../api/field-errors.ts'
import type { Cause } from '../api/status.ts'
import type { ClusterRole, PolicyRule, Role } from '../generated/types.ts'
import type { Strategy } from './strategy.ts'

export const roleStrategy: Strategy<Role> = {
  validate: ({ rules = [] }) => rules.flatMap((rule, index) => checkRule(rule, `rules[${index}]`, false)),
}

export const clusterRoleStrategy: Strategy<ClusterRole> = {
  validate: ({ rules = [] }) => rules.flatMap((rule, index) => checkRule(rule, `rules[${index}]`, true)),
}

/** A rule is about resources or about paths, never about both, and says what may be done with them. */
function checkRule({ verbs, apiGroups, resources, nonResourceURLs = [] }: PolicyRule, at: string, isCluster: boolean): readonly Cause[] {
  const causes: Cause[] = []
  if (verbs.length === 0) causes.push(requiredField(`${at}.verbs`, 'verbs must contain at least one value'))
  if (nonResourceURLs.length > 0) {
    if (!isCluster) {
      causes.push(invalidField(`${at}.nonResourceURLs`, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'))
    }
    if ((apiGroups ?? []).length > 0 || (resources ?? []).length > 0) {
      causes.push(
        invalidField(`${at}.nonResourceURLs`, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs'),
      )
    }
    for (const [index, url] of nonResourceURLs.entries()) {
      const star = url.indexOf('*')
      if (star >= 0 && star < url.length - 1) {
        causes.push(forbiddenField(`${at}.nonResourceURLs[${index}]`, '* stands for the rest of a path, only at its end'))
      }
    }
    return causes
  }
  if ((apiGroups ?? []).length === 0) {
    causes.push(requiredField(`${at}.apiGroups`, 'resource rules must supply at least one api group'))
  }
  if ((resources ?? []).length === 0) {
    causes.push(requiredField(`${at}.resources`, 'resource rules must supply at least one resource'))
  }
  return causes
}
