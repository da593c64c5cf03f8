import { definitionOf, type ResourceDefinition } from '../api/scheme.ts'
import { exponential } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { runForever } from '../base/loop.ts'
import type { Client } from '../client/client.ts'
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding } from '../generated/types.ts'
import { createLocalClient } from '../registry/local-client.ts'
import type { Registry, UserInfo } from '../registry/registry.ts'
import type { Attributes } from './attributes.ts'
import { type Authorizer, allRules, type Decision, decide } from './authorizer.ts'
import { ensureDefaults } from './ensure-defaults.ts'
import { Grants } from './grants.ts'

const RETRY = exponential({ initial: 100, factor: 2, max: 30_000, jitter: 0.2 })

const ROLES = definitionOf('Role')
const CLUSTER_ROLES = definitionOf('ClusterRole')
const ROLE_BINDINGS = definitionOf('RoleBinding')
const CLUSTER_ROLE_BINDINGS = definitionOf('ClusterRoleBinding')
const KINDS: readonly ResourceDefinition[] = [ROLES, CLUSTER_ROLES, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS]

export interface AccessPolicyOptions {
  readonly registry: Registry
  readonly clock: Clock
  readonly log: Logger
}

/**
 * The roles and bindings of the registry as rules that are asked without waiting. What changed is read anew as a whole: when a watch
 * says so, and at once, before such a write is acknowledged (`refresh`), so that its writer can rely on it. Until the
 * first reading nobody but the masters may do anything.
 */
export class AccessPolicy implements Authorizer {
  readonly #registry: Registry
  readonly #clock: Clock
  readonly #log: Logger
  readonly #handlers = new Set<() => void>()
  #grants = new Grants({ roles: [], clusterRoles: [], roleBindings: [], clusterRoleBindings: [] })
  #reading: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor({ registry, clock, log }: AccessPolicyOptions) {
    this.#registry = registry
    this.#clock = clock
    this.#log = log
  }

  authorize(user: UserInfo, attributes: Attributes): Decision {
    return decide(this.#grants, user, attributes)
  }

  rulesFor(user: UserInfo, namespace: string): readonly PolicyRule[] {
    return allRules(this.#grants, user, namespace)
  }

  rulesOf(kind: string, name: string, namespace: string | undefined): readonly PolicyRule[] | undefined {
    return this.#grants.rulesOf(kind, name, namespace)
  }

  /** Called after each reading: somebody may have fewer rights than before. Returns the unsubscribe. */
  onChange(handler: () => void): () => void {
    this.#handlers.add(handler)
    return () => this.#handlers.delete(handler)
  }

  /** Whether a change of this kind changes what users may do. */
  static concerns(definition: ResourceDefinition): boolean {
    return KINDS.includes(definition)
  }

  /** Resolves once everything that was stored before the call is in force. */
  refresh(): Promise<void> {
    if (this.#reading === undefined) {
      this.#reading = this.#read().finally(() => {
        this.#reading = undefined
      })
      return this.#reading
    }
    // The one under way may have passed by what was stored since it began.
    this.#next ??= this.#reading
      .catch(() => {
        // Whoever asked for that one is told.
      })
      .then(() => {
        this.#next = undefined
        return this.refresh()
      })
    return this.#next
  }

  /**
   * Follows the registry until the signal, and keeps the built-in roles there. `ready` is called after the
   * first attempt to read them, well or not: the masters need no roles, and everybody else waits for them without any rights.
   */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { clock, log } = { clock: this.#clock, log: this.#log }
    const client = createLocalClient(this.#registry, { fieldManager: 'pmk-server' })
    await runForever({ name: 'access policy', clock, log, backoff: RETRY, signal }, async () => {
      const from = await this.#begin(client).finally(ready)
      await this.#follow(from, signal)
    })
  }

  /** The built-in roles, then all there are. Gives the version from which to follow. */
  async #begin(client: Client): Promise<string> {
    const from = this.#registry.resourceVersion()
    try {
      await ensureDefaults(client)
    } catch (err) {
      // A store that takes no writes now must not keep the roles that are there from being followed.
      this.#log.warn({ err }, 'The built-in roles could not be looked after')
    }
    await this.refresh()
    return from
  }

  async #follow(from: string, signal: AbortSignal): Promise<void> {
    const one = new AbortController()
    const both = AbortSignal.any([signal, one.signal])
    try {
      await Promise.all(
        KINDS.map(async (definition) => {
          for await (const { type } of this.#registry.watch(definition, { resourceVersion: from }, both)) {
            if (type !== 'BOOKMARK') await this.refresh()
          }
          // One that is over takes the others along: they begin anew together.
          one.abort()
        }),
      )
    } finally {
      one.abort()
    }
  }

  async #read(): Promise<void> {
    const [roles, clusterRoles, roleBindings, clusterRoleBindings] = await Promise.all([
      this.#list<Role>(ROLES),
      this.#list<ClusterRole>(CLUSTER_ROLES),
      this.#list<RoleBinding>(ROLE_BINDINGS),
      this.#list<ClusterRoleBinding>(CLUSTER_ROLE_BINDINGS),
    ])
    this.#grants = new Grants({ roles, clusterRoles, roleBindings, clusterRoleBindings })
    for (const handler of this.#handlers) handler()
  }

  /** The registry gives objects of the definition's kind, which the caller names. */
  async #list<T>(definition: ResourceDefinition): Promise<readonly T[]> {
    return (await this.#registry.list(definition, {})).items as readonly unknown[] as readonly T[]
  }
}
