import { hasReason } from '../api/status.ts'
import type { Client } from '../client/client.ts'
import type { ManifestSource } from '../generated/types.ts'
import { nameOf } from './inventory.ts'
import { refOf } from './ownership.ts'
import { releaseObjects, removeObjects } from './removal.ts'
import type { Finding } from './source-status.ts'
import { SOURCE_FINALIZER } from './well-known.ts'

export interface Farewell {
  readonly client: Client
  readonly source: ManifestSource
  /** Gives back what is kept on disk for it. */
  readonly discard: () => Promise<void>
  readonly signal: AbortSignal
}

/**
 * What a source that is being deleted has to do: its objects are deleted or given free, as spec.deletionPolicy says, then it goes.
 * Gives what it still waits for, if anything.
 */
export async function endSource({ client, source, discard, signal }: Farewell): Promise<Finding | undefined> {
  const { metadata, spec, status } = source
  if (!(metadata.finalizers ?? []).includes(SOURCE_FINALIZER)) return undefined
  const inventory = status?.inventory ?? []
  const options = { client, source: refOf(source), signal }
  if (spec.deletionPolicy === 'Prune') {
    const removed = await removeObjects(options, inventory)
    const [first, ...others] = inventory.filter((id) => removed.get(id)?.state === 'going')
    if (first !== undefined) {
      const message = `Waits for ${nameOf(first)}${others.length === 0 ? '' : ` and ${others.length} more`} to be gone`
      return { ready: 'False', reason: 'Deleting', message, reconciling: true, stalled: false }
    }
  }
  // With Prune this is what is kept from it.
  await releaseObjects(options, inventory)
  await discard()
  const finalizers = (metadata.finalizers ?? []).filter((name) => name !== SOURCE_FINALIZER)
  try {
    await client.for('ManifestSource').update({ ...source, metadata: { ...metadata, finalizers } }, { signal })
  } catch (err) {
    if (!hasReason(err, 'NotFound')) throw err
  }
  return undefined
}
