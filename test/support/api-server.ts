import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import type { NodeGateways } from '../../src/api/node-gateway.ts'
import type { SourcePreviewer } from '../../src/api/source-preview.ts'
import { apiError } from '../../src/api/status.ts'
import type { AuditSink } from '../../src/apiserver/audit.ts'
import type { Authenticate } from '../../src/apiserver/authentication.ts'
import type { Limits } from '../../src/apiserver/limits.ts'
import { type ApiServer, createApiServer } from '../../src/apiserver/server.ts'
import type { TlsAuthority } from '../../src/apiserver/tls-routes.ts'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { type Logger, silentLogger } from '../../src/base/log.ts'
import { createHttpClient, type HttpClient } from '../../src/client/http-client.ts'
import type { Registry } from '../../src/registry/registry.ts'
import { createRegistry } from '../../src/registry/resource-registry.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { Store } from '../../src/storage/store.ts'
import { tempDir } from './temp-dir.ts'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The body as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents of every shape.
  readonly json: any
}

export interface RawRequest {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** An API server on a unix socket over a store in memory. */
export class TestApiServer {
  readonly server: ApiServer
  readonly registry: Registry
  readonly store: Store
  readonly client: HttpClient
  readonly socketPath: string
  readonly #dispose: () => Promise<void>

  private constructor(parts: {
    readonly server: ApiServer
    readonly registry: Registry
    readonly store: Store
    readonly socketPath: string
    readonly dispose: () => Promise<void>
  }) {
    this.server = parts.server
    this.registry = parts.registry
    this.store = parts.store
    this.socketPath = parts.socketPath
    this.#dispose = parts.dispose
    this.client = createHttpClient({ socketPath: parts.socketPath }, { fieldManager: 'test' })
  }

  static async start(
    options: {
      readonly gateways?: NodeGateways
      readonly ready?: () => { readonly ok: boolean; readonly reasons: readonly string[] }
      readonly log?: Logger
      readonly wrap?: (registry: Registry) => Registry
      readonly limits?: Partial<Limits>
      readonly audit?: AuditSink
      readonly clock?: Clock
      readonly authenticate?: Authenticate
      readonly tls?: TlsAuthority
      readonly preview?: SourcePreviewer
    } = {},
  ): Promise<TestApiServer> {
    const dir = await tempDir()
    const store = new MemoryStore({ clock: systemClock })
    const registry = await createRegistry({ store, clock: systemClock })
    const server = createApiServer({
      registry: options.wrap?.(registry) ?? registry,
      gateways: options.gateways ?? noGateways,
      clock: options.clock ?? systemClock,
      log: options.log ?? silentLogger,
      version: '0.0.0',
      ready: options.ready ?? (() => ({ ok: true, reasons: [] })),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      ...(options.audit === undefined ? {} : { audit: options.audit }),
      ...(options.authenticate === undefined ? {} : { authenticate: options.authenticate }),
      ...(options.preview === undefined ? {} : { preview: options.preview }),
      ...(options.tls === undefined ? {} : { tls: options.tls }),
    })
    const socketPath = join(dir.path, 'pmk.sock')
    await server.listen({ socketPath })
    const dispose = async (): Promise<void> => {
      await server.close()
      await store.close()
      await dir.remove()
    }
    return new TestApiServer({ server, registry, store, socketPath, dispose })
  }

  /** One exchange, byte for byte as a client of any sort would send it. */
  raw(method: string, path: string, { headers = {}, body }: RawRequest = {}): Promise<Answer> {
    // Node leaves it out for a DELETE, whose body would then be read as the next request.
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        { socketPath: this.socketPath, method, path, headers: { ...length, ...headers }, agent: false },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8')
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text,
              get json() {
                return JSON.parse(text)
              },
            })
          })
        },
      )
      request.on('error', reject)
      request.end(body)
    })
  }

  /** A write with a JSON body. */
  send(method: string, path: string, body: unknown, contentType = 'application/json'): Promise<Answer> {
    return this.raw(method, path, {
      headers: { 'content-type': contentType },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  }

  async stop(): Promise<void> {
    await this.client.close()
    await this.#dispose()
  }
}

const noGateways: NodeGateways = (node) => {
  throw apiError('ServiceUnavailable', `no agent of node ${node}`)
}

export const PROCESSES = '/apis/pmk.dev/v1/namespaces/default/processes'

/** A Process as small as can be. */
export function processNamed(name: string, extra: object = {}): object {
  return { apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name }, spec: { command: ['sleep', '1000'] }, ...extra }
}
