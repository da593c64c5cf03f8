import { type ApiObject, type Kind, keyOf, type ObjectKey, objectKey } from '../api/object.ts'
import { definitions } from '../api/scheme.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Client } from '../client/client.ts'
import { EventRecorder } from '../client/event-recorder.ts'
import type { ManifestSource } from '../generated/types.ts'
import type { Change, WatchInformer } from '../informer/informer.ts'
import type { SharedInformers } from '../informer/shared-informers.ts'
import { Controller, watches } from '../reconcile/controller.ts'
import { runAll } from '../reconcile/manager.ts'
import { Hints } from './hints.ts'
import { inventoryId } from './inventory.ts'
import { ownerOf } from './ownership.ts'
import { markOf } from './pass.ts'
import type { ManifestOrigin } from './snapshot.ts'
import { SourceReconciler } from './source-reconciler.ts'
import { CONFIRM_PRUNE_ANNOTATION, SYNC_REQUESTED_ANNOTATION } from './well-known.ts'

/** Fetches may take long, and one source must not wait for another. */
const WORKERS = 8

/** Kinds that a source doesn't apply. */
const NOT_APPLIED: ReadonlySet<Kind> = new Set(['Instance', 'Revision', 'Event', 'Node'])

export interface GitOpsOptions {
  readonly client: Client
  readonly clock: Clock
  readonly log: Logger
  /** Shared with the other controllers, and run by them. */
  readonly informers: SharedInformers
  readonly originOf: (source: ManifestSource) => ManifestOrigin
}

/** Keeps all ManifestSources applied. Only looks and writes through the client. */
export function createGitOps({ client, clock, log, informers, originOf }: GitOpsOptions): { run(signal: AbortSignal): Promise<void> } {
  const events = new EventRecorder({ client, clock, log, component: 'pmk-gitops' })
  const sources = informers.for('ManifestSource')
  const applied = definitions.filter(({ kind, verbs }) => verbs.includes('create') && verbs.includes('watch') && !NOT_APPLIED.has(kind))
  const caches = new Map(
    applied.map((definition) => [definition.kind, informers.for(definition.kind) as unknown as WatchInformer<ApiObject>]),
  )
  const hints = new Hints()
  const reconciler = new SourceReconciler({
    client,
    sources,
    processes: informers.for('Process'),
    live: (kind, key) => caches.get(kind as Kind)?.get(key),
    originOf,
    hints,
    events,
    clock,
    log,
  })
  const itself = ({ prev, next }: Change<ManifestSource>): readonly ObjectKey[] => {
    const source = next ?? prev
    if (source === undefined || (prev !== undefined && next !== undefined && !isAsked(prev, next))) return []
    return [keyOf(source)]
  }
  const dependants = ({ prev, next }: Change<ManifestSource>): readonly ObjectKey[] => {
    const source = next ?? prev
    if (source === undefined || (prev?.status?.ready === next?.status?.ready && prev?.metadata.generation === next?.metadata.generation))
      return []
    const { name, namespace } = source.metadata
    return sources
      .list()
      .filter(({ spec, metadata }) =>
        (spec.dependsOn ?? []).some((other) => other.name === name && (other.namespace ?? metadata.namespace) === namespace),
      )
      .map(keyOf)
  }
  const controller = new Controller({
    name: 'manifest-source',
    sources: [
      watches(sources, itself),
      watches(sources, dependants),
      hints,
      ...applied.map((definition) =>
        watches(caches.get(definition.kind) as WatchInformer<ApiObject>, (change) =>
          keepersOf(change, inventoryId(definition, refOf(change)), reconciler),
        ),
      ),
      ...(['ConfigMap', 'Secret'] as const).map((kind) => watches(informers.for(kind), (change) => usersOf(change, sources.list()))),
    ],
    reconciler,
    workers: WORKERS,
    clock,
    log,
  })
  return {
    run: async (signal) => {
      try {
        await runAll([[events], [controller]], signal)
      } finally {
        reconciler.close()
      }
    },
  }
}

/** Whether there is something else to do: a status that was written asks for nothing. */
function isAsked(prev: ManifestSource, next: ManifestSource): boolean {
  const asks = ({ metadata }: ManifestSource): string =>
    JSON.stringify([
      metadata.uid,
      metadata.generation,
      metadata.deletionTimestamp,
      metadata.annotations?.[SYNC_REQUESTED_ANNOTATION],
      metadata.annotations?.[CONFIRM_PRUNE_ANNOTATION],
    ])
  return asks(prev) !== asks(next)
}

/** Sources whose object it was or is, if it isn't as they left it; and, of a Process, if its health changed. */
function keepersOf({ prev, next, initial }: Change<ApiObject>, id: string, reconciler: SourceReconciler): readonly ObjectKey[] {
  if (initial) return []
  const keys = new Set<ObjectKey>()
  for (const object of [prev, next]) {
    const owner = object === undefined ? undefined : ownerOf(object)
    if (owner !== undefined) keys.add(objectKey(owner.namespace, owner.name))
  }
  if (keys.size === 0) return []
  if (next === undefined || prev === undefined) return [...keys]
  const isSame = prev.metadata.generation === next.metadata.generation && markOf(prev) === markOf(next)
  if (isSame) return readyOf(prev) === readyOf(next) ? [] : [...keys]
  return [...keys].filter((key) => !reconciler.isAsApplied(key, id, markOf(next)))
}

/** Only Processes have one that matters here. */
function readyOf(object: ApiObject): string {
  const { status } = object as ApiObject & { readonly status?: { readonly reason?: string; readonly readyReplicas?: number } }
  return `${status?.reason} ${status?.readyReplicas}`
}

function usersOf({ prev, next }: Change<ApiObject>, sources: readonly ManifestSource[]): readonly ObjectKey[] {
  const object = next ?? prev
  if (object === undefined) return []
  const { kind, metadata } = object
  return sources
    .filter(
      ({ spec, metadata: { namespace } }) =>
        namespace === metadata.namespace &&
        ((spec.substitute?.from ?? []).some((from) => from.kind === kind && from.name === metadata.name) ||
          (kind === 'Secret' && [spec.git?.secretRef?.name, spec.git?.verify?.secretRef.name].includes(metadata.name))),
    )
    .map(keyOf)
}

function refOf({ prev, next }: Change<ApiObject>): { readonly name: string; readonly namespace?: string } {
  const { name = '', namespace } = (next ?? prev)?.metadata ?? {}
  return namespace === undefined ? { name } : { name, namespace }
}
