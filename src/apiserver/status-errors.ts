import { STATUS_CODES } from 'node:http'
import { ApiError, apiError, type Status, type StatusReason } from '../api/status.ts'
import type { Logger } from '../base/log.ts'

export const NO_SUCH_PATH = 'the server could not find the requested resource'
export const NO_SUCH_METHOD = 'the server does not allow this method on the requested resource'

/** Largest body that a request may have: what Kubernetes accepts. */
export const BODY_LIMIT: number = 3 * 1024 * 1024

const MAX_QUOTED = 300

/** What HTTP itself found wrong, by status code. */
const REASONS: Readonly<Record<number, StatusReason>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  408: 'Timeout',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

/** Any failure as a Status. What isn't an ApiError nor a mistake of the client is logged, and told without detail. */
export function statusOf(err: unknown, log: Logger): Status {
  if (err instanceof ApiError) return err.status
  const code = httpCodeOf(err)
  if (code === 413) return apiError('RequestEntityTooLarge', `limit is ${BODY_LIMIT} bytes: the body of the request is larger`).status
  if (code !== undefined && code < 500) {
    const { message } = err as Error
    // What comes from the framework may quote the whole address.
    return statusOfCode(code, message.length > MAX_QUOTED ? `${message.slice(0, MAX_QUOTED)}…` : message)
  }
  log.error({ err }, 'Request failed')
  return apiError('InternalError', 'Internal error occurred: the log of the server tells more').status
}

/** The Status of a failure below the routes, of which only the HTTP code is known. */
export function statusOfCode(code: number, message: string = STATUS_CODES[code] ?? 'unknown'): Status {
  return { ...apiError(REASONS[code] ?? 'BadRequest', message).status, code }
}

/** Headers that go with a Status. */
export function statusHeaders(status: Status): Readonly<Record<string, string>> {
  const after = status.details?.retryAfterSeconds
  if (after !== undefined) return { 'retry-after': String(after) }
  // Without it clients treat the refusal as final.
  return status.code === 429 ? { 'retry-after': '1' } : {}
}

function httpCodeOf(err: unknown): number | undefined {
  const code = typeof err === 'object' && err !== null && 'statusCode' in err ? err.statusCode : undefined
  return typeof code === 'number' && code >= 400 ? code : undefined
}
