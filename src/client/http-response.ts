import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { ApiError, apiError, type Status, type StatusReason } from '../api/status.ts'
import { isJsonObject } from '../base/json.ts'

/** An answer of the server that isn't a failure. The body has to be read, or let go by `cancel`. */
export interface HttpResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The body as it comes. The loss of the connection is an ApiError; leaving the loop early lets the rest go. */
  readonly body: AsyncIterable<Uint8Array>
  text(): Promise<string>
  json(): Promise<unknown>
  /** Lets the rest of the body go. */
  cancel(): void
}

const REASONS: Readonly<Record<number, StatusReason>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

export class IncomingResponse implements HttpResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: AsyncIterable<Uint8Array>
  readonly #incoming: IncomingMessage

  constructor(incoming: IncomingMessage, signal: AbortSignal | undefined, lost: (err: Error) => ApiError) {
    this.status = incoming.statusCode ?? 0
    this.headers = incoming.headers
    this.#incoming = incoming
    this.body = bodyOf(incoming, signal, lost)
  }

  async text(): Promise<string> {
    const chunks: Uint8Array[] = []
    for await (const chunk of this.body) chunks.push(chunk)
    return Buffer.concat(chunks).toString('utf8')
  }

  async json(): Promise<unknown> {
    const text = await this.text()
    try {
      return JSON.parse(text)
    } catch (err) {
      throw apiError('InternalError', 'the answer of the server is not JSON', undefined, { cause: err })
    }
  }

  cancel(): void {
    this.#incoming.destroy()
  }
}

async function* bodyOf(
  incoming: IncomingMessage,
  signal: AbortSignal | undefined,
  lost: (err: Error) => ApiError,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of incoming) yield chunk as Uint8Array
  } catch (err) {
    if (signal?.aborted) throw signal.reason
    throw lost(err as Error)
  }
}

/** The Status that came; what isn't one (a proxy, another server) is put into one. */
export async function failureOf(response: HttpResponse): Promise<ApiError> {
  const text = await response.text()
  const status = parse(text)
  if (isJsonObject(status) && status.kind === 'Status' && typeof status.message === 'string' && typeof status.code === 'number') {
    return new ApiError(status as object as Status)
  }
  const { status: code, headers } = response
  const after = Number(headers['retry-after'])
  const message = text.trim().split('\n', 1)[0] || `the server answered ${code}`
  const details = Number.isFinite(after) ? { retryAfterSeconds: after } : undefined
  return new ApiError({ ...apiError(REASONS[code] ?? 'InternalError', message, details).status, code })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not a Status then; the caller goes by the code.
    return undefined
  }
}
