import { type ApiObject, type Kind, type ObjectKey, objectKey } from '../api/object.ts'
import type { Client } from '../client/client.ts'
import type { ManifestSource } from '../generated/types.ts'
import { parseInventoryId } from './inventory.ts'
import { isKeptFromPruning, isSameSource, ownerOf, refOf } from './ownership.ts'
import { confirmationOf, type PendingPrune } from './prune-guard.ts'
import { removeObjects } from './removal.ts'
import type { Fetched, FetchFailure, Snapshot } from './snapshot.ts'
import { count, type Finding } from './source-status.ts'

/** Nothing that is tried again by itself would make these better. */
const STALLS: ReadonlySet<FetchFailure> = new Set([
  'PathNotFound',
  'PathUnreadable',
  'NoManifests',
  'TooLarge',
  'AuthenticationFailed',
  'RefNotFound',
  'VerificationFailed',
  'SecretNotFound',
])

/** A source that holds nothing any more: what it applied may go, if somebody says so. */
const EMPTIED: ReadonlySet<FetchFailure> = new Set(['PathNotFound', 'NoManifests'])

type Cached = (id: Kind, key: ObjectKey) => ApiObject | undefined

export interface FailedFetch {
  readonly client: Client
  readonly source: ManifestSource
  readonly failed: Fetched & { readonly type: 'failed' }
  readonly cached: Cached
  readonly signal: AbortSignal
}

/** What to say when nothing could be read. Removes what the source applied when that was confirmed: `removed` says how many. */
export async function fetchFailed({
  client,
  source,
  failed,
  cached,
  signal,
}: FailedFetch): Promise<{ readonly finding: Finding; readonly removed?: number }> {
  const { spec, status } = source
  const { reason, message } = failed
  const finding: Finding = {
    ready: 'False',
    reason,
    message,
    reconciling: !STALLS.has(reason),
    stalled: STALLS.has(reason),
    problems: [{ file: spec.path ?? spec.git?.url ?? '', message }],
    pendingPrune: 'none',
  }
  const ids = spec.prune && EMPTIED.has(reason) ? removable(source, cached) : []
  if (ids.length === 0) return { finding }
  const pending = confirmationOf(source, ids.length, message)
  if (pending !== undefined) return { finding: unconfirmed(source, pending, finding) }
  const removed = await removeObjects({ client, source: refOf(source), signal }, status?.inventory ?? [])
  const all = [...removed]
  const inventory = all.filter(([, { state }]) => state === 'kept').map(([id]) => id)
  return {
    finding: { ...finding, inventory: inventory.sort(), notes: all.flatMap(([, { note }]) => note ?? []) },
    removed: all.filter(([, { deleted }]) => deleted).length,
  }
}

/** The files hold no object any more: what must be confirmed before all that the source applied is removed, if anything must. */
export function nothingLeft(source: ManifestSource, snapshot: Snapshot, cached: Cached): Finding | undefined {
  const ids = source.spec.prune ? removable(source, cached) : []
  if (ids.length === 0) return undefined
  const message = `no object in ${count(snapshot.files.length, 'file')}`
  const pending = confirmationOf(source, ids.length, message)
  if (pending === undefined) return undefined
  const finding: Finding = {
    ready: 'False',
    reason: 'NoManifests',
    message,
    reconciling: false,
    stalled: true,
    problems: [],
    attemptedRevision: snapshot.revision,
    files: snapshot.files.length,
  }
  return unconfirmed(source, pending, finding)
}

/** Nothing may be changed before what is being written has been left alone for a moment. */
export function unsettled(path: string): Finding {
  const message = `${path} is being written; waits until it is left alone`
  return { ready: 'Unknown', reason: 'Unsettled', message, reconciling: true, stalled: false }
}

function unconfirmed({ metadata }: ManifestSource, pendingPrune: PendingPrune, finding: Finding): Finding {
  const namespace = metadata.namespace === 'default' ? '' : ` -n ${metadata.namespace}`
  const message = `${finding.message}. ${count(pendingPrune.objects, 'object')} would be removed: pmk sync ${metadata.name}${namespace} --confirm-prune`
  return { ...finding, reason: 'PruneNeedsConfirmation', message, reconciling: false, stalled: true, pendingPrune }
}

/** What a prune of everything would take away, as far as a cache shows. */
function removable(source: ManifestSource, cached: Cached): readonly string[] {
  return (source.status?.inventory ?? []).filter((id) => {
    const parsed = parseInventoryId(id)
    if (parsed === undefined) return false
    const object = cached(parsed.definition.id, objectKey(parsed.ref.namespace, parsed.ref.name))
    return object !== undefined && isSameSource(ownerOf(object), refOf(source)) && !isKeptFromPruning(object)
  })
}
