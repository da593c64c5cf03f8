import { definitions, type ResourceDefinition } from '../api/scheme.ts'
import type { Ref } from '../client/client.ts'
import type { Placed } from '../manifest/apply.ts'

/** An object in status.inventory: `processes.pmk.dev/default/web`, `namespaces//prod`. */
export function inventoryId({ plural, group }: ResourceDefinition, { namespace = '', name }: Ref): string {
  return `${group === '' ? plural : `${plural}.${group}`}/${namespace}/${name}`
}

export function idOf({ manifest, ref }: Placed): string {
  return inventoryId(manifest.definition, ref)
}

const byResource = new Map(
  definitions.map((definition) => [inventoryId(definition, { name: '' }).replace('//', ''), definition] as const).reverse(),
)

/** Undefined for a kind that this version doesn't know. */
export function parseInventoryId(id: string): { readonly definition: ResourceDefinition; readonly ref: Ref } | undefined {
  const [resource = '', namespace = '', name = ''] = id.split('/')
  const definition = byResource.get(resource)
  if (definition === undefined || name === '') return undefined
  return { definition, ref: namespace === '' ? { name } : { namespace, name } }
}

/** As people read it: `Process default/web`. */
export function nameOf(id: string): string {
  const parsed = parseInventoryId(id)
  if (parsed === undefined) return id
  const { definition, ref } = parsed
  return `${definition.kind} ${ref.namespace === undefined ? '' : `${ref.namespace}/`}${ref.name}`
}

const sets = new WeakMap<readonly string[], ReadonlySet<string>>()

/** Whether an object is in an inventory. Cheap when the same one is asked again. */
export function isListed(inventory: readonly string[] | undefined, id: string): boolean {
  if (inventory === undefined) return false
  let set = sets.get(inventory)
  if (set === undefined) {
    set = new Set(inventory)
    sets.set(inventory, set)
  }
  return set.has(id)
}
