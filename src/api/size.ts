import { apiError } from './status.ts'

/**
 * Texts, numbers, lists and maps that one object or one body may consist of. A manifest has some hundred; what has more was made
 * to keep the only thread busy, which looks at each of them several times.
 */
export const MAX_VALUES = 50_000
/** Deeper nesting than this is no manifest, and would be the end of every recursive function behind us. */
export const MAX_DEPTH = 200
/** Bytes of one object as it is stored: what can be read can be sent back. */
export const MAX_OBJECT: number = 3 * 1024 * 1024

/** Throws ApiError for a JSON value that consists of more than MAX_VALUES (RequestEntityTooLarge) or is nested too deeply (BadRequest). */
export function requireModest(value: unknown): void {
  let left = MAX_VALUES
  const visit = (part: unknown, depth: number): void => {
    if (--left < 0) throw tooManyValues()
    if (depth > MAX_DEPTH) throw apiError('BadRequest', `nested more than ${MAX_DEPTH} levels deep`)
    if (typeof part === 'object' && part !== null) for (const item of Object.values(part)) visit(item, depth + 1)
  }
  visit(value, 0)
}

export function tooManyValues(): Error {
  return apiError('RequestEntityTooLarge', `more than ${MAX_VALUES} values: send less at once`)
}
