import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Millis } from '../base/clock.ts'
import { JSON_TYPE } from './route.ts'
import { statusOfCode } from './status-errors.ts'

/** Of what a client may expect beforehand, only 100-continue is known. */
export function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(417, { 'content-type': JSON_TYPE }).end(JSON.stringify(statusOfCode(417)))
}

/** What isn't HTTP, or comes too slowly, gets an answer all the same, where that is possible: not in the middle of another one.
 * The client has `linger` to take that in. */
export function refuseBrokenRequest(err: NodeJS.ErrnoException, socket: Socket, open: readonly ServerResponse[], linger: Millis): void {
  const isFree = open.length === 0 || (open.length === 1 && open[0]?.headersSent === false)
  if (!socket.writable || err.code === 'ECONNRESET' || !isFree) {
    socket.destroy()
    return
  }
  const code = err.code === 'HPE_HEADER_OVERFLOW' ? 431 : err.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
  const status = statusOfCode(code)
  const body = JSON.stringify(status)
  // Who doesn't close its side, and sends no more, would keep the connection for ever.
  socket.setTimeout(linger, () => socket.destroy())
  socket.end(
    `HTTP/1.1 ${code} ${status.message}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}
