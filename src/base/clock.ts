import nodeProcess from 'node:process'

/** A length of time, in milliseconds. */
export type Millis = number
/** RFC 3339, UTC, with milliseconds. The only form in which a point in time leaves this file. */
export type Timestamp = string

export interface Clock {
  /** Wall time, for people and for the API. May jump; never subtract two of them. */
  now(): Timestamp
  /**
   * Milliseconds since the machine booted. Never goes back, and is the same clock in every process of one boot, so a
   * value may be kept on disk beside the boot id. For deadlines, backoff and durations.
   */
  monotonic(): Millis
  /** Runs `fn` once after `delay`; the returned function cancels it. */
  schedule(delay: Millis, fn: () => void): () => void
}

/** Longest delay that a Node timer can hold; longer ones are split. */
const LONGEST_TIMER: Millis = 2 ** 31 - 1

let written = { epoch: Number.NaN, text: '' }

export const systemClock: Clock = {
  // Writing a time takes longer than most of what is done at it, and many things are done in one millisecond.
  now: () => {
    const epoch = Date.now()
    if (epoch !== written.epoch) written = { epoch, text: new Date(epoch).toISOString() }
    return written.text
  },
  // libuv reads CLOCK_MONOTONIC, which counts from boot: unlike performance.now() it means the same to the next process.
  monotonic: () => Number(nodeProcess.hrtime.bigint()) / 1e6,
  schedule(delay, fn) {
    let timer: NodeJS.Timeout
    const arm = (left: Millis): void => {
      timer = left > LONGEST_TIMER ? setTimeout(() => arm(left - LONGEST_TIMER), LONGEST_TIMER) : setTimeout(fn, Math.max(0, left))
    }
    arm(delay)
    return () => clearTimeout(timer)
  },
}

/** Resolves after `delay`; rejects with the signal's reason when it fires first. */
export function sleep(clock: Clock, delay: Millis, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const onAbort = (): void => {
      cancel()
      reject(signal.reason)
    }
    const cancel = clock.schedule(delay, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

/** Milliseconds since the epoch of a Timestamp; NaN when it is not one. For ages shown to people, and for schedules. */
export function epochOf(time: Timestamp): Millis {
  return Date.parse(time)
}

/** The Timestamp `epoch` milliseconds after 1970. */
export function timestampOf(epoch: Millis): Timestamp {
  return new Date(epoch).toISOString()
}

/** For libraries that want a Date. */
export function dateOf(epoch: Millis): Date {
  return new Date(epoch)
}

/** The form of HTTP's headers: `Thu, 01 Jan 1970 00:00:00 GMT`. */
export function httpDateOf(epoch: Millis): string {
  return new Date(epoch).toUTCString()
}

/** The form of creationTimestamp and its like: whole seconds, as Kubernetes writes them. */
export function wholeSeconds(time: Timestamp): Timestamp {
  return `${time.slice(0, 19)}Z`
}
