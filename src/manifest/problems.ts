import type { ApiError } from '../api/status.ts'
import type { Placed } from './apply.ts'
import type { Problem } from './manifest.ts'

/** What the server has against an object, by file, line and field. At least one. */
export function problemsOf({ manifest }: Placed, err: ApiError): readonly Problem[] {
  const { file, line, lineOf } = manifest.origin
  const strict = strictErrorsOf(err)
  if (strict.length > 0) return strict.map(({ field, text }) => ({ file, line: lineOf(field), message: text }))
  const causes = err.status.reason === 'Invalid' ? (err.status.details?.causes ?? []) : []
  if (causes.length > 0) return causes.map(({ field, message }) => ({ file, line: lineOf(field), ...(field !== '' && { field }), message }))
  return [{ file, line, message: err.status.message }]
}

/** Unknown and doubled fields that a strict server names in one sentence. */
export function strictErrorsOf(err: ApiError): readonly { readonly field: string; readonly text: string }[] {
  const list = /strict decoding error: (.*)$/s.exec(err.status.message)?.[1]
  if (list === undefined) return []
  return list.split(/, (?=unknown field|duplicate field)/).map((text) => ({ text, field: /"([^"]*)"/.exec(text)?.[1] ?? '' }))
}
