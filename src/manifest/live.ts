import type { ApiObject } from '../api/object.ts'
import { hasReason } from '../api/status.ts'
import type { Client, ResourceClient } from '../client/client.ts'
import type { Placed } from './apply.ts'

/** From so many objects of one kind and namespace on, one list is cheaper than reading each. */
const LIST_FROM = 10

/** What the server has of these objects now. */
export async function readLive(client: Client, placed: readonly Placed[], signal: AbortSignal): Promise<ReadonlyMap<Placed, ApiObject>> {
  const groups = new Map<string, Placed[]>()
  for (const one of placed) {
    const id = `${one.manifest.definition.id} ${one.ref.namespace ?? ''}`
    const group = groups.get(id)
    if (group === undefined) groups.set(id, [one])
    else group.push(one)
  }
  const live = new Map<Placed, ApiObject>()
  for (const group of groups.values()) {
    const [first] = group
    if (first === undefined) continue
    // All clients of kinds have this shape; what is read is only looked at as an ApiObject.
    const resource = client.for(first.manifest.definition.id) as unknown as ResourceClient<ApiObject>
    if (group.length < LIST_FROM) {
      await Promise.all(
        group.map(async (one) => {
          const object = await orAbsent(resource.get(one.ref, { signal }))
          if (object !== undefined) live.set(one, object)
        }),
      )
    } else {
      const { namespace } = first.ref
      const { items } = await resource.list({ signal, ...(namespace !== undefined && { namespace }) })
      const byName = new Map(items.map((object) => [object.metadata.name, object]))
      for (const one of group) {
        const object = byName.get(one.ref.name)
        if (object !== undefined) live.set(one, object)
      }
    }
  }
  return live
}

/** The object, or undefined when there is none (or no namespace for it). */
export async function orAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (err) {
    if (hasReason(err, 'NotFound')) return undefined
    throw err
  }
}
