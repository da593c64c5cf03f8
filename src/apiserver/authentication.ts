import type { IncomingHttpHeaders } from 'node:http'
import { userInfo } from 'node:os'
import type { UserInfo } from '../registry/registry.ts'

/** What is known of a request before anybody looked at who sent it. */
export interface Credentials {
  readonly headers: IncomingHttpHeaders
  /** It came over the unix socket, whose file permissions were the login. */
  readonly local: boolean
}

/** Throws ApiError(Unauthorized). */
export type Authenticate = (credentials: Credentials) => UserInfo | Promise<UserInfo>

/** Everybody who may open the socket is the server's own user, with all rights. */
export function socketAuthentication(): Authenticate {
  const self: UserInfo = { name: userInfo().username, groups: ['system:masters', 'system:authenticated'] }
  return () => self
}
