import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import { isAbort, onAbort } from '../base/abort.ts'
import type { Clock, Millis } from '../base/clock.ts'
import type { StreamAnswer } from './route.ts'

/**
 * Writes an answer chunk by chunk, never faster than the client reads: at most one chunk more than Node's buffer is held.
 * Ends the response cleanly when the chunks end; cuts the connection when they fail or the client stalls, and throws then.
 */
export async function sendStream(
  response: ServerResponse,
  answer: StreamAnswer,
  clock: Clock,
  signal: AbortSignal,
  stalledAfter: Millis,
): Promise<void> {
  response.writeHead(200, { 'content-type': answer.contentType, 'cache-control': 'no-store' })
  response.flushHeaders()
  try {
    for await (const chunk of answer.chunks) {
      if (response.destroyed) return
      if (!response.write(chunk)) await drained(response, clock, signal, stalledAfter)
    }
    if (!response.destroyed) response.end()
  } catch (err) {
    if (isAbort(err, signal)) {
      response.end()
      return
    }
    response.destroy()
    throw err
  }
}

/** Resolves when the client has read, is gone, or the signal fires; an Error when it reads nothing for long. */
export async function drained(target: Writable, clock: Clock, signal: AbortSignal, stalledAfter: Millis): Promise<void> {
  const stop = new AbortController()
  let stalled = false
  const cancel = clock.schedule(stalledAfter, () => {
    stalled = true
    stop.abort()
  })
  const off = onAbort(signal, () => stop.abort())
  try {
    await once(target, 'drain', { signal: stop.signal })
  } catch (err) {
    if (!stop.signal.aborted) throw err
  } finally {
    cancel()
    off()
  }
  if (stalled) throw new Error(`the client read nothing for ${stalledAfter / 1_000} s`)
}
