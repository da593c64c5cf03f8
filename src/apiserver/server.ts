import { createServer, type ServerOptions as HttpOptions, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { AccessPolicy } from '../access/access-policy.ts'
import type { NodeGateways } from '../api/node-gateway.ts'
import { definitions, isQuestion } from '../api/scheme.ts'
import type { SourcePreviewer } from '../api/source-preview.ts'
import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Registry } from '../registry/registry.ts'
import { agentRoutes } from './agent-routes.ts'
import { type AuditSink, AuditTrail } from './audit.ts'
import { type Authenticate, createAuthentication } from './authentication.ts'
import { type Backup, backupRoute } from './backup-route.ts'
import { refuseBrokenRequest, refuseExpectation } from './broken-requests.ts'
import { Connections } from './connections.ts'
import { discoveryRoutes } from './discovery.ts'
import { healthRoutes, type Readiness } from './health-routes.ts'
import { HttpApp, LINGER } from './http-app.ts'
import { LIMITS, type Limits } from './limits.ts'
import { metricsRoutes } from './metrics-routes.ts'
import { OpenAnswers } from './open-answers.ts'
import { openApiRoutes } from './openapi-routes.ts'
import { Peers } from './peer.ts'
import { previewRoute } from './preview-route.ts'
import { resourceRoutes } from './resource-routes.ts'
import { reviewRoutes } from './review-routes.ts'
import { jsonAnswer, type Route } from './route.ts'
import { createSecureServer, secureContextOf, type TlsCredentials } from './secure-server.ts'
import { BACKLOG, listenOnSocket } from './socket.ts'
import { type TlsAuthority, tlsRoutes } from './tls-routes.ts'
import { storedTokens } from './token-verifier.ts'
import { responseOn } from './upgrade.ts'

/** How often it is looked for slow requests: so many times within what the head of one may take. */
const LOOKS_FOR_SLOW = 4
/** Idle connections stay open for this long, so that clients that ask now and then needn't connect anew. */
const KEEP_ALIVE: Millis = 5 * 60_000
/** How long requests under way may take to end when the server stops. */
const CLOSE_GRACE: Millis = 5_000
const MAX_HEADER_SIZE = 64 * 1024
/** What a reader may leave lying before the writer waits. */
const RESPONSE_BUFFER = 64 * 1024

export interface ApiServerOptions {
  readonly registry: Registry
  readonly gateways: NodeGateways
  readonly clock: Clock
  readonly log: Logger
  /** Version of pmk. */
  readonly version: string
  readonly ready: () => Readiness
  /** Why writes are refused now; undefined while they are taken. */
  readonly storeRefusal?: () => string | undefined
  /** Absent: there is no TLS port. */
  readonly tls?: TlsAuthority
  /** Absent: nobody here reads sources of manifests. */
  readonly preview?: SourcePreviewer
  /** Absent: backups are made some other way. */
  readonly backup?: Backup
  /** Is told of each write that a client asks for. */
  readonly audit?: AuditSink
  /** Absent: by the unix socket, client certificates and the Tokens of the registry. */
  readonly authenticate?: Authenticate
  /** Numbers in [0, 1). */
  readonly random?: () => number
  /** Where it takes less, or more, than usual. */
  readonly limits?: Partial<Limits>
}

/** A TCP port: always with TLS. */
export interface SecureAddress {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly credentials: TlsCredentials
}

export interface ApiServer {
  /** Listens on a unix socket, whose clients are the server's own user. */
  listen(address: { readonly socketPath: string }): Promise<void>
  /** Listens on a TCP port, too. Gives the port. A port that can't be had is the system's error. */
  listenSecurely(address: SecureAddress): Promise<number>
  /** From the next connection on, the ports are served with these. */
  useCredentials(credentials: TlsCredentials): void
  /** Watches and log streams open now. */
  readonly streams: number
  /** Requests under way, streams and those of health left out. */
  readonly requests: number
  /** Open connections. */
  readonly connections: number
  /** Bytes of bodies and of large answers that are held for clients. */
  readonly held: number
  /** Takes no more requests, ends all streams cleanly and waits for requests under way, but not for long. */
  close(): Promise<void>
}

export function createApiServer(options: ApiServerOptions): ApiServer {
  return new HttpApiServer(options)
}

class HttpApiServer implements ApiServer {
  readonly #app: HttpApp
  readonly #clock: Clock
  readonly #servers = new Set<Server>()
  readonly #secureServers = new Set<SecureServer>()
  readonly #peers = new Peers()
  /** The names by which clients over TCP may call this server. */
  #names: ReadonlySet<string> = new Set()
  readonly #limits: Limits
  readonly #connections: Connections
  readonly #answers = new OpenAnswers()
  /** Those that Node has given away, and no longer closes with the others. */
  readonly #upgraded = new Set<Socket>()
  readonly #policy: AccessPolicy
  readonly #stopPolicy = new AbortController()
  #policyStart: Promise<void> | undefined
  #policyRun: Promise<void> = Promise.resolve()

