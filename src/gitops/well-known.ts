import { createHash } from 'node:crypto'

/** Labels of every object that a source applies: who keeps it. */
export const SOURCE_NAME_LABEL = 'pmk.dev/source'
export const SOURCE_NAMESPACE_LABEL = 'pmk.dev/source-namespace'

/** On an object: `disabled` keeps it from being pruned. */
export const PRUNE_ANNOTATION = 'pmk.dev/prune'
/** On an object: `disabled` leaves its text without substitution. */
export const SUBSTITUTE_ANNOTATION = 'pmk.dev/substitute'

/** On a source: another value asks for a pass now. What `pmk sync NAME` writes. */
export const SYNC_REQUESTED_ANNOTATION = 'pmk.dev/sync-requested'
/** On a source: the token of status.pendingPrune that may be carried out. What `pmk sync NAME --confirm-prune` writes. */
export const CONFIRM_PRUNE_ANNOTATION = 'pmk.dev/confirm-prune'

/** What keeps a deleted source until its objects are pruned or given free. */
export const SOURCE_FINALIZER = 'pmk.dev/source'

/** What a field manager may be long. */
const LONGEST_MANAGER = 128

/** The field manager of a source. Not `pmk-…`: `pmk apply` takes those fields without asking. */
export function fieldManagerOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  const manager = `source:${namespace}/${name}`
  // Only the longest of names in the longest of namespaces.
  return manager.length <= LONGEST_MANAGER ? manager : `source:${createHash('sha256').update(manager).digest('hex')}`
}

/** On a source: what made it. */
export const MADE_BY_LABEL = 'pmk.dev/made-by'
/** Of a source that `pmk server run --manifests` made and may change. */
export const MADE_BY_FLAG = 'manifests-flag'
