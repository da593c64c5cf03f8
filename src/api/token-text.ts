import { createHash, timingSafeEqual } from 'node:crypto'
import { checkDnsSubdomain } from './names.ts'

/** By this a token is known where it doesn't belong: in a log, a repository, a message. */
const PREFIX = 'pmk_'
/** 256 bits: more than can be tried. */
export const SECRET_BYTES = 32
const MAX_NAME = 253

/**
 * The token of a Token with this name: `pmk_NAME_SECRET`, of SECRET_BYTES random bytes. It names its Token, so that the server finds the
 * one by the other, and people can revoke one that turned up somewhere. No name has an underscore.
 */
export function tokenText(name: string, secret: Uint8Array): string {
  return `${PREFIX}${name}_${Buffer.from(secret).toString('hex')}`
}

/** The name of the Token that a text claims to be of; undefined when it can't be a token. */
export function tokenNameOf(text: string): string | undefined {
  if (text.length > PREFIX.length + MAX_NAME + 1 + 2 * SECRET_BYTES) return undefined
  const [, name, secret] = /^pmk_([^_]+)_([0-9a-f]+)$/.exec(text) ?? []
  if (name === undefined || secret?.length !== 2 * SECRET_BYTES) return undefined
  return checkDnsSubdomain(name) === undefined ? name : undefined
}

/** What a Token's `spec.hash` says of a token. The secret has too many values to be tried, so it needs no slow hash. */
export function hashOfToken(text: string): string {
  return `sha256:${createHash('sha256').update(text, 'utf8').digest('hex')}`
}

/** Takes equally long wherever the two begin to differ. */
export function isTokenOf(text: string, hash: string): boolean {
  const [ours, theirs] = [Buffer.from(hashOfToken(text)), Buffer.from(hash)]
  return ours.length === theirs.length && timingSafeEqual(ours, theirs)
}
