import { definitionOf } from '../api/scheme.ts'
import { hasReason } from '../api/status.ts'
import { isTokenOf, tokenNameOf } from '../api/token-text.ts'
import { type Clock, epochOf } from '../base/clock.ts'
import type { Token } from '../generated/types.ts'
import type { Registry, UserInfo } from '../registry/registry.ts'
import type { TokenVerifier } from './authentication.ts'

const TOKENS = definitionOf('Token')

/**
 * Accepts the tokens that the Tokens of a registry tell the hashes of. Reads the Token anew each time: what was created is accepted and
 * what was deleted is refused from the moment on at which the write was answered.
 */
export function storedTokens(registry: Pick<Registry, 'get'>, clock: Clock): TokenVerifier {
  return {
    async verify(token) {
      const name = tokenNameOf(token)
      const found = name === undefined ? undefined : await tokenNamed(registry, name)
      if (found === undefined || !isTokenOf(token, found.spec.hash)) return undefined
      return isAccepted(found, clock) ? userOf(found) : undefined
    },
  }
}

async function tokenNamed(registry: Pick<Registry, 'get'>, name: string): Promise<Token | undefined> {
  try {
    // The registry validates what it stores, so an object of the kind is of its type.
    return (await registry.get(TOKENS, { name })) as Token
  } catch (err) {
    if (hasReason(err, 'NotFound')) return undefined
    throw err
  }
}

/** One that is being deleted, whatever may keep it, is revoked. */
function isAccepted({ metadata, spec }: Token, clock: Clock): boolean {
  if (metadata.deletionTimestamp !== undefined) return false
  return spec.expiresAt === undefined || epochOf(clock.now()) < epochOf(spec.expiresAt)
}

function userOf({ spec }: Token): UserInfo {
  return { name: spec.user, groups: [...new Set([...(spec.groups ?? []), 'system:authenticated'])] }
}
