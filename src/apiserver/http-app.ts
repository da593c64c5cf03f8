import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  type RawRequestDefaultExpression as RawRequest,
} from 'fastify'
import type { AccessPolicy } from '../access/access-policy.ts'
import { ApiError, apiError, type Status } from '../api/status.ts'
import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { UserInfo } from '../registry/registry.ts'
import { type Granted, type Guard, guardOf } from './access-control.ts'
import type { AuditTrail } from './audit.ts'
import type { Authenticate, Peer } from './authentication.ts'
import { Cancellation, Deadlines, InFlight, type Limits, tooMany } from './limits.ts'
import { refusalOfWebPage } from './origin.ts'
import { queryOf } from './query.ts'
import type { Wish } from './request-attributes.ts'
import type { Answer, ApiRequest, Handler, Route, StreamAnswer } from './route.ts'
import { sendStatus, sendText } from './send.ts'
import { BODY_LIMIT, NO_SUCH_METHOD, NO_SUCH_PATH, statusOf } from './status-errors.ts'
import { sendStream } from './stream.ts'
import { asksForWebSocket, refusalOfUpgrade, type Upgrade } from './upgrade.ts'
import { sendMessages } from './web-socket.ts'

/** Names have up to 253 characters, each of which may be written as three. */
const MAX_PARAMETER_LENGTH = 1_024

/** Who was refused, or told that it's over, has so long to take that in. */
export const LINGER: Millis = 1_000

/** Answers from this size on are counted among the bytes that are held for clients. */
const LARGE = 64 * 1024

/** Who asks a public route. */
const ANONYMOUS: UserInfo = { name: 'system:anonymous', groups: ['system:unauthenticated'] }

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']

const noCompiler = (): never => {
  throw new Error('routes have no schemas')
}

export interface HttpAppOptions {
  readonly routes: readonly Route[]
  readonly authenticate: Authenticate
  readonly peerOf: (socket: Socket) => Peer
  /** By which clients over TCP may call this server: lower case, addresses without brackets. */
  readonly names: () => ReadonlySet<string>
  readonly policy: AccessPolicy
  readonly clock: Clock
  readonly log: Logger
  readonly limits: Limits
  /** Whether a connection is one too many: then it may ask for the server's health only. */
  readonly isCrowded: (socket: Socket) => boolean
  readonly audit?: AuditTrail
}

/** The routes behind a function that answers HTTP requests, with everything that is the same for all of them. */
export class HttpApp {
  readonly #app: FastifyInstance
  readonly #authenticate: Authenticate
  readonly #peerOf: (socket: Socket) => Peer
  readonly #names: () => ReadonlySet<string>
  readonly #users = new WeakMap<IncomingMessage, UserInfo>()
  readonly #public: ReadonlySet<string | undefined>
  readonly #clock: Clock
  readonly #log: Logger
  readonly #inFlight: InFlight
  readonly #limits: Limits
  readonly #isCrowded: (socket: Socket) => boolean
  readonly #audit: AuditTrail | undefined
  /** Paths of the routes that are served however much is going on. */
  readonly #vital: ReadonlySet<string | undefined>
  /** How to say that a request is over. */
  readonly #ends = new WeakMap<IncomingMessage, () => void>()
  readonly #upgrades = new WeakMap<IncomingMessage, Upgrade>()
  readonly #deadlines: Deadlines
  readonly #streams = new Set<Cancellation>()
  /** What was granted to requests that may go on for long. */
  readonly #grants = new WeakMap<Cancellation, Granted>()
  #stopping = false

