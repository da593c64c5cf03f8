import type { Socket } from 'node:net'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { epochOf } from '../base/clock.ts'
import type { ClientCertificate, Peer } from './authentication.ts'

const LOCAL: Peer = { local: true }
const STRANGER: Peer = { local: false }

/**
 * Who is at the other end of each connection, written down when it is made: what a socket says of itself later, when it has
 * been cut, must not decide who somebody is.
 */
export class Peers {
  readonly #peers = new WeakMap<Socket, Peer>()

  addLocal(socket: Socket): void {
    this.#peers.set(socket, LOCAL)
  }

  /** A connection over TLS, after the handshake. */
  addSecure(socket: TLSSocket): void {
    const certificate = certificateOf(socket)
    this.#peers.set(socket, certificate === undefined ? STRANGER : { local: false, certificate })
  }

  of(socket: Socket): Peer {
    return this.#peers.get(socket) ?? STRANGER
  }
}

/** What the client showed, if our client authority has signed it for clients. */
function certificateOf(socket: TLSSocket): ClientCertificate | undefined {
  // A resumed session counts as known without any certificate.
  if (!socket.authorized || socket.isSessionReused()) return undefined
  // Node gives null for a connection that has been cut, and a certificate need not name anybody.
  const { subject, valid_from, valid_to } = (socket.getPeerCertificate() as PeerCertificate | null) ?? {}
  if (subject === undefined || valid_from === undefined || valid_to === undefined) return undefined
  // Node's types know of one value only for each field.
  const { CN, O } = subject as { readonly CN?: string | readonly string[]; readonly O?: string | readonly string[] }
  const groups = typeof O === 'string' ? [O] : (O ?? [])
  return { user: typeof CN === 'string' ? CN : '', groups, from: epochOf(valid_from), until: epochOf(valid_to) }
}
