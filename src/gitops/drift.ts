import type { ApiObject } from '../api/object.ts'
import { contentOf } from '../manifest/apply.ts'
import { findChanges } from '../manifest/changes.ts'
import { nameOf } from './inventory.ts'

/** Somebody else changed what the manifests say. */
export interface Drift {
  /** As in the inventory. */
  readonly id: string
  /** Empty for an object that is gone. */
  readonly fields: readonly string[]
  /** Field managers that have these fields now. */
  readonly managers: readonly string[]
  readonly missing: boolean
}

/** What tells an object from what it would be; undefined when only the owners of fields differ. `managers`: those that have such fields. */
export function driftOf(id: string, before: ApiObject | undefined, after: ApiObject, managers: readonly string[]): Drift | undefined {
  if (before === undefined) return { id, fields: [], managers: [], missing: true }
  const fields = findChanges(contentOf(before), contentOf(after)).map(({ field }) => field)
  if (fields.length === 0) return undefined
  return { id, fields, managers: managers.length > 0 ? [...new Set(managers)].sort() : lastManagers(before), missing: false }
}

/** `Process default/web: spec.replicas (kubectl-edit)` */
export function driftText({ id, fields, managers, missing }: Drift): string {
  if (missing) return `${nameOf(id)} was deleted`
  return `${nameOf(id)}: ${fields.join(', ')}${managers.length === 0 ? '' : ` (${managers.join(', ')})`}`
}

/** Who wrote last, of those that own more than status: a field that was taken away has no owner. */
function lastManagers({ metadata }: ApiObject): readonly string[] {
  const entries = (metadata.managedFields ?? []).filter(({ subresource }) => subresource !== 'status')
  const newest = entries.reduce((time, entry) => ((entry.time ?? '') > time ? (entry.time ?? '') : time), '')
  return entries.flatMap(({ manager, operation, time }) =>
    manager !== undefined && (time ?? '') === newest && operation === 'Update' ? [manager] : [],
  )
}
