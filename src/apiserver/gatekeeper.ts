import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { ANONYMOUS, UNAUTHENTICATED } from '../access/well-known.ts'
import { apiError } from '../api/status.ts'
import type { UserInfo } from '../registry/registry.ts'
import type { Authenticate, Peer } from './authentication.ts'
import { type InFlight, tooMany } from './limits.ts'
import { refusalOfWebPage } from './origin.ts'
import { handlerFor, type Route } from './route.ts'
import { BODY_LIMIT } from './status-errors.ts'
import { refusalOfUpgrade } from './upgrade.ts'

/** Who asks a public route. */
const NOBODY: UserInfo = { name: ANONYMOUS, groups: [UNAUTHENTICATED] }

export interface GatekeeperOptions {
  readonly routes: readonly Route[]
  readonly authenticate: Authenticate
  readonly peerOf: (socket: Socket) => Peer
  /** By which clients over TCP may call this server: lower case, addresses without brackets. */
  readonly names: () => ReadonlySet<string>
  readonly inFlight: InFlight
  /** Whether a connection is one too many: then it may ask for the server's health only. */
  readonly isCrowded: (socket: Socket) => boolean
}

/**
 * What every request passes before its body is read, since bodies are what takes room, and before anything is told about paths: whether
 * it comes from a web page, whether there is room, and who asks. For strangers there is nothing but the public routes.
 */
export class Gatekeeper {
  readonly #options: GatekeeperOptions
  readonly #open: ReadonlyMap<string | undefined, Route>
  readonly #users = new WeakMap<IncomingMessage, UserInfo>()
  /** How to say that a request is over. */
  readonly #ends = new WeakMap<IncomingMessage, () => void>()

  constructor(options: GatekeeperOptions) {
    this.#options = options
    this.#open = new Map(options.routes.filter(({ public: isOpen }) => isOpen === true).map((route) => [route.path, route]))
  }

  /**
   * Who sends a request to the route of this path (undefined: to none). Throws, or fails with, an ApiError when it isn't let in; then
   * nobody waits for its body. `isUpgrade`: it asks for another protocol.
   */
  admit(request: IncomingMessage, response: ServerResponse, path: string | undefined, isUpgrade: boolean): UserInfo | Promise<UserInfo> {
    const refuse = (err: unknown): never => {
      if (hasBody(request.headers)) response.shouldKeepAlive = false
      throw err
    }
    try {
      const peer = this.#options.peerOf(request.socket)
      const refusal = this.#refusalOf(request, peer, isUpgrade)
      if (refusal !== undefined) throw refusal
      const open = this.#open.get(path)
      if (open !== undefined) {
        // Also what is answered to everybody reads no bodies.
        handlerFor(open, request.method ?? '')
        return this.#accept(request, NOBODY)
      }
      this.#takeRoom(request, response, peer)
      const user = this.#options.authenticate({ ...peer, headers: request.headers })
      return user instanceof Promise ? user.then((known) => this.#accept(request, known), refuse) : this.#accept(request, user)
    } catch (err) {
      return refuse(err)
    }
  }

  /** Of a request that was let in. */
  userOf(request: IncomingMessage): UserInfo {
    return this.#users.get(request) ?? NOBODY
  }

  /** It takes none of the room for requests any more, though its answer may go on. */
  release(request: IncomingMessage): void {
    this.#ends.get(request)?.()
  }

  #accept(request: IncomingMessage, user: UserInfo): UserInfo {
    this.#users.set(request, user)
    return user
  }

  /** Why it isn't even looked at, if so. */
  #refusalOf(request: IncomingMessage, { local }: Peer, isUpgrade: boolean): Error | undefined {
    const { headers } = request
    const encoding = headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      return apiError('UnsupportedMediaType', `content encoding ${JSON.stringify(encoding)} is not accepted, send the body as it is`)
    }
    const refusal = isUpgrade ? refusalOfUpgrade(request) : undefined
    return refusal ?? (local ? undefined : refusalOfWebPage(headers, this.#options.names()))
  }

  #takeRoom(request: IncomingMessage, response: ServerResponse, { local }: Peer): void {
    const { inFlight, isCrowded } = this.#options
    try {
      if (isCrowded(request.socket)) throw tooMany('connections')
      const end = inFlight.beginRequest(lengthOf(request.headers), local)
      this.#ends.set(request, end)
      response.once('close', end)
    } catch (err) {
      // A crowded server is better off without the connection.
      response.shouldKeepAlive = false
      throw err
    }
  }
}

function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}

/** What the body of a request may take up. */
function lengthOf(headers: IncomingHttpHeaders): number {
  if (headers['transfer-encoding'] !== undefined) return BODY_LIMIT
  const length = Number(headers['content-length'] ?? 0)
  // What is longer is refused before it is read.
  return length <= BODY_LIMIT ? length : 0
}
