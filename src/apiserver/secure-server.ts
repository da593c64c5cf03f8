import { constants } from 'node:crypto'
import type { ServerOptions as HttpOptions, RequestListener } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket, TlsOptions } from 'node:tls'
import type { Millis } from '../base/clock.ts'

/** With what a server shows who it is, and by what it knows its clients. All PEM. */
export interface TlsCredentials {
  readonly certificate: string
  readonly key: string
  /** The authority whose client certificates are believed. */
  readonly clientAuthority: string
  /** Host names and addresses by which clients may call the server: those in its certificate. */
  readonly names: readonly string[]
}

export interface SecureServerOptions {
  readonly http: HttpOptions
  readonly credentials: TlsCredentials
  readonly handshakeWithin: Millis
  readonly onRequest: RequestListener
  /** Given each connection after its handshake, with the socket below. */
  readonly onConnection: (secure: TLSSocket, plain: Socket) => void
}

/** What a client that speaks HTTP in clear is told, in clear, and nothing else ever is. */
const ENCRYPTED_ONLY = 'this port is served with TLS only: use https\n'
const PLAIN_ANSWER = `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: ${ENCRYPTED_ONLY.length}\r\nConnection: close\r\n\r\n${ENCRYPTED_ONLY}`

/**
 * An HTTPS server. Clients without a certificate are let in, since they may have a token; what a certificate says is looked at
 * for each request. Sessions aren't resumed: each connection shows its certificate anew.
 */
export function createSecureServer({ http, credentials, handshakeWithin, onRequest, onConnection }: SecureServerOptions): Server {
  const server = createServer(
    {
      ...http,
      ...secureContextOf(credentials),
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: handshakeWithin,
    },
    onRequest,
  )
  /** Sockets whose handshake isn't done, by the client's end. */
  const handshakes = new Map<string, Socket>()
  server.on('connection', (socket: Socket) => {
    const end = endOf(socket)
    handshakes.set(end, socket)
    socket.once('close', () => handshakes.delete(end))
  })
  server.on('secureConnection', (secure: TLSSocket) => {
    const plain = handshakes.get(endOf(secure))
    // It has been cut meanwhile.
    if (plain === undefined) return
    handshakes.delete(endOf(secure))
    onConnection(secure, plain)
  })
  // Before Node's own listener, which would treat it as a request that is no HTTP.
  server.prependListener('tlsClientError', (err: NodeJS.ErrnoException, secure: TLSSocket) => {
    const plain = handshakes.get(endOf(secure))
    if (err.code === 'ERR_SSL_HTTP_REQUEST' && plain?.writable === true) plain.end(PLAIN_ANSWER)
    secure.destroy()
  })
  return server
}

/** For `setSecureContext`, too, which forgets what it isn't told anew. */
export function secureContextOf({ certificate, key, clientAuthority }: TlsCredentials): TlsOptions {
  // Of a resumed session Node says that the client is known, also when it never showed a certificate.
  return { cert: certificate, key, ca: clientAuthority, minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_TICKET }
}

/** The other end of a connection: the same for the socket below TLS and the one above. */
function endOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
