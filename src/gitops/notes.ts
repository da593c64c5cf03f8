import { parseDuration } from '../base/duration.ts'
import type { ManifestSource } from '../generated/types.ts'
import { nameOf } from './inventory.ts'
import type { PassOutcome } from './pass.ts'
import type { Snapshot } from './snapshot.ts'
import type { TrackedSource } from './tracked-source.ts'

/** What is not wrong and yet worth knowing of a source, for its status. */
export function notesOf({ spec }: ManifestSource, tracked: TrackedSource, snapshot: Snapshot, outcome: PassOutcome): readonly string[] {
  const { interval } = spec
  const { degraded, restores } = tracked
  const held = restores.held(parseDuration(interval) ?? 0)
  return [
    ...snapshot.notes,
    ...outcome.notes,
    ...(degraded === undefined ? [] : [`changes are found every ${interval} only: ${degraded}`]),
    ...held.map((id) => `${nameOf(id)} was changed again and again; it is put back every ${interval} only until that ends`),
  ]
}
