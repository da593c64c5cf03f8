import { hasReason } from '../api/status.ts'
import type { Client, Ref } from '../client/client.ts'
import type { Instance, Process } from '../generated/types.ts'
import { watchUntil } from './watch-until.ts'

/** A Process with its Instances, in the order of their numbers. */
export interface ProcessView {
  /** Undefined when it is not there. */
  readonly process: Process | undefined
  readonly instances: readonly Instance[]
}

/**
 * Follows a Process together with its Instances until `answer` gives one. It is asked again after each change of any of them.
 * Throws the signal's reason when that fires first.
 */
export async function followProcess<T>(
  client: Client,
  ref: Ref,
  signal: AbortSignal,
  answer: (view: ProcessView) => T | undefined,
): Promise<T> {
  const answered = new AbortController()
  const both = AbortSignal.any([signal, answered.signal])
  const byName = new Map<string, Instance>()
  let process: Process | undefined
  let found: T | undefined
  const seen = new Set<'process' | 'instances'>()
  const look = (): boolean => {
    if (found === undefined && seen.size === 2) {
      const instances = [...byName.values()].sort((a, b) => a.spec.index - b.spec.index)
      found = answer({ process, instances })
      if (found !== undefined) answered.abort()
    }
    return found !== undefined
  }
  let failure: { readonly err: unknown } | undefined
  const halves: readonly Promise<unknown>[] = [
    watchUntil(client.for('Process'), ref, both, (object) => {
      process = object
      seen.add('process')
      return look()
    }),
    watchInstances(client, ref, both, byName, () => {
      seen.add('instances')
      return look()
    }),
  ]
  // The end of one half, by an answer or a failure, ends the other.
  await Promise.all(
    halves.map((half) =>
      half.catch((err: unknown) => {
        if (!both.aborted) failure = { err }
        answered.abort()
      }),
    ),
  )
  if (found !== undefined) return found
  signal.throwIfAborted()
  throw failure?.err
}

async function watchInstances(
  client: Client,
  { name, namespace }: Ref,
  signal: AbortSignal,
  byName: Map<string, Instance>,
  changed: () => boolean,
): Promise<void> {
  const selection = { fieldSelector: `spec.process=${name}`, ...(namespace !== undefined && { namespace }) }
  for (;;) {
    signal.throwIfAborted()
    const { items, resourceVersion } = await client.for('Instance').list({ ...selection, signal })
    byName.clear()
    for (const item of items) byName.set(item.metadata.name, item)
    if (changed()) return
    try {
      for await (const event of client.for('Instance').watch({ ...selection, resourceVersion, signal })) {
        if (event.type === 'BOOKMARK') continue
        if (event.type === 'DELETED') byName.delete(event.object.metadata.name)
        else byName.set(event.object.metadata.name, event.object)
        if (changed()) return
      }
    } catch (err) {
      if (!hasReason(err, 'Expired')) throw err
    }
  }
}
