import { apiError } from '../api/status.ts'
import type { Clock, Millis } from '../base/clock.ts'

/** Requests under way at once. Each holds a body of up to 3 MiB; more than these would wait for the disk anyway. */
const MAX_REQUESTS = 1_000
/** Watches and log streams open at once. Each holds a connection and its buffers. */
const MAX_STREAMS = 5_000

const REQUEST_TIMEOUT: Millis = 60_000

/** Counts what is under way, and refuses what would be too much. */
export class InFlight {
  #requests = 0
  #streams = 0

  /** Throws ApiError(TooManyRequests). The returned function says that the request is over; it may be called twice. */
  beginRequest(): () => void {
    if (this.#requests >= MAX_REQUESTS) throw tooMany('requests')
    this.#requests += 1
    return once(() => {
      this.#requests -= 1
    })
  }

  /** As `beginRequest`, for an answer that goes on. */
  beginStream(): () => void {
    if (this.#streams >= MAX_STREAMS) throw tooMany('watches')
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
}

/** The result of `work`, or ApiError(Timeout) when that takes too long; then `onTimeout` is called, to end the work. */
export function withDeadline<T>(clock: Clock, work: Promise<T>, onTimeout: (reason: Error) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.schedule(REQUEST_TIMEOUT, () => {
      const reason = apiError('Timeout', `the request took longer than ${REQUEST_TIMEOUT / 1_000} s`, { retryAfterSeconds: 1 })
      reject(reason)
      onTimeout(reason)
    })
    work.then(resolve, reject).finally(cancel)
  })
}

function tooMany(what: string): Error {
  return apiError('TooManyRequests', `too many ${what} at once, please try again later`, { retryAfterSeconds: 1 })
}

function once(fn: () => void): () => void {
  let done = false
  return () => {
    if (!done) fn()
    done = true
  }
}
