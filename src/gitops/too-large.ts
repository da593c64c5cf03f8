import { formatBytes } from '../base/quantity.ts'
import { type Desired, idsOf } from './desired.ts'
import type { Snapshot } from './snapshot.ts'
import type { Finding } from './source-status.ts'

/** Objects of one source, and the bytes of their names: twice that, before and after a change of all, still fits into one status. */
const MOST_OBJECTS = 20_000
const MOST_BYTES: number = 1.25 * 1024 * 1024

/** What to say of a source with more objects than an inventory holds; undefined for any other. */
export function tooLarge(desired: readonly Desired[], snapshot: Snapshot): Finding | undefined {
  const { bytes } = idsOf(desired)
  if (desired.length <= MOST_OBJECTS && bytes <= MOST_BYTES) return undefined
  const most = `${MOST_OBJECTS} objects, or ${formatBytes(MOST_BYTES)} of their names`
  const message = `Nothing was changed. ${desired.length} objects in ${snapshot.files.length} files: one source keeps no more than ${most}; make several of it`
  return {
    ready: 'False',
    reason: 'TooLarge',
    message,
    reconciling: false,
    stalled: true,
    attemptedRevision: snapshot.revision,
    files: snapshot.files.length,
    problems: [],
  }
}
