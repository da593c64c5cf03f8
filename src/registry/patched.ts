import { applyJsonPatch, applyMergePatch } from '../api/patch.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import { requireModest } from '../api/size.ts'
import { applyStrategicMerge } from '../api/strategic-merge.ts'
import type { Patch } from '../client/client.ts'

/** A patch whose result is then written like any other object. */
export type OrdinaryPatch = Exclude<Patch, { readonly type: 'apply' }>

/** What a patch makes of `target`, which isn't altered. Throws ApiError. */
export function patched(definition: ResourceDefinition, target: unknown, patch: OrdinaryPatch): unknown {
  const result = apply(definition, target, patch)
  requireModest(result)
  return result
}

function apply(definition: ResourceDefinition, target: unknown, patch: OrdinaryPatch): unknown {
  // biome-ignore lint/nursery/useExhaustiveSwitchCases: it doesn't see that Exclude took the other case away; the compiler does
  switch (patch.type) {
    case 'json':
      return applyJsonPatch(target, patch.operations)
    case 'merge':
      return applyMergePatch(target, patch.value)
    case 'strategic':
      return applyStrategicMerge(definition.schema, target, patch.value)
  }
}
