import type { ApiObject, Kind } from '../api/object.ts'
import { definitionOf } from '../api/scheme.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import type { KindMap } from '../generated/types.ts'
import type { Client, ResourceClient } from './client.ts'
import { HttpResource } from './http-resource.ts'
import type { HttpResponse } from './http-response.ts'
import { type HttpRequest, type HttpTarget, HttpTransport } from './http-transport.ts'
import { withRetries } from './retry.ts'

export interface HttpClientOptions {
  /** Who owns the fields that are written, where a call doesn't say. Default: pmk. */
  readonly fieldManager?: string
  /** Default: the field manager. */
  readonly userAgent?: string
  /** For the waits before a retry. */
  readonly clock?: Clock
  /** Takes what servers tell beside their answers. */
  readonly onWarning?: (text: string) => void
  /** Told of every answer. */
  readonly onRequest?: (method: string, path: string, code: number) => void
}

/** A Client of a server somewhere else. */
export interface HttpClient extends Client {
  /**
   * One request of any sort, for what isn't reading or writing a kind. Failures are ApiErrors (ServiceUnavailable with
   * the system's error as its cause when no server answers); an abort throws the signal's reason.
   */
  request(request: HttpRequest): Promise<HttpResponse>
  /** Ends the connections. */
  close(): Promise<void>
}

export function createHttpClient(target: HttpTarget, options: HttpClientOptions = {}): HttpClient {
  const { fieldManager = 'pmk', userAgent = fieldManager, clock = systemClock, onWarning, onRequest } = options
  const transport = new HttpTransport(target, { 'user-agent': userAgent })
  const resources = new Map<Kind, HttpResource<ApiObject>>()

  const request = async (wanted: HttpRequest): Promise<HttpResponse> =>
    withRetries(
      async () => {
        const response = await transport.send(wanted).catch((err: unknown) => {
          onRequest?.(wanted.method, wanted.path, codeOf(err))
          throw err
        })
        onRequest?.(wanted.method, wanted.path, response.status)
        for (const text of warningsOf(response)) onWarning?.(text)
        return response
      },
      { clock, signal: wanted.signal, idempotent: isIdempotent(wanted) },
    )

  return {
    request,
    for<K extends Kind>(kind: K): ResourceClient<KindMap[K]> {
      let resource = resources.get(kind)
      if (resource === undefined) {
        resource = new HttpResource<ApiObject>({ definition: definitionOf(kind), request, fieldManager })
        resources.set(kind, resource)
      }
      // The server gives objects of the kind that its path stands for.
      return resource as object as ResourceClient<KindMap[K]>
    },
    async close() {
      transport.close()
    },
  }
}

function isIdempotent({ method, headers }: HttpRequest): boolean {
  if (method === 'POST') return false
  return method !== 'PATCH' || headers?.['content-type'] === 'application/apply-patch+yaml'
}

function codeOf(err: unknown): number {
  const status = typeof err === 'object' && err !== null && 'status' in err ? (err.status as { readonly code?: number }) : undefined
  return status?.code ?? 0
}

/** The texts of `Warning: 299 - "text"` headers. */
function warningsOf({ headers }: HttpResponse): readonly string[] {
  const header = headers.warning
  if (header === undefined) return []
  // Header values are bytes, which Node gives as characters.
  const text = Buffer.from(String(header), 'latin1').toString('utf8')
  return [...text.matchAll(/299 [^ ]+ "((?:[^"\\]|\\.)*)"/g)].map(([, quoted = '']) => quoted.replaceAll(/\\(.)/g, '$1'))
}
