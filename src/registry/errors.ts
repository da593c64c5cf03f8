import { qualifiedResource, type ResourceDefinition } from '../api/scheme.ts'
import { ApiError, apiError, type Cause, type StatusDetails } from '../api/status.ts'
import { StoreError } from '../storage/store-error.ts'

export function notFound(definition: ResourceDefinition, name: string): ApiError {
  return apiError('NotFound', `${qualifiedResource(definition)} "${name}" not found`, detailsOf(definition, name))
}

export function alreadyExists(definition: ResourceDefinition, name: string, retryAfterSeconds?: number): ApiError {
  const details = detailsOf(definition, name)
  return apiError(
    'AlreadyExists',
    `${qualifiedResource(definition)} "${name}" already exists`,
    retryAfterSeconds === undefined ? details : { ...details, retryAfterSeconds },
  )
}

/** The optimistic lock: somebody else wrote in between. */
export function modified(definition: ResourceDefinition, name: string): ApiError {
  return conflict(definition, name, 'the object has been modified; please apply your changes to the latest version and try again')
}

export function conflict(definition: ResourceDefinition, name: string, why: string): ApiError {
  const message = `Operation cannot be fulfilled on ${qualifiedResource(definition)} "${name}": ${why}`
  return apiError('Conflict', message, detailsOf(definition, name))
}

export function forbidden(definition: ResourceDefinition, name: string, why: string, causes?: readonly Cause[]): ApiError {
  const details = detailsOf(definition, name)
  const message = `${qualifiedResource(definition)} "${name}" is forbidden: ${why}`
  return apiError('Forbidden', message, causes === undefined ? details : { ...details, causes })
}

export function badRequest(message: string): ApiError {
  return apiError('BadRequest', message)
}

/** A resourceVersion that the server hasn't reached; clients that know the cause wait and ask again. */
export function tooLargeResourceVersion(asked: number, current: number): ApiError {
  return apiError('Timeout', `Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ field: '', reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  })
}

/** `continueWith` is a token for a client that would rather go on with an inconsistent list than begin again. */
export function expired(message: string, continueWith?: string): ApiError {
  const err = apiError('Expired', message)
  return continueWith === undefined ? err : new ApiError({ ...err.status, metadata: { continue: continueWith } })
}

/** What a failure of the store means to a client; other errors are given back as they are. */
export function fromStore(err: unknown): unknown {
  if (!(err instanceof StoreError)) return err
  if (err.code === 'Compacted') {
    return apiError('Expired', 'The resourceVersion is too old: its history is gone. List again.', undefined, { cause: err })
  }
  if (err.code === 'Closed') return apiError('ServiceUnavailable', 'the server is stopping', { retryAfterSeconds: 1 }, { cause: err })
  if (err.code === 'Unavailable') {
    return apiError('ServiceUnavailable', err.message, { retryAfterSeconds: 1 }, { cause: err })
  }
  return apiError('InternalError', `Internal error occurred: ${err.message}`, undefined, { cause: err })
}

function detailsOf(definition: ResourceDefinition, name: string): StatusDetails {
  return { name, group: definition.group, kind: definition.plural }
}
