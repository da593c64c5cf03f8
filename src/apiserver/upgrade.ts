import { type IncomingHttpHeaders, type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { apiError } from '../api/status.ts'
import type { Millis } from '../base/clock.ts'

/** The connection of a request that asks for another protocol: Node has stopped reading HTTP from it. */
export interface Upgrade {
  readonly socket: Socket
  /** What the client sent behind its request. */
  readonly head: Buffer
}

/**
 * An answer over a connection that Node has given away. So a request that asks for a WebSocket passes through everything that any
 * request passes through, and is refused the same way. Behind the answer the connection ends, after `linger` at the latest; who wants it for
 * something else detaches it before.
 */
export function responseOn(request: IncomingMessage, socket: Socket, linger: Millis): ServerResponse {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  // Node's own listeners are gone. A failed connection closes, which the answer is told.
  socket.on('error', () => socket.destroy())
  socket.on('drain', () => response.emit('drain'))
  socket.on('timeout', () => response.emit('timeout'))
  response.once('finish', () => {
    socket.end()
    // What the client still sends is read, so that the end of the connection doesn't take the answer from it.
    socket.resume()
    socket.setTimeout(linger, () => socket.destroy())
  })
  return response
}

/** Who asks so is kubectl, for the most part. */
const NO_COMMANDS = 'exec, attach, cp and port-forward are not served, and only a GET may ask for another protocol'

export function asksForWebSocket({ upgrade }: IncomingHttpHeaders): boolean {
  return upgrade?.toLowerCase() === 'websocket'
}

/**
 * Why a request that asks for another protocol can't be answered, ApiError(BadRequest), if so. One that asks for a protocol that isn't
 * spoken is answered as if it hadn't.
 */
export function refusalOfUpgrade({ method, headers }: IncomingMessage): Error | undefined {
  // The body of another one would be read by nobody.
  if (method !== 'GET' && method !== 'HEAD') return apiError('BadRequest', NO_COMMANDS)
  if (!asksForWebSocket(headers)) return undefined
  if (method !== 'GET') return apiError('BadRequest', 'only a GET may ask for a WebSocket')
  if (headers['sec-websocket-version'] !== '13') return apiError('BadRequest', 'Sec-WebSocket-Version must be 13')
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')) {
    return apiError('BadRequest', 'Sec-WebSocket-Key must be 16 bytes in base64')
  }
  return takeToken(headers)
}

/** Kubernetes' way for scripts in a browser, which can choose no header but this one: the token in base64url, without padding. */
const TOKEN_PROTOCOL = 'base64url.bearer.authorization.k8s.io.'

/**
 * Makes the token among the subprotocols the Authorization that it stands for, unless there is one, and takes it off the list: it is
 * nothing that an answer may repeat.
 */
function takeToken(headers: IncomingHttpHeaders): Error | undefined {
  const field = 'sec-websocket-protocol'
  const offered = (headers[field] ?? '')
    .split(',')
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol !== '')
  const others = offered.filter((protocol) => !protocol.startsWith(TOKEN_PROTOCOL))
  const [protocol, ...further] = offered.filter((protocol) => protocol.startsWith(TOKEN_PROTOCOL))
  if (protocol === undefined) return undefined
  const token = Buffer.from(protocol.slice(TOKEN_PROTOCOL.length), 'base64url').toString('utf8')
  if (further.length > 0) return apiError('BadRequest', 'there is more than one token among the subprotocols')
  if (!/^[\x21-\x7e]+$/.test(token)) return apiError('BadRequest', 'the token among the subprotocols is none')
  // A browser takes no answer that doesn't choose one, and the token isn't said aloud.
  if (others.length === 0) return apiError('BadRequest', 'offer another subprotocol beside the token, such as base64.binary.k8s.io')
  headers[field] = others.join(', ')
  headers.authorization ??= `Bearer ${token}`
  return undefined
}
