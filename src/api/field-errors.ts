import type { ResourceDefinition } from './scheme.ts'
import { type ApiError, apiError, type Cause } from './status.ts'

/** Longest value that a message repeats; what is cut off is named by `…`. */
const LONGEST_VALUE = 120

/** Bad fields that are told of; of more only the number is. */
const MOST_CAUSES = 100

/** Stands for a value that must not get into a message. */
export const hidden: unique symbol = Symbol('hidden')

export function requiredField(field: string, detail?: string): Cause {
  return { field, reason: 'FieldValueRequired', message: detail === undefined ? 'Required value' : `Required value: ${detail}` }
}

export function invalidField(field: string, value: unknown, detail: string): Cause {
  return { field, reason: 'FieldValueInvalid', message: `Invalid value: ${quote(value)}: ${detail}` }
}

/** For a value of the wrong type, which is named and not shown. */
export function invalidType(field: string, value: unknown, detail: string): Cause {
  return { field, reason: 'FieldValueTypeInvalid', message: `Invalid value: "${typeName(value)}": ${detail}` }
}

export function unsupportedField(field: string, value: unknown, supported: readonly unknown[]): Cause {
  const list = supported.map(quote).join(', ')
  return { field, reason: 'FieldValueNotSupported', message: `Unsupported value: ${quote(value)}: supported values: ${list}` }
}

export function duplicateField(field: string, value: unknown): Cause {
  return { field, reason: 'FieldValueDuplicate', message: `Duplicate value: ${quote(value)}` }
}

export function forbiddenField(field: string, detail: string): Cause {
  return { field, reason: 'FieldValueForbidden', message: `Forbidden: ${detail}` }
}

export function tooLongField(field: string, detail: string): Cause {
  return { field, reason: 'FieldValueTooLong', message: `Too long: ${detail}` }
}

export function tooManyItems(field: string, count: number, limit: number): Cause {
  return { field, reason: 'FieldValueTooMany', message: `Too many: ${count}: must have at most ${limit} items` }
}

/** 422 with one cause for each bad field: `Process.pmk.dev "web" is invalid: spec.command: Required value`. */
export function invalidObject(definition: Pick<ResourceDefinition, 'group' | 'kind'>, name: string, causes: readonly Cause[]): ApiError {
  const { group, kind } = definition
  const told = causes.slice(0, MOST_CAUSES)
  const texts = told.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`))
  if (told.length < causes.length) texts.push(`and ${causes.length - told.length} more`)
  const what = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
  return apiError('Invalid', `${group === '' ? kind : `${kind}.${group}`} "${name}" is invalid: ${what}`, {
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { group }),
    kind,
    causes: told,
  })
}

/**
 * The refusal of unknown fields and duplicate keys under fieldValidation=Strict: 400 for a body (and for an applied
 * configuration), 422 for the result of any other patch.
 */
export function strictDecodingError(
  definition: Pick<ResourceDefinition, 'group' | 'kind' | 'version'>,
  strictErrors: readonly string[],
  source: 'body' | 'patch',
  name = '',
): ApiError {
  const { kind, version } = definition
  const detail = `strict decoding error: ${strictErrors.join(', ')}`
  if (source === 'patch') return invalidObject(definition, name, [{ field: 'patch', reason: 'FieldValueInvalid', message: detail }])
  return apiError('BadRequest', `${kind} in version "${version}" cannot be handled as a ${kind}: ${detail}`)
}

/** Something that was sent in the place of a word, as a message repeats it: it may be no text at all, and very long. */
export function asWord(value: unknown): string {
  if (typeof value !== 'string') return quote(value)
  return value.length <= LONGEST_VALUE ? value : `${value.slice(0, LONGEST_VALUE)}…`
}

function quote(value: unknown): string {
  if (value === hidden) return '(hidden)'
  const text = JSON.stringify(value) ?? 'null'
  if (text.length <= LONGEST_VALUE) return text
  return typeof value === 'string' ? `${text.slice(0, LONGEST_VALUE - 1)}…"` : `${text.slice(0, LONGEST_VALUE)}…`
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}
