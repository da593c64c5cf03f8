import { type ClientRequest, Agent as HttpAgent, request as httpRequest } from 'node:http'
import nodeProcess from 'node:process'
import { type ApiError, apiError } from '../api/status.ts'
import { failureOf, type HttpResponse, IncomingResponse } from './http-response.ts'

/** Where a server is. */
export type HttpTarget =
  | { readonly socketPath: string }
  | {
      readonly url: string
      /** PEM of the authority that signed the server's certificate. */
      readonly ca?: string
      readonly token?: string
      /** PEM, both or none. */
      readonly certificate?: string
      readonly key?: string
    }

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface HttpRequest {
  readonly method: HttpMethod
  readonly path: string
  /** What is undefined is left out; an array is repeated. */
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string | Uint8Array
  readonly signal?: AbortSignal
}

/** Connections of their own, at most so many kept when idle. */
const MAX_IDLE = 16

/** Loaded when a server is reached over TLS: the local socket, the usual way, must not pay for it. */
const https = (): typeof import('node:https') => nodeProcess.getBuiltinModule('node:https')

/** Requests to one server over connections that are kept. Every failure but an abort is an ApiError. */
export class HttpTransport {
  readonly #target: HttpTarget
  readonly #url: URL
  readonly #agent: HttpAgent
  readonly #headers: Readonly<Record<string, string>>
  readonly #secure: boolean

  constructor(target: HttpTarget, headers: Readonly<Record<string, string>>) {
    this.#target = target
    this.#url = new URL('url' in target ? target.url : 'http://localhost')
    this.#secure = this.#url.protocol === 'https:'
    // A token in clear is for whoever listens on the way.
    const token = 'url' in target && this.#secure ? target.token : undefined
    this.#headers = token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` }
    const options = { keepAlive: true, maxFreeSockets: MAX_IDLE }
    this.#agent = this.#secure ? new (https().Agent)({ ...options, ...tlsOf(target) }) : new HttpAgent(options)
  }

  /** The address, for messages. */
  get address(): string {
    return 'socketPath' in this.#target ? this.#target.socketPath : this.#url.origin
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted()
    try {
      const response = await this.#exchange(request)
      if (response.status < 300) return response
      throw await failureOf(response)
    } catch (err) {
      if (request.signal?.aborted) throw request.signal.reason
      throw err
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  async #exchange(request: HttpRequest): Promise<HttpResponse> {
    try {
      return await this.#once(request)
    } catch (err) {
      // The server closed an idle connection at the very moment of its use: nothing was asked yet, as far as we can tell.
      const repeatable = ['GET', 'HEAD', 'PUT', 'DELETE'].includes(request.method)
      if (!(err instanceof StaleConnection)) throw err
      if (!repeatable || request.signal?.aborted) throw this.#unavailable(err.cause as Error)
    }
    try {
      return await this.#once(request)
    } catch (err) {
      throw err instanceof StaleConnection ? this.#unavailable(err.cause as Error) : err
    }
  }

  #once(request: HttpRequest): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      const out = this.#open(request)
      out.once('error', (err: NodeJS.ErrnoException) => {
        const stale = out.reusedSocket && (err.code === 'ECONNRESET' || err.code === 'EPIPE')
        reject(stale ? new StaleConnection(err) : this.#unavailable(err))
      })
      out.once('response', (incoming) => {
        // From here on the body tells of failures.
        out.removeAllListeners('error')
        out.on('error', () => {})
        resolve(new IncomingResponse(incoming, request.signal, (err) => this.#lost(err)))
      })
      out.end(request.body)
    })
  }

  #open({ method, path, query, headers, body, signal }: HttpRequest): ClientRequest {
    const options = {
      method,
      path: `${this.#url.pathname === '/' ? '' : this.#url.pathname}${path}${queryText(query)}`,
      headers: {
        ...this.#headers,
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
        ...headers,
      },
      agent: this.#agent,
      ...(signal === undefined ? {} : { signal }),
      ...('socketPath' in this.#target
        ? // Without a servername Node looks whether the host is an address, with a regular expression that takes longer to compile than the request.
          { socketPath: this.#target.socketPath, servername: '' }
        : { host: this.#url.hostname.replace(/^\[|\]$/g, ''), ...(this.#url.port === '' ? {} : { port: this.#url.port }) }),
    }
    return this.#secure ? https().request(options) : httpRequest(options)
  }

  #unavailable(err: NodeJS.ErrnoException): ApiError {
    return apiError('ServiceUnavailable', `no server answers at ${this.address}: ${err.message}`, undefined, { cause: err })
  }

  #lost(err: Error): ApiError {
    return apiError('ServiceUnavailable', `the connection to ${this.address} was lost: ${err.message}`, undefined, { cause: err })
  }
}

class StaleConnection extends Error {
  constructor(cause: Error) {
    super('the connection was closed', { cause })
  }
}

function queryText(query: HttpRequest['query']): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue
    for (const item of Array.isArray(value) ? value : [value]) parameters.append(name, String(item))
  }
  const text = parameters.toString()
  return text === '' ? '' : `?${text}`
}

function tlsOf(target: HttpTarget): object {
  if (!('url' in target)) return {}
  const { ca, certificate, key } = target
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
  }
}
