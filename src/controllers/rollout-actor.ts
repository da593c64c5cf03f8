import type { ManagedFieldsEntry, Process } from '../generated/types.ts'

/** Who changed what the Process asks for last, or one field of its spec, as far as its managed fields tell. */
export function rolloutActor({ metadata }: Process, field?: 'restartedAt'): string | undefined {
  let last: ManagedFieldsEntry | undefined
  for (const entry of metadata.managedFields ?? []) {
    if (entry.subresource === 'status' || !touches(entry, field)) continue
    // Whole seconds: of two in the same second the later in the list came later.
    if (last === undefined || (entry.time ?? '') >= (last.time ?? '')) last = entry
  }
  return last?.manager
}

function touches({ fieldsV1 }: ManagedFieldsEntry, field: string | undefined): boolean {
  const spec = (fieldsV1 as Readonly<Record<string, object>> | undefined)?.['f:spec']
  return spec !== undefined && (field === undefined || Object.hasOwn(spec, `f:${field}`))
}
