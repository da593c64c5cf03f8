import { createHash, randomBytes } from 'node:crypto'
import type { ManifestSource } from '../generated/types.ts'
import { CONFIRM_PRUNE_ANNOTATION } from './well-known.ts'

export type PendingPrune = NonNullable<NonNullable<ManifestSource['status']>['pendingPrune']>

/**
 * A source that holds nothing any more would remove all that it applied: most often a disk that isn't mounted. What must be
 * confirmed for that; undefined when it is. The token is new for each time, so that an old confirmation means nothing, and is for
 * these very objects.
 */
export function confirmationOf({ metadata, status }: ManifestSource, objects: number, reason: string): PendingPrune | undefined {
  // Of the inventory, which stays as it is until all is done: a removal that was cut short goes on.
  const digest = createHash('sha256').update(JSON.stringify(status?.inventory)).digest('hex').slice(0, 16)
  const pending = status?.pendingPrune
  const isSame = pending?.token.endsWith(`-${digest}`) ?? false
  if (isSame && metadata.annotations?.[CONFIRM_PRUNE_ANNOTATION] === pending?.token) return undefined
  const token = isSame && pending !== undefined ? pending.token : `${randomBytes(4).toString('hex')}-${digest}`
  return { token, objects, reason }
}
