import { hasReason } from '../api/status.ts'
import { jsonEqual } from '../base/json.ts'
import type { Client } from '../client/client.ts'
import type { ManifestSource, ManifestSourceStatus } from '../generated/types.ts'

/** The source as it is stored, which a cache may not show yet: an older inventory would forget objects. Undefined when it is gone. */
export async function readSource(
  client: Client,
  ref: { readonly name: string; readonly namespace?: string },
  signal: AbortSignal,
): Promise<ManifestSource | undefined> {
  try {
    return await client.for('ManifestSource').get(ref, { signal })
  } catch (err) {
    if (hasReason(err, 'NotFound')) return undefined
    throw err
  }
}

/**
 * Writes a status that was made from that of `source`, if it says something new, and gives the source as it is then. Somebody
 * may annotate the source meanwhile; when its status is another, too, Conflict is thrown: then this one isn't true any more.
 */
export async function writeStatus(
  client: Client,
  source: ManifestSource,
  status: ManifestSourceStatus,
  signal: AbortSignal,
): Promise<ManifestSource> {
  if (isSameStatus(source.status, status)) return source
  const sources = client.for('ManifestSource')
  try {
    return await sources.updateStatus({ ...source, status }, { signal })
  } catch (err) {
    if (hasReason(err, 'NotFound')) return source
    if (!hasReason(err, 'Conflict')) throw err
    const stored = await readSource(client, source.metadata, signal)
    if (stored === undefined) return source
    if (stored.metadata.uid !== source.metadata.uid || !jsonEqual(stored.status, source.status)) throw err
    return await sources.updateStatus({ ...stored, status }, { signal })
  }
}

/** The time of the last pass alone is not worth a write. */
function isSameStatus(before: ManifestSourceStatus | undefined, after: ManifestSourceStatus): boolean {
  const { lastAppliedTime: _, ...rest } = after
  const { lastAppliedTime: __, ...restBefore } = before ?? {}
  return jsonEqual(rest, restBefore)
}
