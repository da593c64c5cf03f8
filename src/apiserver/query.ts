import { apiError, type Cause } from '../api/status.ts'

/** The query of a request. A name that occurs several times keeps all its values. */
export type Query = URLSearchParams

export function queryOf(url: string): Query {
  const mark = url.indexOf('?')
  return new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
}

/** Undefined when absent or empty, which Kubernetes takes for the same. */
export function textParameter(query: Query, name: string): string | undefined {
  return query.get(name) || undefined
}

/** `watch`, `watch=1`, `watch=true`. */
export function booleanParameter(query: Query, name: string): boolean | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (text === '' || text === '1' || text.toLowerCase() === 'true') return true
  if (text === '0' || text.toLowerCase() === 'false') return false
  throw apiError('BadRequest', `query parameter ${name}: must be true or false, got ${JSON.stringify(text)}`)
}

export function integerParameter(query: Query, name: string): number | undefined {
  const text = textParameter(query, name)
  if (text === undefined) return undefined
  if (!/^-?[0-9]{1,15}$/.test(text))
    throw apiError('BadRequest', `query parameter ${name}: must be an integer, got ${JSON.stringify(text)}`)
  return Number(text)
}

export function nonNegativeParameter(query: Query, name: string): number | undefined {
  const number = integerParameter(query, name)
  if (number !== undefined && number < 0) throw apiError('BadRequest', `query parameter ${name}: must be at least 0, got ${number}`)
  return number
}

/** Options that can't be, told the way Kubernetes tells it: `kind` is ListOptions, PatchOptions … */
export function invalidOptions(kind: string, cause: Cause): Error {
  return apiError('Invalid', `${kind}.meta.k8s.io "" is invalid: ${cause.field}: ${cause.message}`, {
    group: 'meta.k8s.io',
    kind,
    causes: [cause],
  })
}

export function unsupportedValue(field: string, value: string, supported: readonly string[]): Cause {
  const list = supported.map((text) => JSON.stringify(text)).join(', ')
  return { field, reason: 'FieldValueNotSupported', message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}` }
}
