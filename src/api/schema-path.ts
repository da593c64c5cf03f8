import type { JsonSchema } from './scheme.ts'
import { branchFor, type Path, schemaOfField } from './structure.ts'

/** The steps of a JSON pointer; digits are an index only in a list. */
export function pathOf(schema: JsonSchema, pointer: string): Path {
  const path: (string | number)[] = []
  let at: JsonSchema | undefined = schema
  for (const step of pointer.split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~')
    if (at?.items !== undefined) {
      path.push(Number(name))
      at = at.items
    } else {
      path.push(name)
      at = at === undefined ? undefined : schemaOfField(at.oneOf === undefined ? at : branchFor(at, {}), name)
    }
  }
  return path
}

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
