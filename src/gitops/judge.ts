import type { Millis, Timestamp } from '../base/clock.ts'
import { parseDuration } from '../base/duration.ts'
import type { ManifestSource } from '../generated/types.ts'
import { formatProblem } from '../manifest/manifest.ts'
import type { Unwell } from './health.ts'
import { nameOf } from './inventory.ts'
import type { PassOutcome } from './pass.ts'
import type { Snapshot } from './snapshot.ts'
import { count, type Finding, shortRevision } from './source-status.ts'

export interface Evidence {
  readonly snapshot: Snapshot
  readonly outcome: PassOutcome
  /** Digest of what the manifests were made of. */
  readonly inputs: string
  /** What is not well of what is waited for, and since when. */
  readonly unwell: Unwell | undefined
  readonly unwellFor: Millis
  readonly now: Timestamp
}

/** What a pass came to, for the status. Pure. */
export function judge({ spec }: ManifestSource, { snapshot, outcome, inputs, unwell, unwellFor, now }: Evidence): Finding {
  const { problems, inventory, drift, going } = outcome
  const seen = {
    attemptedRevision: snapshot.revision,
    files: snapshot.files.length,
    problems,
    inventory,
    drift: spec.drift === 'Report' ? drift : [],
    pendingPrune: 'none',
  } as const
  const [first] = problems
  if (first !== undefined) {
    const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`
    const message = `${formatProblem(first)}${more}`
    const failed = { ...seen, ready: 'False', reconciling: false, stalled: true } as const
    if (spec.partial) return { ...failed, reason: 'PartiallyApplied', message, ...(going.length === 0 && { appliedInputs: inputs }) }
    return { ...failed, reason: 'InvalidManifests', message: outcome.applied.length === 0 ? `Nothing was changed. ${message}` : message }
  }
  const [gone] = going
  if (gone !== undefined) {
    const message = `${nameOf(gone)}${going.length === 1 ? '' : ` and ${going.length - 1} more`} can not be applied before what is being deleted is gone`
    return { ...seen, ready: 'False', reason: 'WaitingForDeletion', message, reconciling: true, stalled: false }
  }
  const done = { ...seen, appliedRevision: snapshot.revision, appliedInputs: inputs, appliedAt: now }
  if (unwell !== undefined) {
    if (unwell.state === 'failed' || unwellFor >= (parseDuration(spec.timeout) ?? 0)) {
      const message = `${unwell.message}${unwell.state === 'waiting' ? `; waited ${spec.timeout}` : ''}`
      return { ...done, ready: 'False', reason: 'HealthCheckFailed', message, reconciling: false, stalled: true }
    }
    return { ...done, ready: 'False', reason: 'WaitingForHealth', message: unwell.message, reconciling: true, stalled: false }
  }
  const message = `Applied ${count(inventory.length, 'object')} of ${count(snapshot.files.length, 'file')} at ${shortRevision(snapshot.revision)}`
  return { ...done, ready: 'True', reason: 'Applied', message, reconciling: false, stalled: false }
}
