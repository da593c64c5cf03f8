import type { ApiObject, Kind } from '../../src/api/object.ts'
import { apiError } from '../../src/api/status.ts'
import type { Client, ResourceClient } from '../../src/client/client.ts'
import type { KindMap } from '../../src/generated/types.ts'

/** What happens to a write: done; lost on the way there; done, and its answer lost on the way back. */
export type Fate = 'done' | 'lost' | 'unanswered'

const WRITES = ['create', 'update', 'updateStatus', 'patch', 'delete'] as const

/** A Client over a connection that breaks: `fateOf` is asked before each write that stores something, with its number. */
export function faultyClient(client: Client, fateOf: (write: number) => Fate): Client {
  let writes = 0
  return {
    for<K extends Kind>(kind: K): ResourceClient<KindMap[K]> {
      const inner = client.for(kind)
      const faulty: Record<string, unknown> = { get: inner.get.bind(inner), list: inner.list.bind(inner), watch: inner.watch.bind(inner) }
      for (const verb of WRITES) {
        const call = inner[verb].bind(inner) as (...args: readonly unknown[]) => Promise<ApiObject>
        faulty[verb] = async (...args: readonly unknown[]): Promise<ApiObject> => {
          const isDryRun = (args.at(-1) as { readonly dryRun?: boolean } | undefined)?.dryRun === true
          const fate = isDryRun ? 'done' : fateOf(++writes)
          if (fate === 'lost') throw apiError('ServiceUnavailable', 'connection refused')
          const answer = await call(...args)
          if (fate === 'unanswered') throw apiError('ServiceUnavailable', 'connection reset')
          return answer
        }
      }
      // It has the methods of the client that it wraps.
      return faulty as unknown as ResourceClient<KindMap[K]>
    },
  }
}
