import { type ApiError, apiError } from '../api/status.ts'
import { formatFieldPath } from './field-path.ts'
import { type FieldSet, pathsOf } from './field-set.ts'
import type { Owner } from './managed-fields.ts'

/** Fields that somebody else owns and that would get another value. */
export interface Conflict {
  readonly owner: Owner
  readonly fields: FieldSet
}

/** 409 with one cause for each field. The wording is that of Kubernetes, which clients print as it is. */
export function applyConflict(conflicts: readonly Conflict[]): ApiError {
  const single = conflicts
    .flatMap(({ owner, fields }) => pathsOf(fields).map((path) => ({ owner: describe(owner), field: formatFieldPath(path) })))
    .sort((a, b) => (a.owner < b.owner ? -1 : a.owner > b.owner ? 1 : 0))
  const causes = single.map(({ owner, field }) => ({ reason: 'FieldManagerConflict', message: `conflict with ${owner}`, field }))
  return apiError('Conflict', messageOf(single), { causes })
}

function messageOf(single: readonly { readonly owner: string; readonly field: string }[]): string {
  const [first] = single
  if (single.length === 1 && first !== undefined) return `Apply failed with 1 conflict: conflict with ${first.owner}: ${first.field}`
  const byOwner = new Map<string, string[]>()
  for (const { owner, field } of single) byOwner.set(owner, [...(byOwner.get(owner) ?? [`conflicts with ${owner}:`]), `- ${field}`])
  return `Apply failed with ${single.length} conflicts: ${[...byOwner.values()].flat().join('\n')}`
}

function describe({ manager, operation, apiVersion, subresource, time }: Owner): string {
  const name = JSON.stringify(manager) + (subresource === undefined ? '' : ` with subresource ${JSON.stringify(subresource)}`)
  if (operation === 'Apply') return name
  return `${name} using ${apiVersion}${time === undefined ? '' : ` at ${time}`}`
}
