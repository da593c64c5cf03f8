import type { ApiObject, Kind } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import type { KindMap } from '../generated/types.ts'
import { configMapStrategy } from './config-map-strategy.ts'
import { eventStrategy, eventsV1EventStrategy } from './event-strategy.ts'
import { instanceStrategy } from './instance-strategy.ts'
import { leaseStrategy } from './lease-strategy.ts'
import { manifestSourceStrategy } from './manifest-source-strategy.ts'
import { namespaceStrategy } from './namespace-strategy.ts'
import { processStrategy } from './process-strategy.ts'
import { revisionStrategy } from './revision-strategy.ts'
import { clusterRoleBindingStrategy, roleBindingStrategy } from './role-binding-strategy.ts'
import { clusterRoleStrategy, roleStrategy } from './role-strategy.ts'
import { secretStrategy } from './secret-strategy.ts'
import type { Strategy } from './strategy.ts'
import { tokenStrategy } from './token-strategy.ts'

const strategies: { readonly [K in Kind]?: Strategy<KindMap[K]> } = {
  ClusterRole: clusterRoleStrategy,
  ClusterRoleBinding: clusterRoleBindingStrategy,
  ConfigMap: configMapStrategy,
  Event: eventStrategy,
  EventsV1Event: eventsV1EventStrategy,
  Instance: instanceStrategy,
  ManifestSource: manifestSourceStrategy,
  Lease: leaseStrategy,
  Namespace: namespaceStrategy,
  Process: processStrategy,
  Revision: revisionStrategy,
  Role: roleStrategy,
  RoleBinding: roleBindingStrategy,
  Secret: secretStrategy,
  Token: tokenStrategy,
}

/** The rules of a kind; a kind without any of its own has none. */
export function strategyOf(definition: ResourceDefinition): Strategy<ApiObject> {
  // Each strategy is only given objects that have passed the schema of its kind.
  return (strategies[definition.id] ?? {}) as object as Strategy<ApiObject>
}
