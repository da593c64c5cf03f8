import type { JsonSchema } from './scheme.ts'
import { branchFor, type Path, schemaOfField } from './structure.ts'

/** `spec.env[2].name`, `spec.rlimits[nofile]`: fields after a dot, indexes and keys of maps in brackets. */
export function formatPath(schema: JsonSchema, path: Path): string {
  let text = ''
  let at: JsonSchema | undefined = schema
  for (const step of path) {
    if (typeof step === 'number') {
      text += `[${step}]`
      at = at?.items
      continue
    }
    const shape: JsonSchema | undefined = at?.oneOf === undefined ? at : branchFor(at, {})
    const isKey = shape?.properties === undefined && typeof shape?.additionalProperties === 'object'
    text += isKey ? `[${step}]` : `${text === '' ? '' : '.'}${step}`
    at = shape === undefined ? undefined : schemaOfField(shape, step)
  }
  return text
}
