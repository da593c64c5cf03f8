import { MASTERS } from '../access/well-known.ts'
import { ApiError, apiError } from '../api/status.ts'
import { isJsonObject } from '../base/json.ts'
import { parseJson } from './json-body.ts'
import { type ApiRequest, jsonAnswer, type Route } from './route.ts'

/** By what clients find the server and know it. */
export interface TlsEndpoint {
  /** https://HOST:PORT */
  readonly server: string
  /** PEM of the authority that signed its certificate. */
  readonly certificateAuthority: string
}

/** The TLS port of the server and the authority for its clients. */
export interface TlsAuthority {
  /** Throws ApiError that says why there is none: NotFound when none is wanted, else ServiceUnavailable. */
  endpoint(): TlsEndpoint
  /** A certificate for the key and the name of a request (PKCS #10 in PEM), as PEM. Throws an Error with a sentence. */
  sign(request: string, ttlSeconds: number): Promise<string>
}

const PATH = '/pmk/v1/clientcertificates'
const MAX_REQUEST = 16 * 1024

/**
 * `GET /pmk/v1/tls`: where the server listens for clients with TLS. `POST /pmk/v1/clientcertificates` with `{request, ttlSeconds}`: a client
 * certificate, for administrators. Its key stays with who made the request.
 */
export function tlsRoutes(authority: TlsAuthority): readonly Route[] {
  return [
    { path: '/pmk/v1/tls', methods: { GET: () => jsonAnswer(authority.endpoint()) } },
    { path: PATH, methods: { POST: async (request) => jsonAnswer(await issued(authority, request), 201) } },
  ]
}

async function issued(authority: TlsAuthority, { user, body }: ApiRequest): Promise<object> {
  if (!user.groups.includes(MASTERS)) {
    throw apiError('Forbidden', `User "${user.name}" cannot create path "${PATH}": a client certificate may be for anybody`)
  }
  const { request, ttlSeconds } = bodyOf(body.bytes)
  const endpoint = authority.endpoint()
  try {
    return { ...endpoint, certificate: await authority.sign(request, ttlSeconds) }
  } catch (err) {
    throw err instanceof ApiError
      ? err
      : apiError('BadRequest', `the certificate can't be made: ${(err as Error).message}`, undefined, { cause: err })
  }
}

function bodyOf(bytes: Uint8Array | undefined): { readonly request: string; readonly ttlSeconds: number } {
  const value = parsed(Buffer.from(bytes ?? []).toString('utf8'))
  const { request, ttlSeconds } = isJsonObject(value) ? value : {}
  if (typeof request !== 'string' || request.length > MAX_REQUEST)
    throw apiError('BadRequest', 'request must be a certificate request in PEM')
  if (!Number.isSafeInteger(ttlSeconds) || (ttlSeconds as number) <= 0)
    throw apiError('BadRequest', 'ttlSeconds must be a whole number above 0')
  return { request, ttlSeconds: ttlSeconds as number }
}

function parsed(text: string): unknown {
  try {
    return parseJson(text).value
  } catch (err) {
    if (err instanceof ApiError) throw err
    throw apiError('BadRequest', 'the body is not JSON', undefined, { cause: err })
  }
}
