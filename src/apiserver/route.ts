import type { IncomingHttpHeaders } from 'node:http'
import { apiError } from '../api/status.ts'
import type { Admit, UserInfo } from '../registry/registry.ts'
import type { AuditNotes } from './audit.ts'
import type { Query } from './query.ts'
import type { RawBody } from './request-body.ts'
import { NO_SUCH_METHOD } from './status-errors.ts'

/** One request, as a route sees it. */
export interface ApiRequest {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query: Query
  readonly parameters: Readonly<Record<string, string>>
  readonly headers: IncomingHttpHeaders
  readonly body: RawBody
  /** In whose name it is carried out. */
  readonly user: UserInfo
  /** For the WriteContext of whatever the request writes. */
  readonly admit: Admit
  /** Fires when the client is gone, when the time for the answer is over, and for streams when the server stops. */
  readonly signal: AbortSignal
  /** Tells the client something beside the answer; only before the answer is given. */
  readonly warn: (text: string) => void
  /** Adds to what the audit log tells of a write. */
  readonly note: (notes: AuditNotes) => void
}

export interface TextAnswer {
  readonly code: number
  readonly contentType: string
  /** A long one comes in pieces, which are made as they are sent. */
  readonly text: string | Iterable<string>
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Status 200 and chunks as they come. The headers leave at once; a failure of the iterable cuts the connection, so what can
 * fail with a status of its own has to fail before.
 */
export interface StreamAnswer {
  readonly contentType: string
  readonly chunks: AsyncIterable<string | Uint8Array>
  /** Each chunk is a line, and a message of its own to a client that asked for a WebSocket; else such a client gets the chunks over HTTP. */
  readonly messages?: true
}

export type Answer = TextAnswer | StreamAnswer

/** Failures are ApiErrors; anything else becomes a 500. */
export type Handler = (request: ApiRequest) => Answer | Promise<Answer>

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface Route {
  /** With `:name` for parameters. */
  readonly path: string
  /** HEAD is answered as GET is; what isn't here is 405. */
  readonly methods: { readonly [M in Method]?: Handler }
  /** It may take longer than other requests: what it asks for has a time limit of its own. */
  readonly patient?: true
  /** Answered to everybody, without credentials, also while the server is overloaded. Nobody's body is read. */
  readonly public?: true
}

/** Throws ApiError(MethodNotAllowed). */
export function handlerFor({ methods }: Route, method: string): Handler {
  const name = method === 'HEAD' ? 'GET' : method
  const handler = Object.hasOwn(methods, name) ? methods[name as Method] : undefined
  if (handler === undefined) throw apiError('MethodNotAllowed', NO_SUCH_METHOD, {})
  return handler
}

export const JSON_TYPE = 'application/json'

export function jsonAnswer(value: unknown, code = 200): TextAnswer {
  return { code, contentType: JSON_TYPE, text: typeof value === 'string' ? value : JSON.stringify(value) }
}
