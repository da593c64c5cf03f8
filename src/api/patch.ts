import fastJsonPatch, { type Operation } from 'fast-json-patch'
import { isJsonObject, jsonEqual } from '../base/json.ts'
import { apiError } from './status.ts'

/** More than people or tools send; each operation walks the document. */
const MAX_OPERATIONS = 10_000
/** What `copy` may add in all, in characters of JSON: copies of copies grow without bound otherwise. */
const MAX_COPIED = 3 * 1024 * 1024

const OPERATIONS = ['add', 'remove', 'replace', 'move', 'copy', 'test']

/** Of a path or a value, what a message repeats. */
const LONGEST_QUOTE = 200

interface JsonPatchOperation {
  readonly op: string
  readonly path: string
  readonly from?: string
  readonly value?: unknown
}

/**
 * Applies a JSON Patch (RFC 6902) and gives the new document; `document` stays as it is. Throws ApiError: BadRequest for an
 * operation that is none, Invalid for a failing test or a path that isn't there, RequestEntityTooLarge for too much work.
 */
export function applyJsonPatch(document: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw apiError('BadRequest', 'a JSON patch must be a list of operations')
  if (operations.length > MAX_OPERATIONS) {
    throw apiError(
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${operations.length}; send several patches`,
    )
  }
  const checked = operations.map((operation, index) => checkOperation(operation, index))
  // The library alters what it is given, the values of operations too.
  let result: unknown = structuredClone(document)
  let copied = 0
  checked.forEach((operation, index) => {
    const from = operation.from === undefined ? undefined : resolve(result, operation.from, index, true)
    const target = resolve(result, operation.path, index, operation.op !== 'add' && operation.op !== 'move' && operation.op !== 'copy')
    if (operation.op === 'test' && !jsonEqual(target, operation.value)) {
      throw apiError(
        'Invalid',
        `operation ${index} of the JSON patch: testing ${quote(operation.path)} failed: the value there is another one`,
      )
    }
    if (operation.op === 'move' && operation.path.startsWith(`${operation.from}/`)) {
      throw apiError('Invalid', `operation ${index} of the JSON patch: ${quote(operation.from)} can't be moved into itself`)
    }
    if (operation.op === 'copy') copied += JSON.stringify(from)?.length ?? 0
    if (copied > MAX_COPIED)
      throw apiError('RequestEntityTooLarge', `the copies of the JSON patch exceed ${MAX_COPIED} bytes; send the values`)
    if (operation.op === 'test') return
    // The library's own guard throws for keys that are harmless once inherited ones are out of reach.
    result = fastJsonPatch.applyOperation(result, structuredClone(operation) as Operation, false, true, false).newDocument
  })
  return result
}

/**
 * Applies a JSON Merge Patch (RFC 7386) and gives the new value: objects are merged, null removes, all else replaces.
 * Neither argument is altered; parts that the patch doesn't touch are shared with `target`.
 */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch
  const result = new Map(isJsonObject(target) ? Object.entries(target) : [])
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key)
    else result.set(key, applyMergePatch(result.get(key), value))
  }
  // Not by assignment: a key may be `__proto__`.
  return Object.fromEntries(result)
}

function checkOperation(operation: unknown, index: number): JsonPatchOperation {
  const fail = (what: string): never => {
    throw apiError('BadRequest', `operation ${index} of the JSON patch ${what}`)
  }
  if (!isJsonObject(operation)) return fail('must be an object with op and path')
  const { op, path, from, value } = operation
  if (typeof op !== 'string' || !OPERATIONS.includes(op)) return fail(`has op ${quote(op)}; it must be one of ${OPERATIONS.join(', ')}`)
  if (typeof path !== 'string' || !isPointer(path)) return fail(`has path ${quote(path)}; it must be empty or begin with /`)
  if (op === 'move' || op === 'copy') {
    if (typeof from !== 'string' || !isPointer(from)) return fail(`has from ${quote(from)}; it must be empty or begin with /`)
    return { op, path, from }
  }
  if (op === 'remove') {
    if (path === '') return fail('removes the whole object; use DELETE')
    return { op, path }
  }
  if (value === undefined) return fail(`needs a value for ${op}`)
  return { op, path, value }
}

function isPointer(path: string): boolean {
  return (path === '' || path.startsWith('/')) && !/~(?![01])/.test(path) && !path.split('/').includes('__proto__')
}

/**
 * The value at a pointer. The parent must be there, the value only if `mustExist`. Looks at own keys only: the library follows
 * inherited ones, through which a patch could alter the program itself.
 */
function resolve(document: unknown, pointer: string, index: number, mustExist: boolean): unknown {
  const missing = (): never => {
    throw apiError('Invalid', `operation ${index} of the JSON patch: there is nothing at ${quote(pointer)}`)
  }
  const steps = pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  let at: unknown = document
  steps.forEach((step, depth) => {
    const optional = depth === steps.length - 1 && !mustExist
    if (Array.isArray(at)) {
      if (optional && step === '-') {
        at = undefined
        return
      }
      if (!/^(0|[1-9][0-9]*)$/.test(step) || Number(step) > at.length || (Number(step) === at.length && !optional)) missing()
      at = at[Number(step)]
    } else if (isJsonObject(at)) {
      if (!Object.hasOwn(at, step)) {
        if (!optional) missing()
        at = undefined
      } else at = at[step]
    } else missing()
  })
  return at
}

function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length <= LONGEST_QUOTE ? text : `${text.slice(0, LONGEST_QUOTE)}…`
}
