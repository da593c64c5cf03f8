import type { ResourceDefinition } from '../api/scheme.ts'
import { storedDefinition } from './projection.ts'

/** Where an object lies in the store: `/<group or core>/<plural>/<namespace>/<name>`, without a namespace for kinds that have none. A view lies where its source does. */
export function keyFor(definition: ResourceDefinition, namespace: string | undefined, name: string): string {
  return prefixFor(definition, namespace) + name
}

/** What the keys of all objects of a kind, or of those in one namespace, begin with. */
export function prefixFor(definition: ResourceDefinition, namespace?: string): string {
  const { group, plural } = storedDefinition(definition)
  const kind = `/${group || 'core'}/${plural}/`
  return definition.scope === 'Cluster' || namespace === undefined ? kind : `${kind}${namespace}/`
}
