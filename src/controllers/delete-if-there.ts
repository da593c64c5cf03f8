import type { ApiObject } from '../api/object.ts'
import { hasReason } from '../api/status.ts'
import type { DeleteOptions, Ref, ResourceClient } from '../client/client.ts'

/** Deletes an object; that it is gone already is what was wanted. Undefined when it is gone. */
export async function deleteIfThere<T extends ApiObject>(
  client: ResourceClient<T>,
  ref: Ref,
  options: DeleteOptions,
): Promise<T | undefined> {
  try {
    return await client.delete(ref, options)
  } catch (err) {
    if (hasReason(err, 'NotFound')) return undefined
    throw err
  }
}
