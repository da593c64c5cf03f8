import type { ApiObject } from '../api/object.ts'
import type { Client, ResourceClient } from '../client/client.ts'
import { appliedDefinitions } from './applied-kinds.ts'
import { inventoryId } from './inventory.ts'
import type { SourceRef } from './ownership.ts'
import { SOURCE_NAME_LABEL, SOURCE_NAMESPACE_LABEL } from './well-known.ts'

/** What bears the labels of a source, in all namespaces: the inventory of one that nothing else is known of. Sorted. */
export async function labelledObjects(client: Client, { namespace, name }: SourceRef, signal: AbortSignal): Promise<readonly string[]> {
  const labelSelector = `${SOURCE_NAME_LABEL}=${name},${SOURCE_NAMESPACE_LABEL}=${namespace}`
  const lists = await Promise.all(
    appliedDefinitions.map(async (definition) => {
      const { items } = await (client.for(definition.id) as unknown as ResourceClient<ApiObject>).list({ labelSelector, signal })
      return items.map(({ metadata }) => inventoryId(definition, metadata))
    }),
  )
  return lists.flat().sort()
}
