import type { ManagedFieldsEntry, Process } from '../generated/types.ts'

/** Who changed what the Process asks for last, as far as its managed fields tell. */
export function rolloutActor({ metadata }: Process): string | undefined {
  let last: ManagedFieldsEntry | undefined
  for (const entry of metadata.managedFields ?? []) {
    if (entry.subresource === 'status' || !touchesSpec(entry)) continue
    // Whole seconds: of two in the same second the later in the list came later.
    if (last === undefined || (entry.time ?? '') >= (last.time ?? '')) last = entry
  }
  return last?.manager
}

function touchesSpec({ fieldsV1 }: ManagedFieldsEntry): boolean {
  return fieldsV1 === undefined || Object.hasOwn(fieldsV1, 'f:spec')
}
