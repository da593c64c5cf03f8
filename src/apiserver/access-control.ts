import { userInfo } from 'node:os'
import type { AccessPolicy } from '../access/access-policy.ts'
import { checkWrite } from '../access/admission.ts'
import { requireRight } from '../access/authorizer.ts'
import { effectiveUser, type HeaderValues } from '../access/impersonation.ts'
import { ANONYMOUS, AUTHENTICATED } from '../access/well-known.ts'
import { type Admit, admitAll, type UserInfo } from '../registry/registry.ts'
import { RBAC_GROUP } from '../registry/role-binding-strategy.ts'
import { attributesOfRoute, type Wish } from './request-attributes.ts'
import type { Route } from './route.ts'

/** What was granted to one request. */
export interface Granted {
  /** In whose name it is carried out. */
  readonly user: UserInfo
  /** Who sent it, when that is somebody else. */
  readonly impersonator: UserInfo | undefined
  readonly admit: Admit
  /** Whether it would be granted now, too: what it was for may go on for long. */
  readonly isStill: () => boolean
  /** Resolves once what the request has changed of anybody's rights is in force. */
  readonly settled: () => Promise<void>
}

/** Looks at what a request wants and who sent it. Throws ApiError(Forbidden). */
export type Guard = (sender: UserInfo, wish: Wish, request: HeaderValues) => Granted

const nothingToSettle = async (): Promise<void> => {}

/** The guard of a route. What a route takes follows from its address, so that none is without; those that are public take nothing. */
export function guardOf(route: Route, policy: AccessPolicy): Guard {
  if (route.public) {
    return (user) => ({ user, impersonator: undefined, admit: admitAll, isStill: () => true, settled: nothingToSettle })
  }
  const serverUser = userInfo().username
  const attributesOf = attributesOfRoute(route.path)
  return (sender, wish, request) => {
    const caller = withAuthenticated(sender)
    const user = effectiveUser(policy, caller, request)
    const attributes = attributesOf(wish)
    requireRight(policy, user, attributes)
    const { verb } = attributes
    const changesRights = attributes.type === 'resource' && attributes.group === RBAC_GROUP && wish.method !== 'GET'
    return {
      user,
      impersonator: user === caller ? undefined : caller,
      admit: (write) => checkWrite({ authorizer: policy, user, verb, serverUser }, write),
      isStill: () => policy.authorize(user, attributes).allowed,
      settled: changesRights ? () => policy.refresh() : nothingToSettle,
    }
  }
}

/** Whoever has a name but that of nobody is authenticated, and a member of the group of those. */
function withAuthenticated(user: UserInfo): UserInfo {
  if (user.name === ANONYMOUS || user.groups.includes(AUTHENTICATED)) return user
  return { ...user, groups: [...user.groups, AUTHENTICATED] }
}