  constructor(options: ApiServerOptions) {
    const { registry, gateways, clock, log, version, ready, random = Math.random } = options
    const { storeRefusal = () => undefined, backup, audit, tls, preview } = options
    const { authenticate = createAuthentication({ clock, tokens: storedTokens(registry, clock) }) } = options
    this.#clock = clock
    this.#limits = { ...LIMITS, ...options.limits }
    this.#connections = new Connections(this.#limits.connections)
    this.#policy = new AccessPolicy({ registry, clock, log })
    const keptOrSeen = definitions.filter((definition) => !isQuestion(definition))
    const routes: readonly Route[] = [
      ...healthRoutes(version, ready, storeRefusal),
      ...(backup === undefined ? [] : [backupRoute(backup)]),
      ...(tls === undefined ? [] : tlsRoutes(tls)),
      ...(preview === undefined ? [] : [previewRoute(registry, preview)]),
      ...discoveryRoutes(definitions),
      ...openApiRoutes(definitions, version, clock),
      ...reviewRoutes(definitions, this.#policy),
      ...keptOrSeen.flatMap((definition) =>
        definition.kind === 'PodMetrics'
          ? metricsRoutes(definition, { registry, gateways, clock })
          : resourceRoutes(definition, { registry, clock, random }),
      ),
      ...definitions.flatMap((definition) => agentRoutes(definition, { registry, gateways, clock })),
    ]
    this.#app = new HttpApp({
      routes: [...routes, rootRoute(routes)],
      authenticate,
      peerOf: (socket) => this.#peers.of(socket),
      names: () => this.#names,
      policy: this.#policy,
      clock,
      log,
      limits: this.#limits,
      isCrowded: (socket) => this.#connections.isCrowded(socket),
      ...(audit === undefined ? {} : { audit: new AuditTrail({ sink: audit, clock }) }),
    })
  }

  get streams(): number {
    return this.#app.streams
  }

  get requests(): number {
    return this.#app.requests
  }

  get connections(): number {
    return this.#connections.open
  }

  get held(): number {
    return this.#app.held
  }

  async listen({ socketPath }: { readonly socketPath: string }): Promise<void> {
    await this.#app.ready()
    await this.#startPolicy()
    const server = createServer(this.#httpOptions(), this.#onRequest)
    server.on('connection', (socket) => {
      this.#peers.addLocal(socket)
      this.#connections.add(server, socket, true)
    })
    this.#answerOthers(server)
    await listenOnSocket(server, socketPath)
    this.#servers.add(server)
  }

  async listenSecurely({ host, port, credentials }: SecureAddress): Promise<number> {
    await this.#app.ready()
    await this.#startPolicy()
    const server = createSecureServer({
      http: this.#httpOptions(),
      credentials,
      handshakeWithin: this.#limits.headWithin,
      onRequest: this.#onRequest,
      onConnection: (secure, plain) => {
        this.#peers.addSecure(secure)
        this.#connections.pass(plain, secure)
      },
    })
    server.on('connection', (socket: Socket) => this.#connections.add(server, socket, false))
    this.#answerOthers(server)
    this.#setNames(credentials)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ port, host, backlog: BACKLOG }, () => {
        server.off('error', reject)
        resolve()
      })
    })
    this.#servers.add(server)
    this.#secureServers.add(server)
    return (server.address() as AddressInfo).port
  }

  useCredentials(credentials: TlsCredentials): void {
    for (const server of this.#secureServers) server.setSecureContext(secureContextOf(credentials))
    this.#setNames(credentials)
  }

  #setNames({ names }: TlsCredentials): void {
    this.#names = new Set(names.map((name) => name.toLowerCase()))
  }

  #httpOptions(): HttpOptions {
    const { headWithin, receivedWithin } = this.#limits
    return {
      highWaterMark: RESPONSE_BUFFER,
      maxHeaderSize: MAX_HEADER_SIZE,
      // A request without one is refused like one with another.
      requireHostHeader: false,
      headersTimeout: headWithin,
      requestTimeout: receivedWithin,
      connectionsCheckingInterval: headWithin / LOOKS_FOR_SLOW,
      keepAliveTimeout: KEEP_ALIVE,
    }
  }

  readonly #onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    this.#answers.add(response)
    this.#app.handle(request, response)
  }

  #answerOthers(server: Server | SecureServer): void {
    server.on('clientError', (err, socket) => refuseBrokenRequest(err, socket as Socket, this.#answers.on(socket as Socket), LINGER))
    server.on('checkExpectation', refuseExpectation)
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head))
  }

  /** Answered as any other request, though Node reads no more requests from its connection. */
  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    // It didn't wait for its answers, and they can't go on now.
    if (this.#answers.on(socket).length > 0) {
      socket.destroy()
      return
    }
    this.#upgraded.add(socket)
    socket.once('close', () => this.#upgraded.delete(socket))
    const response = responseOn(request, socket, LINGER)
    this.#answers.add(response)
    this.#app.handle(request, response, { socket, head })
  }

  /** Resolves once it is known who may do what. */
  #startPolicy(): Promise<void> {
    this.#policyStart ??= new Promise((resolve) => {
      this.#policyRun = this.#policy.run(this.#stopPolicy.signal, resolve)
      void this.#policyRun.then(resolve)
    })
    return this.#policyStart
  }

  async close(): Promise<void> {
    const closed = [...this.#servers].map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
    this.#app.endStreams()
    for (const server of this.#servers) server.closeIdleConnections()
    const cancel = this.#clock.schedule(CLOSE_GRACE, () => {
      for (const server of this.#servers) server.closeAllConnections()
      for (const socket of this.#upgraded) socket.destroy()
    })
    // Connections that were busy a moment ago become idle, and nothing else would end them.
    const stopSweeping = this.#sweep()
    await Promise.all(closed)
    stopSweeping()
    cancel()
    this.#servers.clear()
    this.#secureServers.clear()
    this.#stopPolicy.abort()
    await this.#policyRun
    await this.#app.close()
  }

  #sweep(): () => void {
    let cancel = (): void => {}
    const again = (): void => {
      for (const server of this.#servers) server.closeIdleConnections()
      cancel = this.#clock.schedule(20, again)
    }
    again()
    return () => cancel()
  }
}

/** `GET /` lists what can be asked. */
function rootRoute(routes: readonly Route[]): Route {
  const paths = routes.map(({ path }) => path).filter((path) => !path.includes(':'))
  return { path: '/', methods: { GET: () => jsonAnswer({ paths: [...paths].sort() }) } }
}
