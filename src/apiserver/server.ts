import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { NodeGateways } from '../api/node-gateway.ts'
import { definitions } from '../api/scheme.ts'
import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Registry } from '../registry/registry.ts'
import { agentRoutes } from './agent-routes.ts'
import { type AuditSink, AuditTrail } from './audit.ts'
import { type Authenticate, socketAuthentication } from './authentication.ts'
import { type Backup, backupRoute } from './backup-route.ts'
import { discoveryRoutes } from './discovery.ts'
import { healthRoutes, type Readiness } from './health-routes.ts'
import { HttpApp, LINGER } from './http-app.ts'
import { LIMITS, type Limits } from './limits.ts'
import { OpenAnswers } from './open-answers.ts'
import { openApiRoutes } from './openapi-routes.ts'
import { resourceRoutes } from './resource-routes.ts'
import { JSON_TYPE, jsonAnswer, type Route } from './route.ts'
import { listenOnSocket } from './socket.ts'
import { statusOfCode } from './status-errors.ts'
import { responseOn } from './upgrade.ts'

/** How often it is looked for slow requests: so many times within what the head of one may take. */
const LOOKS_FOR_SLOW = 4
/** Connections beyond the limit, so that a crowded server can still be asked how it is. */
const HEALTH_CONNECTIONS = 50
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
  /** Absent: backups are made some other way. */
  readonly backup?: Backup
  readonly authenticate?: Authenticate
  /** Is told of each write that a client asks for. */
  readonly audit?: AuditSink
  /** Numbers in [0, 1). */
  readonly random?: () => number
  /** Where it takes less, or more, than usual. */
  readonly limits?: Partial<Limits>
}

export type ListenAddress = { readonly socketPath: string } | { readonly host: string; readonly port: number }

export interface ApiServer {
  /** May be called for several addresses. Gives the address with the port that was taken for 0. */
  listen(address: ListenAddress): Promise<ListenAddress>
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
  readonly #limits: Limits
  #connections = 0
  readonly #crowded = new WeakSet<Socket>()
  readonly #answers = new OpenAnswers()
  /** Those that Node has given away, and no longer closes with the others. */
  readonly #upgraded = new Set<Socket>()

  constructor(options: ApiServerOptions) {
    const { registry, gateways, clock, log, version, ready, authenticate = socketAuthentication(), random = Math.random } = options
    const { storeRefusal = () => undefined, backup, audit } = options
    this.#clock = clock
    this.#limits = { ...LIMITS, ...options.limits }
    const routes: readonly Route[] = [
      ...healthRoutes(version, ready, storeRefusal),
      ...(backup === undefined ? [] : [backupRoute(backup)]),
      ...discoveryRoutes(definitions),
      ...openApiRoutes(definitions, version, clock),
      ...definitions.flatMap((definition) => resourceRoutes(definition, { registry, clock, random })),
      ...definitions.flatMap((definition) => agentRoutes(definition, { registry, gateways, clock })),
    ]
    this.#app = new HttpApp({
      routes: [...routes, rootRoute(routes)],
      authenticate,
      clock,
      log,
      limits: this.#limits,
      isCrowded: (socket) => this.#crowded.has(socket),
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
    return this.#connections
  }

  get held(): number {
    return this.#app.held
  }

  async listen(address: ListenAddress): Promise<ListenAddress> {
    await this.#app.ready()
    const server = createServer(
      {
        highWaterMark: RESPONSE_BUFFER,
        maxHeaderSize: MAX_HEADER_SIZE,
        headersTimeout: this.#limits.headWithin,
        requestTimeout: this.#limits.receivedWithin,
        connectionsCheckingInterval: this.#limits.headWithin / LOOKS_FOR_SLOW,
        keepAliveTimeout: KEEP_ALIVE,
      },
      (request, response) => {
        this.#answers.add(response)
        this.#app.handle(request, response)
      },
    )
    server.on('connection', (socket) => this.#count(server, socket))
    server.on('clientError', (err, socket) => refuseBrokenRequest(err, socket as Socket, this.#answers.on(socket as Socket)))
    server.on('checkExpectation', refuseExpectation)
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head))
    if ('socketPath' in address) {
      await listenOnSocket(server, address.socketPath)
      this.#servers.add(server)
      return address
    }
    if (!['127.0.0.1', '::1', 'localhost'].includes(address.host)) {
      throw new Error(`${address.host} is no loopback address: plain HTTP is served on this machine only`)
    }
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(address.port, address.host, resolve)
    })
    this.#servers.add(server)
    return { host: address.host, port: (server.address() as AddressInfo).port }
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

  /** One connection too many costs those that are idle their place, and may ask for the server's health. */
  #count(server: Server, socket: Socket): void {
    const { connections } = this.#limits
    if (this.#connections >= connections + HEALTH_CONNECTIONS) {
      socket.destroy()
      return
    }
    if (this.#connections >= connections) {
      this.#crowded.add(socket)
      server.closeIdleConnections()
    }
    this.#connections += 1
    socket.once('close', () => {
      this.#connections -= 1
    })
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

/** Of what a client may expect beforehand, only 100-continue is known. */
function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(417, { 'content-type': JSON_TYPE }).end(JSON.stringify(statusOfCode(417)))
}

/** What isn't HTTP, or comes too slowly, gets an answer all the same, where that is possible: not in the middle of another one. */
function refuseBrokenRequest(err: NodeJS.ErrnoException, socket: Socket, open: readonly ServerResponse[]): void {
  const isFree = open.length === 0 || (open.length === 1 && open[0]?.headersSent === false)
  if (!socket.writable || err.code === 'ECONNRESET' || !isFree) {
    socket.destroy()
    return
  }
  const code = err.code === 'HPE_HEADER_OVERFLOW' ? 431 : err.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
  const status = statusOfCode(code)
  const body = JSON.stringify(status)
  // Who doesn't close its side, and sends no more, would keep the connection for ever.
  socket.setTimeout(LINGER, () => socket.destroy())
  socket.end(
    `HTTP/1.1 ${code} ${status.message}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}
