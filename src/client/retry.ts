import { ApiError } from '../api/status.ts'
import { type Clock, type Millis, sleep } from '../base/clock.ts'

/** Tries in all, the first included. */
const MAX_TRIES = 5
/** A server that asks for more patience than this is asked again no later. */
const MAX_WAIT: Millis = 10_000

export interface RetryOptions {
  readonly clock: Clock
  readonly signal?: AbortSignal | undefined
  /** Doing it twice does no more than doing it once. What isn't so is never tried again. */
  readonly idempotent: boolean
}

/** Tries again when the server refused for now and said how long to wait (429 and 503 with Retry-After). */
export async function withRetries<T>(attempt: () => Promise<T>, { clock, signal, idempotent }: RetryOptions): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt()
    } catch (err) {
      const wait = idempotent && tries < MAX_TRIES ? waitAskedFor(err) : undefined
      if (wait === undefined) throw err
      await sleep(clock, wait, signal ?? NEVER)
    }
  }
}

const NEVER = new AbortController().signal

function waitAskedFor(err: unknown): Millis | undefined {
  if (!(err instanceof ApiError)) return undefined
  const { code, details } = err.status
  if ((code !== 429 && code !== 503) || details?.retryAfterSeconds === undefined) return undefined
  return Math.min(MAX_WAIT, Math.max(0, details.retryAfterSeconds) * 1_000)
}
