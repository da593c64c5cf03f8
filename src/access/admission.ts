import { definitionOf } from '../api/scheme.ts'
import type { ClusterRole, ClusterRoleBinding, Instance, Process, Revision, Role, RoleBinding, Token } from '../generated/types.ts'
import type { PendingWrite, UserInfo } from '../registry/registry.ts'
import { resourceAttributes } from './attributes.ts'
import { type Authorizer, requireRight } from './authorizer.ts'
import { checkBinding, checkRole, requireFullAuthority } from './escalation.ts'
import { requireImpersonation } from './impersonation.ts'
import { checkRunAs, type Template, templateOf } from './run-as.ts'

export interface AdmissionOptions {
  readonly authorizer: Authorizer
  /** In whose name it is written. */
  readonly user: UserInfo
  /** The verb of the request: one that creates what wasn't there although it isn't `create` needs that right too. */
  readonly verb: string
  /** Who runs the server, and with it whatever names no user. */
  readonly serverUser: string
}

/**
 * What rights to a verb and a resource can't say: it depends on what the object will be. Called for each write, when the object is
 * finished and before it is stored. Throws ApiError(Forbidden).
 */
export function checkWrite({ authorizer, user, verb, serverUser }: AdmissionOptions, { definition, prev, next }: PendingWrite): void {
  if (next === undefined) return
  const { metadata } = next
  if (prev === undefined && verb !== 'create') {
    const { group, plural } = definition
    const create = { verb: 'create', group, resource: plural, namespace: metadata.namespace ?? '', name: metadata.name }
    requireRight(authorizer, user, resourceAttributes(create))
  }
  // A kind's objects have passed its schema by now. Kinds that act with more rights than their writer's get their rule here.
  switch (definition.kind) {
    case 'Role':
    case 'ClusterRole':
      checkRole(authorizer, user, definition, next as Role | ClusterRole, prev as Role | ClusterRole | undefined)
      break
    case 'RoleBinding':
    case 'ClusterRoleBinding': {
      const binding = next as RoleBinding | ClusterRoleBinding
      const roles = definitionOf(binding.roleRef.kind === 'Role' ? 'Role' : 'ClusterRole')
      checkBinding(authorizer, user, definition, roles, binding, prev as typeof binding | undefined)
      break
    }
    case 'Token': {
      const { user: bearer, groups = [] } = (next as Token).spec
      if (prev === undefined) requireImpersonation(authorizer, user, bearer, groups)
      break
    }
    case 'ManifestSource':
      // What it names is written with the server's rights.
      requireFullAuthority(authorizer, user, definition, metadata)
      break
    case 'Process': {
      const before = prev === undefined ? undefined : templateOf((prev as Process).spec)
      checkRunAs(authorizer, user, definition, metadata, templateOf((next as Process).spec), before, serverUser)
      break
    }
    case 'Instance':
    case 'Revision': {
      const { template }: { readonly template: Template } = (next as Instance | Revision).spec
      const before: Template | undefined = (prev as Instance | Revision | undefined)?.spec.template
      checkRunAs(authorizer, user, definition, metadata, template, before, serverUser)
      break
    }
  }
}
