import { isJsonObject } from '../base/json.ts'
import type { Revision } from '../storage/store.ts'
import { badRequest } from './errors.ts'

/** Where a list in pages goes on: behind `after`, in the state of `revision`; without one in that of the moment. */
export interface Position {
  readonly revision: Revision | undefined
  readonly after: string
}

export function encodeContinue({ revision, after }: Position): string {
  return Buffer.from(JSON.stringify({ v: 1, rv: revision ?? 0, after }), 'utf8').toString('base64url')
}

/** ApiError(BadRequest) for what isn't a token, is one of another list, or speaks of a state after `newest`, which nobody can have seen. */
export function decodeContinue(token: string, prefix: string, newest: Revision): Position {
  const value = parse(Buffer.from(token, 'base64url').toString('utf8'))
  const { v, rv, after } = isJsonObject(value) ? value : {}
  if (
    v !== 1 ||
    !Number.isSafeInteger(rv) ||
    Number(rv) < 0 ||
    Number(rv) > newest ||
    typeof after !== 'string' ||
    !after.startsWith(prefix)
  ) {
    throw badRequest('continue key is not valid: it must be the metadata.continue of the page before, with the same path')
  }
  return { revision: rv === 0 ? undefined : Number(rv), after }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (err) {
    if (err instanceof SyntaxError) return undefined
    throw err
  }
}
