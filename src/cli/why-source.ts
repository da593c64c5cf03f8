import { lastSeen } from '../api/event-times.ts'
import { hasReason } from '../api/status.ts'
import { epochOf, type Timestamp } from '../base/clock.ts'
import type { Client } from '../client/client.ts'
import type { Event, ManifestSource, Process } from '../generated/types.ts'
import { ownerOf, type SourceRef } from '../gitops/ownership.ts'

/** What keeps a Process as a manifest says. */
export interface Keeper extends SourceRef {
  /** missing: its labels name a source that is not there. unknown: who asks may not see it. */
  readonly state: 'ready' | 'notReady' | 'suspended' | 'missing' | 'unknown'
  /** Why it isn't ready. */
  readonly message?: string
  /** What it last put back. */
  readonly restored?: { readonly message: string; readonly time: Timestamp }
}

export interface KeeperEvidence {
  readonly source: ManifestSource | 'missing' | 'unknown'
  /** About the Process, of any age. */
  readonly restorations: readonly Event[]
}

/** What the server knows of the source of a Process; undefined where none keeps it. */
export async function keeperEvidence(
  client: Client,
  process: Process | undefined,
  signal: AbortSignal,
): Promise<KeeperEvidence | undefined> {
  const owner = process && ownerOf(process)
  if (process === undefined || owner === undefined) return undefined
  const { name, namespace = 'default', uid } = process.metadata
  const fieldSelector = `involvedObject.kind=Process,involvedObject.name=${name},involvedObject.uid=${uid},reason=DriftRestored`
  const [source, { items }] = await Promise.all([
    client
      .for('ManifestSource')
      .get(owner, { signal })
      .catch((err: unknown) => {
        if (hasReason(err, 'NotFound')) return 'missing' as const
        if (hasReason(err, 'Forbidden')) return 'unknown' as const
        throw err
      }),
    client.for('Event').list({ namespace, fieldSelector, signal }),
  ])
  return { source, restorations: items }
}

/** Puts together what is known of it. Pure. */
export function keeperOf(process: Process, { source, restorations }: KeeperEvidence): Keeper | undefined {
  const owner = ownerOf(process)
  if (owner === undefined) return undefined
  const last = [...restorations].sort((a, b) => epochOf(lastSeen(a)) - epochOf(lastSeen(b))).at(-1)
  const restored = last === undefined ? {} : { restored: { message: last.message ?? '', time: lastSeen(last) } }
  if (source === 'missing' || source === 'unknown') return { ...owner, state: source, ...restored }
  const { ready, message } = source.status ?? {}
  if (source.spec.suspend) return { ...owner, state: 'suspended', ...restored }
  if (ready === 'True') return { ...owner, state: 'ready', ...restored }
  return { ...owner, state: 'notReady', ...(message !== undefined && { message }), ...restored }
}
