import { apiError } from '../api/status.ts'
import type { Clock, Millis } from '../base/clock.ts'

/** What a server takes at once. The server's own controllers and agent ask without HTTP: none of this is taken from them. */
export interface Limits {
  /** Requests under way, from their first line on. More than these would wait for the disk anyway. */
  readonly requests: number
  /** Watches and log streams. Each holds a connection and its buffers. */
  readonly streams: number
  /** Open connections, of all listeners. Some more are let in to ask for the server's health. */
  readonly connections: number
  /** Bytes of bodies that come in and of large answers that go out. */
  readonly heldBytes: number
  /** A client that took nothing of its answer for so long doesn't read: its connection is cut. */
  readonly stalledAfter: Millis
  /** For the head of a request, or the first byte on a new connection. */
  readonly headWithin: Millis
  /** For all of a request; not for its answer, which may be a watch. */
  readonly receivedWithin: Millis
}

export const LIMITS: Limits = {
  requests: 1_000,
  streams: 5_000,
  connections: 6_000,
  heldBytes: 256 * 1024 * 1024,
  stalledAfter: 30_000,
  headWithin: 20_000,
  receivedWithin: 60_000,
}

const REQUEST_TIMEOUT: Millis = 60_000

/** The share of each limit that is kept for the unix socket: whatever crowd comes over TLS, an administrator of this host gets in. */
const RESERVED = 1 / 8

/** What of a limit somebody may use up who comes over the unix socket, or doesn't. */
export function limitFor(limit: number, isLocal: boolean): number {
  return isLocal ? limit : limit - Math.floor(limit * RESERVED)
}

/** Counts what is under way, and refuses what would be too much. */
export class InFlight {
  readonly #limits: Limits
  #requests = 0
  #streams = 0
  #held = 0

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /**
   * With the length of its body, and whether it comes over the unix socket. Throws ApiError(TooManyRequests). The returned function
   * says that the request is over; it may be called twice.
   */
  beginRequest(bytes: number, isLocal: boolean): () => void {
    if (this.#requests >= limitFor(this.#limits.requests, isLocal)) throw tooMany('requests')
    const release = this.hold(bytes, isLocal)
    this.#requests += 1
    return once(() => {
      this.#requests -= 1
      release()
    })
  }

  /** As `beginRequest`, for bytes that lie about until somebody takes them. What is too large for all limits passes alone. */
  hold(bytes: number, isLocal: boolean): () => void {
    if (this.#held > 0 && this.#held + bytes > limitFor(this.#limits.heldBytes, isLocal)) throw tooMany('bytes of requests and answers')
    this.#held += bytes
    return once(() => {
      this.#held -= bytes
    })
  }

  /** As `beginRequest`, for an answer that goes on. */
  beginStream(isLocal: boolean): () => void {
    if (this.#streams >= limitFor(this.#limits.streams, isLocal)) throw tooMany('watches')
    this.#streams += 1
    return once(() => {
      this.#streams -= 1
    })
  }

  get requests(): number {
    return this.#requests
  }

  get streams(): number {
    return this.#streams
  }

  get held(): number {
    return this.#held
  }
}

/** The end that a request may be put to. Its signal is made when somebody wants it: most requests end before anybody does. */
export class Cancellation {
  #controller: AbortController | undefined
  #aborted: { readonly reason: unknown } | undefined

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason)
    }
    return this.#controller.signal
  }

  abort(reason?: unknown): void {
    this.#aborted ??= { reason }
    this.#controller?.abort(reason)
  }
}

interface Pending {
  readonly due: Millis
  readonly expire: () => void
}

/** The time limit of requests: one timer for all of them, since they come and go in the order in which they are due. */
export class Deadlines {
  readonly #clock: Clock
  readonly #pending = new Set<Pending>()
  #cancel: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The result of `work`, or ApiError(Timeout) when that takes too long; then `cancellation` is told, to end the work. */
  limit<T>(work: Promise<T>, cancellation: Cancellation): Promise<T> {
    return new Promise((resolve, reject) => {
      const expire = (): void => {
        const reason = apiError('Timeout', `the request took longer than ${REQUEST_TIMEOUT / 1_000} s`, { retryAfterSeconds: 1 })
        reject(reason)
        cancellation.abort(reason)
      }
      const pending = { due: this.#clock.monotonic() + REQUEST_TIMEOUT, expire }
      this.#pending.add(pending)
      this.#cancel ??= this.#clock.schedule(REQUEST_TIMEOUT, () => this.#look())
      work.then(
        (result) => {
          this.#pending.delete(pending)
          resolve(result)
        },
        (err: unknown) => {
          this.#pending.delete(pending)
          reject(err)
        },
      )
    })
  }

  /** No request is limited any more. */
  close(): void {
    this.#cancel?.()
    this.#pending.clear()
  }

  #look(): void {
    this.#cancel = undefined
    const now = this.#clock.monotonic()
    for (const pending of this.#pending) {
      if (pending.due > now) {
        this.#cancel = this.#clock.schedule(pending.due - now, () => this.#look())
        return
      }
      this.#pending.delete(pending)
      pending.expire()
    }
  }
}

export function tooMany(what: string): Error {
  return apiError('TooManyRequests', `too many ${what} at once, please try again later`, { retryAfterSeconds: 1 })
}

function once(fn: () => void): () => void {
  let done = false
  return () => {
    if (!done) fn()
    done = true
  }
}