  constructor({ routes, authenticate, policy, peerOf, names, clock, log, limits, isCrowded, audit }: HttpAppOptions) {
    this.#inFlight = new InFlight(limits)
    this.#limits = limits
    this.#isCrowded = isCrowded
    this.#audit = audit
    this.#vital = new Set(routes.filter(({ vital }) => vital === true).map(({ path }) => path))
    this.#public = new Set(routes.filter((route) => route.public === true).map(({ path }) => path))
    this.#authenticate = authenticate
    this.#peerOf = peerOf
    this.#names = names
    policy.onChange(() => this.#endForbidden())
    this.#clock = clock
    this.#log = log
    this.#deadlines = new Deadlines(clock)
    const fixedPaths = new Set(routes.map(({ path }) => path).filter((path) => !path.includes(':')))
    this.#app = fastify({
      logger: false,
      exposeHeadRoutes: false,
      bodyLimit: BODY_LIMIT,
      routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH },
      // No route has a schema of Fastify's: what would compile one isn't loaded.
      schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
      rewriteUrl: (request) => tidyUrl(request, fixedPaths),
      frameworkErrors: (err, _request, reply) => {
        void sendStatus(reply as FastifyReply, statusOf(err, log))
      },
    })
    this.#app.removeAllContentTypeParsers()
    // Bodies stay bytes: what they are is decided by each route.
    this.#app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    this.#app.addHook('onRequest', (request, reply, done) => {
      audit?.begin(request.raw, reply.raw)
      done(this.#refusalOf(request.raw) ?? this.#admit(request, reply))
    })
    this.#app.addHook('onRequest', (request, reply, done) => this.#identify(request, reply, done))
    this.#app.setErrorHandler((err, request, reply) => this.#refuse(request, reply, statusOf(err, log)))
    this.#app.setNotFoundHandler((request, reply) => {
      // A method that no route knows ends here even on a path that is served.
      const known = METHODS.includes(request.method)
      const { status } = known ? apiError('NotFound', NO_SUCH_PATH, {}) : apiError('MethodNotAllowed', NO_SUCH_METHOD, {})
      return this.#refuse(request, reply, status)
    })
    for (const route of routes) {
      const guard = guardOf(route, policy)
      this.#app.route({ method: METHODS, url: route.path, handler: (request, reply) => this.#answer(route, guard, request, reply) })
    }
  }

  async ready(): Promise<void> {
    await this.#app.ready()
  }

  /** With `upgrade` for a request that asks for another protocol: its answer may be that, and is an HTTP answer else. */
  readonly handle = (request: IncomingMessage, response: ServerResponse, upgrade?: Upgrade): void => {
    if (upgrade !== undefined) this.#upgrades.set(request, upgrade)
    this.#app.routing(request, response)
  }

  /** Watches and log streams open now. */
  get streams(): number {
    return this.#inFlight.streams
  }

  /** Requests under way, without streams. */
  get requests(): number {
    return this.#inFlight.requests
  }

  /** Bytes that are held for clients. */
  get held(): number {
    return this.#inFlight.held
  }

  /** Ends all streams cleanly, and each that begins from now on. */
  endStreams(): void {
    this.#stopping = true
    for (const stream of this.#streams) stream.abort()
  }

  /** Ends the streams of those who have lost the right to them; who asks again is told. */
  #endForbidden(): void {
    for (const stream of this.#streams) if (!this.#isStillGranted(stream)) stream.abort()
  }

  #isStillGranted(stream: Cancellation): boolean {
    return this.#grants.get(stream)?.isStill() !== false
  }

  async close(): Promise<void> {
    await this.#app.close()
    this.#deadlines.close()
    this.#audit?.close()
  }

  async #answer(route: Route, guard: Guard, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const handler = handlerFor(route, request.method)
    const cancellation = new Cancellation()
    // The request's own close event comes as soon as it is read; this one when the client is gone or has its answer.
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) cancellation.abort()
    })
    const warnings: string[] = []
    const work = this.#run(handler, guard, request, cancellation, warnings)
    const answer = await (route.patient ? work : this.#deadlines.limit(work, cancellation))
    if ('text' in answer) {
      this.#audit?.end(request.raw, answer.code)
      const { text } = answer
      // What a write has done is told in any case, and what leaves in pieces isn't held.
      if (request.method === 'GET' && typeof text === 'string' && text.length >= LARGE) {
        reply.raw.once('close', this.#inFlight.hold(text.length))
      }
      const { stalledAfter } = this.#limits
      await sendText(request, reply, answer, { warnings, clock: this.#clock, cancellation, stalledAfter })
    } else {
      const endStream = this.#inFlight.beginStream()
      this.#audit?.end(request.raw, 200)
      this.#ends.get(request.raw)?.()
      await this.#stream(request, reply, answer, cancellation).finally(endStream)
    }
  }

  #refuse(request: FastifyRequest, reply: FastifyReply, status: Status): Promise<void> {
    this.#audit?.end(request.raw, status.code, status.reason)
    return sendStatus(reply, status)
  }

  /** Why a request isn't even looked at, if so. */
  #refusalOf(request: IncomingMessage): Error | undefined {
    const { headers } = request
    const encoding = headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      return apiError('UnsupportedMediaType', `content encoding ${JSON.stringify(encoding)} is not accepted, send the body as it is`)
    }
    const refusal = this.#upgrades.has(request) ? refusalOfUpgrade(request) : undefined
    return refusal ?? (this.#peerOf(request.socket).local ? undefined : refusalOfWebPage(headers, this.#names()))
  }

  /** Before the body is read, since bodies are what takes room. Gives the reason for which there is no room. */
  #admit({ raw, routeOptions }: FastifyRequest, reply: FastifyReply): Error | undefined {
    if (this.#vital.has(routeOptions.url)) return undefined
    try {
      if (this.#isCrowded(raw.socket)) throw tooMany('connections')
      const end = this.#inFlight.beginRequest(lengthOf(raw))
      this.#ends.set(raw, end)
      reply.raw.once('close', end)
      return undefined
    } catch (err) {
      if (!(err instanceof ApiError)) throw err
      // Nobody waits for the rest of the body, and a crowded server is better off without the connection.
      reply.raw.shouldKeepAlive = false
      return err
    }
  }

  /** Before the body is read, and before anything is told about paths: nothing is for strangers but the public routes. */
  #identify({ raw, routeOptions }: FastifyRequest, reply: FastifyReply, done: (err?: Error) => void): void {
    if (this.#public.has(routeOptions.url)) {
      done()
      return
    }
    const refuse = (err: Error): void => {
      // Nobody waits for the rest of the body.
      if (lengthOf(raw) > 0) reply.raw.shouldKeepAlive = false
      done(err)
    }
    const accept = (user: UserInfo): void => {
      this.#users.set(raw, user)
      this.#audit?.note(raw, { user })
      done()
    }
    try {
      const user = this.#authenticate({ ...this.#peerOf(raw.socket), headers: raw.headers })
      if (user instanceof Promise) user.then(accept, refuse)
      else accept(user)
    } catch (err) {
      refuse(err as Error)
    }
  }

  async #run(handler: Handler, guard: Guard, request: FastifyRequest, cancellation: Cancellation, warnings: string[]): Promise<Answer> {
    const { raw, headers, body } = request
    const url = raw.url ?? '/'
    const wish: Wish = {
      method: request.method,
      path: url.split('?', 1)[0] ?? url,
      query: queryOf(url),
      parameters: checkedParameters(request.params as Readonly<Record<string, string>>),
    }
    const granted = guard(this.#users.get(raw) ?? ANONYMOUS, wish, raw.headersDistinct)
    const { user, impersonator, admit } = granted
    if (impersonator !== undefined) this.#audit?.note(raw, { user, impersonatedBy: impersonator.name })
    this.#grants.set(cancellation, granted)
    const apiRequest: ApiRequest = {
      ...wish,
      headers,
      body: { contentType: headers['content-type'], bytes: body as Uint8Array | undefined },
      user,
      admit,
      get signal() {
        return cancellation.signal
      },
      warn: (text) => warnings.push(text),
      note: (notes) => this.#audit?.note(raw, notes),
    }
    const answer = await handler(apiRequest)
    await granted.settled()
    return answer
  }

  async #stream(request: FastifyRequest, reply: FastifyReply, answer: StreamAnswer, cancellation: Cancellation): Promise<void> {
    reply.hijack()
    if (request.method === 'HEAD') {
      cancellation.abort()
      reply.raw.writeHead(200, { 'content-type': answer.contentType }).end()
      return
    }
    this.#streams.add(cancellation)
    if (this.#stopping || !this.#isStillGranted(cancellation)) cancellation.abort()
    const { stalledAfter } = this.#limits
    const upgrade = this.#upgrades.get(request.raw)
    try {
      if (upgrade !== undefined && answer.messages === true && asksForWebSocket(request.headers)) {
        const isStopping = (): boolean => this.#stopping
        await sendMessages(reply.raw, upgrade, answer, { clock: this.#clock, cancellation, stalledAfter, linger: LINGER, isStopping })
      } else {
        await sendStream(reply.raw, answer, this.#clock, cancellation.signal, stalledAfter)
      }
    } catch (err) {
      // The response has begun, so the client can't be told; its connection is cut.
      this.#log.warn({ path: request.raw.url, err }, 'Cut a stream off')
    } finally {
      this.#streams.delete(cancellation)
      cancellation.abort()
    }
  }
}

/**
 * Some clients ask for discovery with doubled and trailing slashes. That is overlooked only where it can't change what is
 * meant: an object without a name must not become all objects.
 */
function tidyUrl({ method, url = '/' }: RawRequest, fixedPaths: ReadonlySet<string>): string {
  const [path = '', ...query] = url.split('?')
  if ((method !== 'GET' && method !== 'HEAD') || !/\/(\/|$)/.test(path)) return url
  const tidy = path.replaceAll(/\/+/g, '/').replace(/(.)\/$/, '$1')
  return fixedPaths.has(tidy) ? [tidy, ...query].join('?') : url
}

/** What the body of a request may take up. */
function lengthOf({ headers }: IncomingMessage): number {
  if (headers['transfer-encoding'] !== undefined) return BODY_LIMIT
  const length = Number(headers['content-length'] ?? 0)
  // What is longer is refused before it is read.
  return length <= BODY_LIMIT ? length : 0
}

function handlerFor(route: Route, method: string): Handler {
  const name = method === 'HEAD' ? 'GET' : method
  const handler = Object.hasOwn(route.methods, name) ? route.methods[name as keyof Route['methods']] : undefined
  if (handler === undefined) throw apiError('MethodNotAllowed', NO_SUCH_METHOD, {})
  return handler
}

/** No name holds a slash, however it was written, so none leads out of its collection. */
function checkedParameters(parameters: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const value of Object.values(parameters)) {
    if (value === '' || value === '.' || value === '..' || /[/\\\0]/.test(value)) throw apiError('NotFound', NO_SUCH_PATH, {})
  }
  return parameters
}
