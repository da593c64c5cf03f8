import { forbiddenField, invalidField, tooLongField } from '../api/field-errors.ts'
import type { Cause } from '../api/status.ts'
import { isJsonObject, jsonEqual } from '../base/json.ts'
import type { Secret } from '../generated/types.ts'
import type { Strategy } from './strategy.ts'

/** In bytes; as in Kubernetes. */
const MAX_SECRET = 1024 * 1024

export const secretStrategy: Strategy<Secret> = {
  /** Texts become data and win over data of the same key; they are never stored or shown. */
  normalize(body) {
    const { stringData, ...rest } = body
    // Texts of another type are left for the schema to refuse.
    if (!isJsonObject(stringData) || !Object.values(stringData).every((text) => typeof text === 'string')) return body
    if (body.data !== undefined && body.data !== null && !isJsonObject(body.data)) return body
    const encoded = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(String(text), 'utf8').toString('base64')])
    return { ...rest, data: { ...(body.data as object | undefined), ...Object.fromEntries(encoded) } }
  },

  validate(next, prev) {
    const size = Object.values(next.data ?? {}).reduce((sum, text) => sum + Buffer.byteLength(text, 'base64'), 0)
    const causes: Cause[] = size > MAX_SECRET ? [tooLongField('data', `may not be more than ${MAX_SECRET} bytes in all`)] : []
    if (prev === undefined) return causes
    if (next.type !== prev.type) causes.push(invalidField('type', next.type, 'field is immutable'))
    return [...causes, ...checkImmutableData(next, prev, ['data'])]
  },
}

/** An immutable Secret or ConfigMap stays so, with its data. Values are not shown. */
export function checkImmutableData<T extends { readonly immutable?: boolean }>(
  next: T,
  prev: T,
  fields: readonly (keyof T & string)[],
): readonly Cause[] {
  if (prev.immutable !== true) return []
  const why = 'field is immutable when `immutable` is set'
  const causes = fields.filter((field) => !jsonEqual(next[field] ?? {}, prev[field] ?? {})).map((field) => forbiddenField(field, why))
  return next.immutable === true ? causes : [forbiddenField('immutable', why), ...causes]
}
