import type { EventSink } from '../client/event-recorder.ts'
import type { ManifestSource } from '../generated/types.ts'
import { type Drift, driftText } from './drift.ts'
import type { PassOutcome } from './pass.ts'
import { count, type Finding, type SourceReason, shortRevision } from './source-status.ts'

/** These are on their way: nothing that anybody must be told. */
const QUIET: ReadonlySet<SourceReason> = new Set([
  'Applied',
  'Applying',
  'Unsettled',
  'Suspended',
  'DependencyNotReady',
  'WaitingForDeletion',
  'WaitingForHealth',
  'Deleting',
])

/** Drifted objects that one Event names. */
const MOST_NAMED = 5

/** Events of what a pass has changed, and of what it found changed. */
export function tellOutcome(events: EventSink, source: ManifestSource, revision: string, outcome: PassOutcome, isRestored: boolean): void {
  const { applied, pruned, drift } = outcome
  const drifted = new Set(drift.map(({ id }) => id))
  const changed = applied.filter(({ id, outcome: each }) => each !== 'unchanged' && !drifted.has(id))
  const created = changed.filter(({ outcome: each }) => each === 'created').length
  if (changed.length + pruned.length > 0) {
    const message = `Applied ${shortRevision(revision)}: ${created} created, ${changed.length - created} configured, ${pruned.length} pruned`
    events.record(source, { type: 'Normal', reason: 'Applied', message })
  }
  if (!isRestored || drift.length === 0) return
  const byId = new Map(applied.map(({ id, object }) => [id, object]))
  const restored = drift.filter(({ id }) => byId.has(id))
  for (const each of restored) {
    const object = byId.get(each.id)
    if (object !== undefined)
      events.record(object, {
        type: 'Normal',
        reason: 'DriftRestored',
        message: `ManifestSource ${source.metadata.namespace}/${source.metadata.name} ${restoreText(each)}`,
      })
  }
  if (restored.length > 0) events.record(source, { type: 'Normal', reason: 'DriftRestored', message: listText(restored) })
}

/** An Event when a source went from well to ill, when what is wrong is another thing, and when drift is found that is left so. */
export function tellFinding(events: EventSink, source: ManifestSource, finding: Finding): void {
  const { status } = source
  const drift = finding.drift ?? []
  const wasDrifted = status?.conditions?.some((condition) => condition.type === 'Drifted' && condition.status === 'True') ?? false
  if (drift.length > 0 && !wasDrifted) events.record(source, { type: 'Warning', reason: 'DriftFound', message: listText(drift) })
  if (finding.ready !== 'False' || QUIET.has(finding.reason)) return
  // How a Process fares changes with each of its restarts; what is wrong with a manifest only with the manifest.
  const isNews = status?.reason !== finding.reason || (finding.reason !== 'HealthCheckFailed' && status?.message !== finding.message)
  if (isNews) events.record(source, { type: 'Warning', reason: finding.reason, message: finding.message })
}

function restoreText({ missing, fields, managers }: Drift): string {
  if (missing) return 'made it anew: it had been deleted'
  return `put back ${fields.join(', ')}, changed by ${managers.length === 0 ? 'somebody' : managers.join(', ')}`
}

function listText(drift: readonly Drift[]): string {
  const named = drift.slice(0, MOST_NAMED).map(driftText).join('; ')
  return drift.length > MOST_NAMED ? `${named}; and ${count(drift.length - MOST_NAMED, 'more object')}` : named
}
