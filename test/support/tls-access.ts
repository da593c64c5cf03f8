import type { TlsCredentials } from '../../src/apiserver/secure-server.ts'
import type { ApiServer } from '../../src/apiserver/server.ts'
import { createHttpClient, type HttpClient } from '../../src/client/http-client.ts'
import { issueClient, issueServer, makeAuthority } from '../../src/pki/certificates.ts'
import type { Pair, Validity } from '../../src/pki/pair.ts'

/** How a client shows who it is: a certificate for a user in groups, a bearer token, or nothing at all. */
export type Identity =
  | { readonly user: string; readonly groups?: readonly string[]; readonly validity?: Validity }
  | { readonly token: string }
  | 'nobody'

/** With all rights. */
export const ADMIN: Identity = { user: 'admin', groups: ['system:masters'] }

const HOUR = 3_600_000
export const AN_HOUR = (): Validity => ({ from: Date.now() - HOUR, until: Date.now() + HOUR })

/** An API server's TLS port on loopback, with authorities of its own, and clients of every sort. `close` ends the clients only. */
export class TlsAccess {
  readonly url: string
  readonly port: number
  readonly serverAuthority: Pair
  readonly clientAuthority: Pair
  readonly #clients: HttpClient[] = []

  private constructor(port: number, serverAuthority: Pair, clientAuthority: Pair) {
    this.port = port
    this.url = `https://127.0.0.1:${port}`
    this.serverAuthority = serverAuthority
    this.clientAuthority = clientAuthority
  }

  /** Has the server listen with TLS on a free port of 127.0.0.1. */
  static async open(server: ApiServer, options: { readonly names?: readonly string[] } = {}): Promise<TlsAccess> {
    const serverAuthority = await makeAuthority('test server-ca', AN_HOUR())
    const clientAuthority = await makeAuthority('test client-ca', AN_HOUR())
    const credentials = await credentialsFor(serverAuthority, clientAuthority, options.names)
    const port = await server.listenSecurely({ host: '127.0.0.1', port: 0, credentials })
    return new TlsAccess(port, serverAuthority, clientAuthority)
  }

  /** A certificate of the server's own client authority, good for an hour. */
  certificate(user: string, groups: readonly string[] = [], validity: Validity = AN_HOUR()): Promise<Pair> {
    return issueClient(this.clientAuthority, { user, groups }, validity)
  }

  /** A client that is closed with this. */
  async client(identity: Identity = ADMIN): Promise<HttpClient> {
    const client = createHttpClient(
      { url: this.url, ca: this.serverAuthority.certificate, ...(await this.#credentials(identity)) },
      { fieldManager: 'test' },
    )
    this.#clients.push(client)
    return client
  }

  /** Text of a kubeconfig for kubectl. Also JSON is YAML. */
  async kubeconfig(identity: Identity = ADMIN, namespace = 'default'): Promise<string> {
    const { token, certificate, key } = await this.#credentials(identity)
    const base64 = (text: string): string => Buffer.from(text).toString('base64')
    const user = {
      ...(token !== undefined && { token }),
      ...(certificate !== undefined && { 'client-certificate-data': base64(certificate) }),
      ...(key !== undefined && { 'client-key-data': base64(key) }),
    }
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'pmk', cluster: { server: this.url, 'certificate-authority-data': base64(this.serverAuthority.certificate) } }],
      users: [{ name: 'test', user }],
      contexts: [{ name: 'pmk', context: { cluster: 'pmk', user: 'test', namespace } }],
      'current-context': 'pmk',
    })
  }

  async close(): Promise<void> {
    for (const client of this.#clients) await client.close()
  }

  async #credentials(identity: Identity): Promise<{ readonly token?: string; readonly certificate?: string; readonly key?: string }> {
    if (identity === 'nobody') return {}
    if ('token' in identity) return identity
    return this.certificate(identity.user, identity.groups, identity.validity)
  }
}

/** What a server needs to be reached as 127.0.0.1, or under other names. */
export async function credentialsFor(
  serverAuthority: Pair,
  clientAuthority: Pair,
  names: readonly string[] = ['127.0.0.1', '::1', 'localhost'],
  validity: Validity = AN_HOUR(),
): Promise<TlsCredentials> {
  const { certificate, key } = await issueServer(serverAuthority, names, validity)
  return { certificate, key, clientAuthority: clientAuthority.certificate, names }
}
