import type { IncomingMessage, ServerResponse } from 'node:http'
import type { WebSocket } from 'ws'
import { isAbort } from '../base/abort.ts'
import type { Clock, Millis } from '../base/clock.ts'
import type { Cancellation } from './limits.ts'
import type { StreamAnswer } from './route.ts'
import { drained } from './stream.ts'
import type { Upgrade } from './upgrade.ts'

/** So often a client is asked for a sign of life. One that gives none twice in a row is gone: a connection can die without an end. */
const PING_EVERY: Millis = 30_000
const PINGS_UNANSWERED = 2

/** A client has nothing to say here, but may say it. */
const MAX_MESSAGE = 64 * 1024

const NORMAL = 1000
const GOING_AWAY = 1001

export interface MessageOptions {
  readonly clock: Clock
  /** Ends the stream; it is told when the client is gone. */
  readonly cancellation: Cancellation
  /** A client that takes nothing for so long is cut off. */
  readonly stalledAfter: Millis
  /** A client has so long to say goodbye. */
  readonly linger: Millis
  readonly isStopping: () => boolean
}

/**
 * Sends each chunk of an answer as one text message, never faster than the client reads, as `sendStream` does. What the client sends is
 * read and ignored. At the end of the chunks it says goodbye: 1000, or 1001 when the server stops. Throws when the chunks fail or the client
 * stalls; then the connection is cut.
 */
export async function sendMessages(
  response: ServerResponse,
  { socket, head }: Upgrade,
  answer: StreamAnswer,
  { clock, cancellation, stalledAfter, linger, isStopping }: MessageOptions,
): Promise<void> {
  response.detachSocket(socket)
  const webSocket = await accept(response.req, { socket, head })
  if (webSocket === undefined) {
    cancellation.abort()
    return
  }
  const closed = new Promise<void>((resolve) => webSocket.once('close', resolve))
  webSocket.once('close', () => cancellation.abort())
  // It closes then.
  webSocket.on('error', () => {})
  const stopPinging = keepAsking(webSocket, clock)
  const { signal } = cancellation
  try {
    for await (const chunk of answer.chunks) {
      if (webSocket.readyState !== webSocket.OPEN) break
      webSocket.send(withoutNewline(chunk), { binary: false })
      if (socket.writableNeedDrain) await drained(socket, clock, signal, stalledAfter)
    }
  } catch (err) {
    if (!isAbort(err, signal) && !socket.destroyed) {
      webSocket.terminate()
      throw err
    }
  } finally {
    stopPinging()
  }
  webSocket.close(isStopping() ? GOING_AWAY : NORMAL)
  const cancel = clock.schedule(linger, () => webSocket.terminate())
  await closed
  cancel()
}

/** Undefined when the client is gone already. */
async function accept(request: IncomingMessage, { socket, head }: Upgrade): Promise<WebSocket | undefined> {
  // Few clients watch this way.
  const { WebSocketServer } = await import('ws')
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    skipUTF8Validation: true,
    maxPayload: MAX_MESSAGE,
  })
  let accepted: WebSocket | undefined
  server.handleUpgrade(request, socket, head, (webSocket) => {
    accepted = webSocket
  })
  return accepted
}

function keepAsking(webSocket: WebSocket, clock: Clock): () => void {
  let unanswered = 0
  let cancel = (): void => {}
  const ask = (): void => {
    if (unanswered === PINGS_UNANSWERED) {
      webSocket.terminate()
      return
    }
    unanswered += 1
    webSocket.ping()
    cancel = clock.schedule(PING_EVERY, ask)
  }
  webSocket.on('pong', () => {
    unanswered = 0
  })
  cancel = clock.schedule(PING_EVERY, ask)
  return () => cancel()
}

function withoutNewline(chunk: string | Uint8Array): string | Uint8Array {
  return typeof chunk === 'string' ? chunk.replace(/\n$/, '') : chunk.at(-1) === 0x0a ? chunk.subarray(0, -1) : chunk
}
