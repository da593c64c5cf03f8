import type { ApiObject } from '../api/object.ts'
import { hasReason } from '../api/status.ts'
import type { Ref, ResourceClient } from '../client/client.ts'

/**
 * Follows one object until `met` says yes to its state, and gives that state: undefined stands for an object that isn't there.
 * Looks again after a watch that ended or lost its history. Throws the signal's reason when it fires first.
 */
export async function watchUntil<T extends ApiObject>(
  resource: ResourceClient<T>,
  { name, namespace }: Ref,
  signal: AbortSignal,
  met: (object: T | undefined) => boolean,
): Promise<T | undefined> {
  const selection = { fieldSelector: `metadata.name=${name}`, ...(namespace !== undefined && { namespace }) }
  for (;;) {
    signal.throwIfAborted()
    const { items, resourceVersion } = await resource.list({ ...selection, signal })
    const [first] = items
    if (met(first)) return first
    try {
      for await (const event of resource.watch({ ...selection, resourceVersion, signal })) {
        if (event.type === 'BOOKMARK') continue
        const object = event.type === 'DELETED' ? undefined : event.object
        if (met(object)) return object
      }
    } catch (err) {
      // A watch that the server ended, and one whose history is gone, begin anew; a server that is gone fails the list.
      if (!hasReason(err, 'Expired') && !hasReason(err, 'ServiceUnavailable')) throw err
    }
  }
}
