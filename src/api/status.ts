export type StatusReason =
  | 'BadRequest'
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Expired'
  | 'RequestEntityTooLarge'
  | 'UnsupportedMediaType'
  | 'Invalid'
  | 'TooManyRequests'
  | 'InternalError'
  | 'ServiceUnavailable'
  | 'Timeout'

/** One bad field. The message doesn't repeat the field's path. */
export interface Cause {
  readonly field: string
  /** FieldValueRequired, FieldValueInvalid, FieldValueNotSupported, FieldManagerConflict … */
  readonly reason: string
  readonly message: string
}

export interface StatusDetails {
  readonly name?: string
  readonly group?: string
  /** The plural resource; for Invalid the kind. */
  readonly kind?: string
  readonly uid?: string
  readonly causes?: readonly Cause[]
  readonly retryAfterSeconds?: number
}

/** A failure as it goes over the wire. */
export interface Status {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: { readonly continue?: string }
  readonly status: 'Failure'
  readonly message: string
  readonly reason: StatusReason
  readonly code: number
  readonly details?: StatusDetails
}

const CODES: Readonly<Record<StatusReason, number>> = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
}

/** The only error that crosses the Client interface, in-process and over HTTP alike. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: Status

  constructor(status: Status, options?: ErrorOptions) {
    super(status.message, options)
    this.status = status
  }
}

/** An ApiError from its reason; the code follows from that. */
export function apiError(reason: StatusReason, message: string, details?: StatusDetails, options?: ErrorOptions): ApiError {
  const status: Status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code: CODES[reason] }
  return new ApiError(details === undefined ? status : { ...status, details }, options)
}

/** Asks what kind of failure it is. Never look at the message for that. */
export function hasReason(err: unknown, reason: StatusReason): err is ApiError {
  return err instanceof ApiError && err.status.reason === reason
}
