import type { IncomingMessage, ServerResponse } from 'node:http'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import type { AccessPolicy } from '../access/access-policy.ts'
import { apiError, type Status } from '../api/status.ts'
import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { type Granted, type Guard, guardOf } from './access-control.ts'
import type { AuditTrail } from './audit.ts'
import { Gatekeeper, type GatekeeperOptions } from './gatekeeper.ts'
import { IncomingRequest } from './incoming-request.ts'
import { Cancellation, Deadlines, InFlight, type Limits } from './limits.ts'
import { checkParameters, targetOf, wishOf } from './read-request.ts'
import { attributesOfRoute } from './request-attributes.ts'
import { type Answer, type Handler, handlerFor, type Route, type StreamAnswer } from './route.ts'
import { sendStatus, sendText } from './send.ts'
import { BODY_LIMIT, NO_SUCH_METHOD, NO_SUCH_PATH, statusOf } from './status-errors.ts'
import { sendStream } from './stream.ts'
import { asksForWebSocket, type Upgrade } from './upgrade.ts'
import { sendMessages } from './web-socket.ts'

/** Names have up to 253 characters, each of which may be written as three. */
const MAX_PARAMETER_LENGTH = 1_024

/** Who was refused, or told that it's over, has so long to take that in. */
export const LINGER: Millis = 1_000

/** Answers from this size on are counted among the bytes that are held for clients. */
const LARGE = 64 * 1024

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']

const noCompiler = (): never => {
  throw new Error('routes have no schemas')
}

export interface HttpAppOptions extends Omit<GatekeeperOptions, 'inFlight'> {
  readonly policy: AccessPolicy
  readonly clock: Clock
  readonly log: Logger
  readonly limits: Limits
  readonly audit?: AuditTrail
}

/** The routes behind a function that answers HTTP requests, with everything that is the same for all of them. */
export class HttpApp {
  readonly #app: FastifyInstance
  readonly #gatekeeper: Gatekeeper
  readonly #isLocal: (request: IncomingMessage) => boolean
  readonly #clock: Clock
  readonly #log: Logger
  readonly #inFlight: InFlight
  readonly #limits: Limits
  readonly #audit: AuditTrail | undefined
  readonly #upgrades = new WeakMap<IncomingMessage, Upgrade>()
  readonly #deadlines: Deadlines
  readonly #streams = new Set<Cancellation>()
  /** What was granted to requests that may go on for long. */
  readonly #grants = new WeakMap<Cancellation, Granted>()
  #stopping = false

  constructor({ policy, clock, log, limits, audit, ...options }: HttpAppOptions) {
    const { routes, peerOf } = options
    this.#inFlight = new InFlight(limits)
    this.#gatekeeper = new Gatekeeper({ ...options, inFlight: this.#inFlight })
    this.#isLocal = ({ socket }) => peerOf(socket).local
    this.#limits = limits
    this.#audit = audit
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
      rewriteUrl: (request) => targetOf(request, fixedPaths),
      frameworkErrors: (err, request, reply) => void this.#refuseUnread(request as FastifyRequest, reply as FastifyReply, err),
    })
    this.#app.removeAllContentTypeParsers()
    // Bodies stay bytes: what they are is decided by each route.
    this.#app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    const ofNoRoute = attributesOfRoute('')
    const attributesOf = new Map(routes.map(({ path }) => [path, attributesOfRoute(path)]))
    this.#app.addHook('onRequest', (request, reply, done) => {
      const { raw, routeOptions } = request
      audit?.begin(raw, reply.raw, () => (attributesOf.get(routeOptions.url ?? '') ?? ofNoRoute)(wishOf(request)))
      this.#admit(request, reply).then(() => done(), done)
    })
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
        reply.raw.once('close', this.#inFlight.hold(text.length, this.#isLocal(request.raw)))
      }
      const { stalledAfter } = this.#limits
      await sendText(request, reply, answer, { warnings, clock: this.#clock, cancellation, stalledAfter })
    } else {
      const endStream = this.#inFlight.beginStream(this.#isLocal(request.raw))
      this.#audit?.end(request.raw, 200)
      this.#gatekeeper.release(request.raw)
      await this.#stream(request, reply, answer, cancellation).finally(endStream)
    }
  }

  #refuse(request: FastifyRequest, reply: FastifyReply, status: Status): Promise<void> {
    this.#audit?.end(request.raw, status.code, status.reason)
    return sendStatus(reply, status)
  }

  /** Fails with the ApiError for which it isn't let in. */
  async #admit({ raw, routeOptions }: FastifyRequest, reply: FastifyReply): Promise<void> {
    const user = await this.#gatekeeper.admit(raw, reply.raw, routeOptions.url, this.#upgrades.has(raw))
    this.#audit?.note(raw, { user })
  }

  /** An address that the router can't read is told of to those only who are let in. */
  async #refuseUnread(request: FastifyRequest, reply: FastifyReply, err: unknown): Promise<void> {
    const reason = await this.#admit(request, reply).then(
      () => err,
      (refusal: unknown) => refusal,
    )
    await sendStatus(reply, statusOf(reason, this.#log))
  }

  async #run(handler: Handler, guard: Guard, request: FastifyRequest, cancellation: Cancellation, warnings: string[]): Promise<Answer> {
    const { raw, headers, body } = request
    const wish = wishOf(request)
    checkParameters(wish)
    const granted = guard(this.#gatekeeper.userOf(raw), wish, raw)
    const { user, impersonator } = granted
    if (impersonator !== undefined) this.#audit?.note(raw, { user, impersonatedBy: impersonator.name })
    this.#grants.set(cancellation, granted)
    const incoming = new IncomingRequest({
      wish,
      headers,
      bytes: body as Uint8Array | undefined,
      granted,
      cancellation,
      warn: (text) => warnings.push(text),
      note: (notes) => this.#audit?.note(raw, notes),
    })
    const answer = await handler(incoming)
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
