import { apiError } from '../api/status.ts'
import type { UserInfo } from '../registry/registry.ts'
import { resourceAttributes } from './attributes.ts'
import { type Authorizer, requireRight } from './authorizer.ts'
import { ANONYMOUS, AUTHENTICATED } from './well-known.ts'

/** The headers of a request, by their names in lower case: at once, and each with all its values, which takes a while to put together. */
export interface HeaderValues {
  readonly headers: Readonly<NodeJS.Dict<unknown>>
  readonly headersDistinct: Readonly<NodeJS.Dict<readonly string[]>>
}

const PREFIX = 'impersonate-'
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/

/**
 * The user in whose name a request is to be carried out: the one of Impersonate-User and Impersonate-Group, if they are there
 * and `user` may impersonate all of them. Throws ApiError(Forbidden), or ApiError(BadRequest) for what isn't understood:
 * no such header is ever overlooked.
 */
export function effectiveUser(authorizer: Authorizer, user: UserInfo, request: HeaderValues): UserInfo {
  const asked = Object.keys(request.headers).filter((name) => name.startsWith(PREFIX))
  if (asked.length === 0) return user
  const headers = request.headersDistinct
  const unknown = asked.find((name) => name !== 'impersonate-user' && name !== 'impersonate-group')
  if (unknown !== undefined) throw apiError('BadRequest', `the header ${unknown} is not supported: users have a name and groups here`)
  const [name, ...more] = headers['impersonate-user'] ?? []
  if (name === undefined || name === '' || more.length > 0) {
    throw apiError('BadRequest', 'who impersonates groups has to say one user too: the header Impersonate-User is missing or there twice')
  }
  const groups = (headers['impersonate-group'] ?? []).filter((group) => group !== '')
  requireImpersonation(authorizer, user, name, groups)
  const [, namespace] = SERVICE_ACCOUNT.exec(name) ?? []
  const own = namespace === undefined || groups.length > 0 ? groups : ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]
  return { name, groups: name === ANONYMOUS ? own : [...new Set([...own, AUTHENTICATED])] }
}

/** Throws ApiError(Forbidden) unless the user may act as, or hand out credentials of, that user with those groups. */
export function requireImpersonation(authorizer: Authorizer, user: UserInfo, name: string, groups: readonly string[]): void {
  const [, namespace, account] = SERVICE_ACCOUNT.exec(name) ?? []
  const target =
    namespace === undefined || account === undefined
      ? { resource: 'users', name }
      : { resource: 'serviceaccounts', name: account, namespace }
  requireRight(authorizer, user, resourceAttributes({ verb: 'impersonate', ...target }))
  for (const group of groups) {
    requireRight(authorizer, user, resourceAttributes({ verb: 'impersonate', resource: 'groups', name: group }))
  }
}
