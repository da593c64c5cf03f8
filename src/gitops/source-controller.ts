import type { ApiObject } from '../api/object.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Client } from '../client/client.ts'
import { EventRecorder } from '../client/event-recorder.ts'
import type { ManifestSource } from '../generated/types.ts'
import type { Change, WatchInformer } from '../informer/informer.ts'
import type { SharedInformers } from '../informer/shared-informers.ts'
import { Controller, watches } from '../reconcile/controller.ts'
import { runAll } from '../reconcile/manager.ts'
import { appliedDefinitions } from './applied-kinds.ts'
import { Hints } from './hints.ts'
import { inventoryId } from './inventory.ts'
import type { ManifestOrigin } from './snapshot.ts'
import { SourceReconciler } from './source-reconciler.ts'
import { askedSources, dependantsOf, type Keepers, keepersOf, usersOf } from './source-watches.ts'

/** Fetches may take long, and one source must not wait for another. */
const WORKERS = 8

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
  // The informers that the garbage collector has, too: nothing is kept twice.
  const caches = new Map(
    appliedDefinitions.map((definition) => [
      definition.id,
      { definition, informer: informers.for(definition.id) as unknown as WatchInformer<ApiObject> },
    ]),
  )
  const hints = new Hints()
  const reconciler = new SourceReconciler({
    client,
    sources,
    processes: informers.for('Process'),
    cached: (id, key) => caches.get(id)?.informer.get(key),
    originOf,
    onHint: (key) => hints.add(key),
    events,
    clock,
    log,
  })
  const keepers: Keepers = {
    isLeftAlone: (source, id, object) => reconciler.isLeftAlone(source, id, object),
    contenders: (id) => reconciler.contenders(id),
    waits: (source) => sources.get(source)?.spec.wait ?? false,
  }
  const controller = new Controller({
    name: 'manifest-source',
    sources: [
      watches(sources, askedSources),
      watches(sources, (change) => dependantsOf(change, sources.list())),
      // What it kept is anybody's now.
      watches(sources, ({ next }) => (next === undefined ? reconciler.contenders() : [])),
      hints,
      ...[...caches.values()].map(({ definition, informer }) =>
        watches(informer, (change) => keepersOf(change, inventoryId(definition, nameIn(change)), keepers)),
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

function nameIn({ prev, next }: Change<ApiObject>): { readonly name: string; readonly namespace?: string } {
  const { name = '', namespace } = (next ?? prev)?.metadata ?? {}
  return namespace === undefined ? { name } : { name, namespace }
}
