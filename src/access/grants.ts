import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '../generated/types.ts'
import type { UserInfo } from '../registry/registry.ts'

/** All roles and bindings at one time. */
export interface RbacObjects {
  readonly roles: readonly Role[]
  readonly clusterRoles: readonly ClusterRole[]
  readonly roleBindings: readonly RoleBinding[]
  readonly clusterRoleBindings: readonly ClusterRoleBinding[]
}

/** What one binding gives one of its subjects. */
export interface Grant {
  /** Undefined: the role isn't there. */
  readonly rules: readonly PolicyRule[] | undefined
  readonly binding: RoleBinding | ClusterRoleBinding
  readonly subject: Subject
}

type Index = Map<string, Grant[]>

/** The grants of all bindings, by whom they are for: finding those of a user takes no longer however many others there are. */
export class Grants {
  readonly #roles = new Map<string, readonly PolicyRule[]>()
  readonly #clusterRoles = new Map<string, readonly PolicyRule[]>()
  readonly #everywhere: Index = new Map()
  readonly #byNamespace = new Map<string, Index>()

  constructor({ roles, clusterRoles, roleBindings, clusterRoleBindings }: RbacObjects) {
    for (const { metadata, rules = [] } of roles) this.#roles.set(roleKey(metadata.namespace, metadata.name), rules)
    for (const { metadata, rules = [] } of clusterRoles) this.#clusterRoles.set(metadata.name, rules)
    for (const binding of clusterRoleBindings) this.#add(this.#everywhere, binding)
    for (const binding of roleBindings) {
      const namespace = binding.metadata.namespace ?? ''
      let index = this.#byNamespace.get(namespace)
      if (index === undefined) {
        index = new Map()
        this.#byNamespace.set(namespace, index)
      }
      this.#add(index, binding)
    }
  }

  /** Those that count in the namespace; without one, only those that count everywhere. */
  *of({ name, groups }: UserInfo, namespace: string): Generator<Grant, void, undefined> {
    const inNamespace = namespace === '' ? undefined : this.#byNamespace.get(namespace)
    for (const index of inNamespace === undefined ? [this.#everywhere] : [this.#everywhere, inNamespace]) {
      yield* index.get(userKey(name)) ?? []
      for (const group of groups) yield* index.get(groupKey(group)) ?? []
    }
  }

  /** The rules of the role that a binding in this namespace refers to; undefined when there is no such role. */
  rulesOf(kind: string, name: string, namespace: string | undefined): readonly PolicyRule[] | undefined {
    return kind === 'Role' ? this.#roles.get(roleKey(namespace, name)) : this.#clusterRoles.get(name)
  }

  #add(index: Index, binding: RoleBinding | ClusterRoleBinding): void {
    const { kind, name } = binding.roleRef
    const rules = this.rulesOf(kind, name, binding.metadata.namespace)
    for (const subject of binding.subjects ?? []) {
      const key = subjectKey(subject)
      const grants = index.get(key)
      if (grants === undefined) index.set(key, [{ rules, binding, subject }])
      else grants.push({ rules, binding, subject })
    }
  }
}

/** A service account is the user of that name. */
function subjectKey({ kind, name, namespace }: Subject): string {
  switch (kind) {
    case 'User':
      return userKey(name)
    case 'Group':
      return groupKey(name)
    default:
      return userKey(`system:serviceaccount:${namespace ?? ''}:${name}`)
  }
}

function userKey(name: string): string {
  return `user ${name}`
}

function groupKey(name: string): string {
  return `group ${name}`
}

function roleKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`
}
