import { setCondition } from '../api/conditions.ts'
import type { Timestamp } from '../base/clock.ts'
import type { ManifestSource, ManifestSourceStatus } from '../generated/types.ts'
import { formatProblem, type Problem } from '../manifest/manifest.ts'
import { type Drift, driftText } from './drift.ts'
import type { FetchFailure } from './snapshot.ts'

/** Most of each list that is told of; as many as the schema takes. */
const MOST_TOLD = 50
const LONGEST_TEXT = 2048

export type SourceReason =
  | FetchFailure
  | 'Applied'
  | 'Applying'
  | 'Unsettled'
  | 'Suspended'
  | 'DependencyNotReady'
  | 'DependencyCycle'
  | 'InvalidManifests'
  | 'PartiallyApplied'
  | 'PruneNeedsConfirmation'
  | 'WaitingForDeletion'
  | 'WaitingForHealth'
  | 'HealthCheckFailed'
  | 'TimedOut'
  | 'VariablesNotFound'
  | 'Deleting'

/** What one look at a source came to. What isn't given stays as it was. */
export interface Finding {
  readonly ready: 'True' | 'False' | 'Unknown'
  readonly reason: SourceReason
  readonly message: string
  /** It goes on by itself. */
  readonly reconciling: boolean
  /** Somebody has to do something. */
  readonly stalled: boolean
  readonly attemptedRevision?: string
  readonly appliedRevision?: string
  /** Of what the manifests were made, once they have been applied as far as they could be. */
  readonly appliedInputs?: string
  readonly appliedAt?: Timestamp
  readonly files?: number
  readonly problems?: readonly Problem[]
  readonly notes?: readonly string[]
  readonly inventory?: readonly string[]
  /** Undefined: not looked at. */
  readonly drift?: readonly Drift[]
  readonly pendingPrune?: ManifestSourceStatus['pendingPrune'] | 'none'
  readonly handledSync?: string
}

/** The status after a finding. Pure. */
export function statusOf(source: ManifestSource, finding: Finding, now: Timestamp): ManifestSourceStatus {
  const prev = source.status ?? {}
  const { generation } = source.metadata
  const message = cut(finding.message)
  const revision = finding.appliedRevision ?? prev.appliedRevision
  const inventory = finding.inventory ?? prev.inventory
  const pendingPrune = finding.pendingPrune === 'none' ? undefined : (finding.pendingPrune ?? prev.pendingPrune)
  const say = (type: string, status: 'True' | 'False' | 'Unknown', reason: string, text: string) =>
    ({ type, status, reason, message: text, observedGeneration: generation }) as const
  let conditions = setCondition(prev.conditions, say('Ready', finding.ready, finding.reason, message), now)
  const going = finding.reconciling ? say('Reconciling', 'True', finding.reason, message) : say('Reconciling', 'False', 'Idle', '')
  conditions = setCondition(conditions, going, now)
  const stalled = finding.stalled ? say('Stalled', 'True', finding.reason, message) : say('Stalled', 'False', 'Idle', '')
  conditions = setCondition(conditions, stalled, now)
  if (finding.drift !== undefined) conditions = setCondition(conditions, { ...drifted(finding.drift), observedGeneration: generation }, now)
  return {
    observedGeneration: generation,
    ready: finding.ready,
    reason: finding.reason,
    message,
    ...defined({
      revision: revision === undefined ? undefined : shortRevision(revision),
      attemptedRevision: finding.attemptedRevision ?? prev.attemptedRevision,
      appliedRevision: revision,
      appliedInputs: finding.appliedInputs ?? prev.appliedInputs,
      files: finding.files ?? prev.files,
      lastAppliedTime: finding.appliedAt ?? prev.lastAppliedTime,
      lastHandledSync: finding.handledSync ?? prev.lastHandledSync,
      errors: listed(finding.problems?.map(formatProblem) ?? prev.errors),
      notes: listed(finding.notes ?? prev.notes),
      inventory: inventory === undefined ? undefined : [...inventory],
      pendingPrune,
    }),
    objects: inventory?.length ?? 0,
    conditions: [...conditions],
  }
}

/** As people write it: the first digits. */
export function shortRevision(revision: string): string {
  return revision.startsWith('sha256:') ? revision.slice(0, 'sha256:'.length + 10) : revision.slice(0, 12)
}

function drifted(drift: readonly Drift[]): {
  readonly type: string
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
} {
  if (drift.length === 0) return { type: 'Drifted', status: 'False', reason: 'AsApplied', message: '' }
  const more = drift.length > 10 ? `; and ${drift.length - 10} more` : ''
  return { type: 'Drifted', status: 'True', reason: 'DriftFound', message: cut(`${drift.slice(0, 10).map(driftText).join('; ')}${more}`) }
}

function listed(texts: readonly string[] | undefined): string[] | undefined {
  return texts === undefined || texts.length === 0 ? undefined : texts.slice(0, MOST_TOLD).map(cut)
}

function cut(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT - 1)}…` : text
}

function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}

/** `1 file`, `3 files` */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}
