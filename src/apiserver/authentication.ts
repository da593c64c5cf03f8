import type { IncomingHttpHeaders } from 'node:http'
import { userInfo } from 'node:os'
import { AUTHENTICATED, MASTERS } from '../access/well-known.ts'
import { apiError } from '../api/status.ts'
import { type Clock, epochOf, type Millis } from '../base/clock.ts'
import type { UserInfo } from '../registry/registry.ts'
import { isOfWebPage } from './origin.ts'

/** Who a certificate is for. That our authority signed it was checked when the connection was made; its time wasn't. */
export interface ClientCertificate {
  /** The common name; empty when there is none. */
  readonly user: string
  /** The organisations. */
  readonly groups: readonly string[]
  /** In milliseconds since 1970. */
  readonly from: Millis
  readonly until: Millis
}

/** Who is at the other end of a connection. */
export interface Peer {
  /** It came over the unix socket, whose file permissions were the login. */
  readonly local: boolean
  readonly certificate?: ClientCertificate
}

/** What is known of a request before anybody looked at who sent it. */
export interface Credentials extends Peer {
  readonly headers: IncomingHttpHeaders
}

/** Throws ApiError(Unauthorized). */
export type Authenticate = (credentials: Credentials) => UserInfo | Promise<UserInfo>

/** Knows bearer tokens. */
export interface TokenVerifier {
  /** Whose token it is; undefined for one that isn't accepted; why, isn't told. Fails with an ApiError when it can't be looked up. */
  verify(token: string): Promise<UserInfo | undefined>
}

export interface AuthenticationOptions {
  readonly clock: Clock
  readonly tokens: TokenVerifier
}

/**
 * By the unix socket, else by the client's certificate, else by its token; the first that holds decides. A browser shows its
 * certificate for whatever page asks: then only a token counts.
 */
export function createAuthentication({ clock, tokens }: AuthenticationOptions): Authenticate {
  // Whoever may open the socket is the server's own user.
  const self: UserInfo = { name: userInfo().username, groups: [MASTERS, AUTHENTICATED] }
  return ({ local, certificate, headers }) => {
    if (local) return self
    const shown = isOfWebPage(headers) ? undefined : certificate
    const certified = shown && userOf(shown, epochOf(clock.now()))
    if (certified !== undefined) return certified
    const token = tokenOf(headers)
    return token === undefined ? known(undefined) : tokens.verify(token).then(known)
  }
}

function known(user: UserInfo | undefined): UserInfo {
  if (user === undefined) throw apiError('Unauthorized', 'Unauthorized')
  return user.groups.includes(AUTHENTICATED) ? user : { ...user, groups: [...user.groups, AUTHENTICATED] }
}

/** A connection may outlive the certificate that it was made with. */
function userOf({ user, groups, from, until }: ClientCertificate, now: Millis): UserInfo | undefined {
  return user !== '' && from <= now && now <= until ? known({ name: user, groups }) : undefined
}

/** RFC 6750, 2.1. */
function tokenOf({ authorization }: IncomingHttpHeaders): string | undefined {
  return /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(authorization ?? '')?.[1]
}
