import type { ApiObject } from '../api/object.ts'
import { hasReason } from '../api/status.ts'
import { inParallel } from '../base/in-parallel.ts'
import type { Client, ResourceClient } from '../client/client.ts'
import { parseInventoryId } from './inventory.ts'
import { isKeptFromPruning, isSameSource, ownerOf, type SourceRef } from './ownership.ts'
import { SOURCE_NAME_LABEL, SOURCE_NAMESPACE_LABEL } from './well-known.ts'

const PARALLEL = 16

export interface Farewell {
  readonly client: Client
  readonly source: SourceRef
  readonly inventory: readonly string[]
  readonly signal: AbortSignal
}

/** Deletes what a source that goes has applied; what is kept from pruning is given free. How many are still there. */
export async function removeObjects(work: Farewell): Promise<number> {
  const left = await inParallel(work.inventory, PARALLEL, async (id) => {
    const found = await own(work, id)
    if (found === undefined) return false
    const { object, resource } = found
    if (isKeptFromPruning(object)) {
      await release(work, object, resource)
      return false
    }
    if (object.metadata.deletionTimestamp !== undefined) return true
    try {
      return (await resource.delete(object.metadata, { uid: object.metadata.uid, signal: work.signal })) !== undefined
    } catch (err) {
      if (hasReason(err, 'NotFound')) return false
      throw err
    }
  })
  return left.filter(Boolean).length
}

/** Takes the labels of a source that goes off what it has applied. */
export async function releaseObjects(work: Farewell): Promise<void> {
  await inParallel(work.inventory, PARALLEL, async (id) => {
    const found = await own(work, id)
    if (found !== undefined) await release(work, found.object, found.resource)
  })
}

async function release({ signal }: Farewell, object: ApiObject, resource: ResourceClient<ApiObject>): Promise<void> {
  const labels = { [SOURCE_NAME_LABEL]: null, [SOURCE_NAMESPACE_LABEL]: null }
  try {
    await resource.patch(object.metadata, { type: 'merge', value: { metadata: { labels } } }, { signal })
  } catch (err) {
    if (!hasReason(err, 'NotFound')) throw err
  }
}

async function own(
  { client, source, signal }: Farewell,
  id: string,
): Promise<{ readonly object: ApiObject; readonly resource: ResourceClient<ApiObject> } | undefined> {
  const parsed = parseInventoryId(id)
  if (parsed === undefined) return undefined
  const resource = client.for(parsed.definition.kind) as unknown as ResourceClient<ApiObject>
  try {
    const object = await resource.get(parsed.ref, { signal })
    return isSameSource(ownerOf(object), source) ? { object, resource } : undefined
  } catch (err) {
    if (hasReason(err, 'NotFound')) return undefined
    throw err
  }
}
