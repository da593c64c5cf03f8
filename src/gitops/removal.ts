import type { ApiObject } from '../api/object.ts'
import { controllerOf } from '../api/owners.ts'
import { keptDefinitions } from '../api/scheme.ts'
import { ApiError, hasReason } from '../api/status.ts'
import { inParallel, WRITES } from '../base/in-parallel.ts'
import type { Client, ResourceClient } from '../client/client.ts'
import { rankOf } from '../manifest/order.ts'
import { isPassing } from './failures.ts'
import { inventoryId, nameOf, parseInventoryId } from './inventory.ts'
import { isKeptFromPruning, isSameSource, ownerOf, type SourceRef } from './ownership.ts'
import { released } from './release.ts'

export interface RemovalOptions {
  readonly client: Client
  /** Only what is still this source's is touched. */
  readonly source: SourceRef
  readonly signal: AbortSignal
}

/**
 * gone: not there any more, or given free. going: deleted, and there until its finalizers are done. lost: not this source's any
 * more. kept: it stays, and stays in the inventory, `note` says why.
 */
export interface Removed {
  readonly state: 'gone' | 'going' | 'lost' | 'kept'
  /** Whether it was deleted just now. */
  readonly deleted: boolean
  readonly note?: string
}

const GONE: Removed = { state: 'gone', deleted: false }
const GOING: Removed = { state: 'going', deleted: false }

/**
 * Deletes objects of a source by inventory, those first that need others. Namespaces come last, and only when nothing is left in
 * them that somebody else would miss. Throws what makes going on pointless; what the server refuses for good is kept.
 */
export async function removeObjects(options: RemovalOptions, ids: readonly string[]): Promise<ReadonlyMap<string, Removed>> {
  const results = new Map<string, Removed>()
  const ranks = new Map<number, string[]>()
  for (const id of ids) {
    const parsed = parseInventoryId(id)
    if (parsed === undefined) results.set(id, kept(`${id} is left alone: this version knows no such kind`))
    else ranks.set(rankOf(parsed.definition.kind), [...(ranks.get(rankOf(parsed.definition.kind)) ?? []), id])
  }
  for (const [, group] of [...ranks].sort(([a], [b]) => b - a)) {
    await inParallel(group, WRITES, async (id) => {
      options.signal.throwIfAborted()
      results.set(id, await removeOne(options, id, results))
    })
  }
  return results
}

async function removeOne(options: RemovalOptions, id: string, others: ReadonlyMap<string, Removed>): Promise<Removed> {
  const found = await find(options, id)
  if (found === undefined) return GONE
  const { object, resource } = found
  if (!isSameSource(ownerOf(object), options.source))
    return { state: 'lost', deleted: false, note: `${nameOf(id)} is left alone: it is not this source's any more` }
  if (object.metadata.deletionTimestamp !== undefined) return GOING
  if (isKeptFromPruning(object)) return kept(`${nameOf(id)} is kept: its annotation pmk.dev/prune is disabled`)
  if (object.kind === 'Namespace') {
    const missed = await missedIn(options, object.metadata.name, others)
    if (missed !== undefined) return kept(`${nameOf(id)} is kept: ${nameOf(missed)} is in it and would go with it`)
  }
  try {
    const left = await resource.delete(object.metadata, { uid: object.metadata.uid, signal: options.signal })
    return { state: left === undefined ? 'gone' : 'going', deleted: true }
  } catch (err) {
    if (hasReason(err, 'NotFound')) return GONE
    if (!(err instanceof ApiError) || isPassing(err)) throw err
    return kept(`${nameOf(id)} could not be deleted: ${err.status.message}`)
  }
}

/** An object of a namespace that nobody asked to delete. What is made from others goes with those. */
async function missedIn(
  { client, signal }: RemovalOptions,
  namespace: string,
  removed: ReadonlyMap<string, Removed>,
): Promise<string | undefined> {
  for (const definition of keptDefinitions) {
    if (definition.scope === 'Cluster' || definition.kind === 'Event') continue
    const { items } = await (client.for(definition.id) as unknown as ResourceClient<ApiObject>).list({ namespace, signal })
    const missed = items
      .filter((object) => object.metadata.deletionTimestamp === undefined && controllerOf(object) === undefined)
      .map(({ metadata }) => inventoryId(definition, metadata))
      .find((id) => !['gone', 'going'].includes(removed.get(id)?.state ?? ''))
    if (missed !== undefined) return missed
  }
  return undefined
}

/** Takes the mark of a source off what it applied; the objects stay as they are and belong to nobody. */
export async function releaseObjects(options: RemovalOptions, ids: readonly string[]): Promise<void> {
  await inParallel(ids, WRITES, async (id) => {
    options.signal.throwIfAborted()
    const found = await find(options, id)
    if (found === undefined || !isSameSource(ownerOf(found.object), options.source)) return
    try {
      await found.resource.update(released(found.object, options.source), { signal: options.signal })
    } catch (err) {
      if (!hasReason(err, 'NotFound')) throw err
    }
  })
}

async function find(
  { client, signal }: RemovalOptions,
  id: string,
): Promise<{ readonly object: ApiObject; readonly resource: ResourceClient<ApiObject> } | undefined> {
  const parsed = parseInventoryId(id)
  if (parsed === undefined) return undefined
  const resource = client.for(parsed.definition.id) as unknown as ResourceClient<ApiObject>
  try {
    return { object: await resource.get(parsed.ref, { signal }), resource }
  } catch (err) {
    if (hasReason(err, 'NotFound')) return undefined
    throw err
  }
}

function kept(note: string): Removed {
  return { state: 'kept', deleted: false, note }
}
