import type { SourcePreview } from '../api/source-preview.ts'
import { type Clock, sleep } from '../base/clock.ts'
import type { Client } from '../client/client.ts'
import type { ConfigMap, ManifestSource, Secret } from '../generated/types.ts'
import { findRestarts, type ManifestDiff } from '../manifest/diff.ts'
import { withHiddenValues } from '../manifest/hidden-values.ts'
import { orAbsent } from '../manifest/live.ts'
import { formatProblem } from '../manifest/manifest.ts'
import { desiredOf } from './desired.ts'
import { DocumentReader } from './documents.ts'
import { isListed } from './inventory.ts'
import { isSameSource, refOf } from './ownership.ts'
import { previewPass } from './preview.ts'
import type { Fetched, ManifestOrigin } from './snapshot.ts'
import { variablesOf } from './variables.ts'

export interface SourcePreviewOptions {
  readonly client: Client
  readonly clock: Clock
  /** Of its own: nobody else reads with it at the same time. */
  readonly origin: ManifestOrigin
  readonly signal: AbortSignal
}

/** Reads a source and tells what a pass would change. Nothing is stored. */
export async function previewSource(
  source: ManifestSource,
  { client, clock, origin, signal }: SourcePreviewOptions,
): Promise<SourcePreview> {
  const { spec, metadata, status } = source
  const none = {
    kind: 'SourcePreview',
    apiVersion: 'pmk.dev/v1',
    changes: [],
    pruned: [],
    restarts: [],
    notes: [],
    partial: spec.partial,
  } as const
  const fetched = await settled(origin, clock, signal)
  if (fetched.type === 'failed') return { ...none, problems: [fetched.message], partial: false }
  const { snapshot } = fetched
  const found = await variables(source, client, signal)
  if ('missing' in found) return { ...none, revision: snapshot.revision, problems: [found.missing], partial: false }
  const namespace = spec.targetNamespace ?? metadata.namespace ?? 'default'
  const documents = await new DocumentReader().read(snapshot, { namespace, variables: found.variables, signal })
  const { items: sources } = await client.for('ManifestSource').list({ signal })
  const preview = await previewPass({
    client,
    source: refOf(source),
    desired: desiredOf(documents.placed, refOf(source)),
    keeps: (owner, id) => isListed(sources.find((other) => isSameSource(refOf(other), owner))?.status?.inventory, id),
    inventory: status?.inventory ?? [],
    isWhole: documents.problems.length === 0,
    prune: spec.prune,
    signal,
  })
  const changed = preview.diffs.filter(({ before, fields }) => before === undefined || fields.length > 0)
  return {
    ...none,
    revision: snapshot.revision,
    changes: changed.map(changeOf),
    pruned: preview.pruned,
    restarts: await findRestarts(client, changed, signal),
    problems: [...documents.problems, ...preview.problems].map(formatProblem),
    notes: [...snapshot.notes, ...preview.notes],
  }
}

/** A preview is for people to read: no value of a Secret leaves with it. */
function changeOf({ before, after, fields }: ManifestDiff): SourcePreview['changes'][number] {
  const hidden = withHiddenValues(after, before, 'after')
  return { ...(before !== undefined && { before: withHiddenValues(before, after, 'before') }), after: hidden, fields }
}

async function settled(
  origin: ManifestOrigin,
  clock: Clock,
  signal: AbortSignal,
): Promise<Exclude<Fetched, { readonly type: 'unsettled' }>> {
  for (;;) {
    const fetched = await origin.fetch(signal)
    if (fetched.type !== 'unsettled') return fetched
    await sleep(clock, fetched.retryAfter, signal)
  }
}

async function variables(source: ManifestSource, client: Client, signal: AbortSignal): Promise<ReturnType<typeof variablesOf>> {
  const { namespace = 'default' } = source.metadata
  const objects = await Promise.all(
    (source.spec.substitute?.from ?? []).map(({ kind, name }): Promise<ConfigMap | Secret | undefined> => {
      const ref = { namespace, name }
      return kind === 'Secret'
        ? orAbsent(client.for('Secret').get(ref, { signal }))
        : orAbsent(client.for('ConfigMap').get(ref, { signal }))
    }),
  )
  return variablesOf(source, (kind, _, name) => objects.find((object) => object?.kind === kind && object.metadata.name === name))
}
