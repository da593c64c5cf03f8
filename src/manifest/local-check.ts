import { invalidObject, strictDecodingError } from '../api/field-errors.ts'
import { decodeObject } from '../api/validate.ts'
import type { Placed } from './apply.ts'

/** What can be said of an object without a server: its schema. Throws the ApiError that the server would. */
export function validateHere({ manifest, value }: Placed): void {
  const { definition, name } = manifest
  const { strictErrors, causes } = decodeObject(definition, value, { fieldValidation: 'Strict' })
  if (strictErrors.length > 0) throw strictDecodingError(definition, strictErrors, 'body')
  if (causes.length > 0) throw invalidObject(definition, name, causes)
}
