import { type ApiObject, type Kind, keyOf, type ObjectKey, objectKey } from '../api/object.ts'
import { isOwnedBy } from '../api/owners.ts'
import { definitionOf, keptDefinitions } from '../api/scheme.ts'
import type { Clock } from '../base/clock.ts'
import { jsonEqual } from '../base/json.ts'
import type { Logger } from '../base/log.ts'
import type { Client } from '../client/client.ts'
import { EventRecorder } from '../client/event-recorder.ts'
import type { Node, Process } from '../generated/types.ts'
import type { Change, WatchInformer } from '../informer/informer.ts'
import { SharedInformers } from '../informer/shared-informers.ts'
import { Controller, once, type Source, watches } from '../reconcile/controller.ts'
import { type Runnable, runAll } from '../reconcile/manager.ts'
import { ALL_EVENTS, EventTtlReconciler, MAX_EVENTS } from './event-ttl.ts'
import { GarbageCollector, type Listers, OWNER_INDEX } from './garbage-collector.ts'
import { isDeleting } from './instance-state.ts'
import { dataReferences } from './launch-data.ts'
import { NamespaceReconciler } from './namespace.ts'
import { NodeLifecycleReconciler } from './node-lifecycle.ts'
import { ProcessReconciler } from './process.ts'
import { NODE_INDEX, ProcessInstances } from './process-instances.ts'
import { PROCESS_INDEX, ProcessRevisions } from './process-revisions.ts'
import { isNodeReady, isSchedulable } from './scheduler.ts'
import { TokenTtlReconciler } from './token-ttl.ts'

export interface ControllersOptions {
  readonly client: Client
  readonly clock: Clock
  readonly log: Logger
  /** Makes what runs beside these controllers, over the same informers. */
  readonly beside?: (informers: SharedInformers) => readonly Runnable[]
}

export interface Controllers {
  /** Runs all controllers over shared informers. Resolves once the signal fired and nothing is in work any more. */
  run(signal: AbortSignal): Promise<void>
}

/** Enough that writes share the store's syncs; each worker has one Process in work. */
const PROCESS_WORKERS = 32
const COLLECTOR_WORKERS = 8

/** Every controller of the server. Only looks and writes through the client: it may run anywhere. */
export function createControllers({ client, clock, log, beside }: ControllersOptions): Controllers {
  const informers = new SharedInformers({ client, clock, log })
  const events = new EventRecorder({ client, clock, log, component: 'pmk-controllers' })
  const shared: Shared = { client, clock, log, informers, events }
  const controllers: readonly Runnable[] = [
    processController(shared),
    eventController(shared),
    namespaceController(shared),
    nodeController(shared),
    tokenController(shared),
    ...collectors(shared),
    ...(beside?.(informers) ?? []),
  ]
  return { run: (signal) => runAll([[informers, events], controllers], signal) }
}

interface Shared extends ControllersOptions {
  readonly informers: SharedInformers
  readonly events: EventRecorder
}

/** Processes by the Secrets and ConfigMaps that their environment refers to. */
const DATA_INDEX = 'data'

function processController({ client, clock, log, informers, events }: Shared): Controller {
  const processes = informers.for('Process')
  const instances = informers.for('Instance')
  const revisions = informers.for('Revision')
  const nodes = informers.for('Node')
  const secrets = informers.for('Secret')
  const configMaps = informers.for('ConfigMap')
  instances.addIndex(PROCESS_INDEX, ({ metadata, spec }) => [objectKey(metadata.namespace, spec.process)])
  instances.addIndex(NODE_INDEX, ({ spec }) => [spec.nodeName])
  revisions.addIndex(PROCESS_INDEX, ({ metadata, spec }) => [objectKey(metadata.namespace, spec.process)])
  processes.addIndex(DATA_INDEX, ({ metadata, spec }) =>
    dataReferences(spec).map(({ kind, name }) => `${kind}/${metadata.namespace}/${name}`),
  )

  const itsProcess = ({ prev, next }: Change<ApiObject & { readonly spec: { readonly process: string } }>): readonly ObjectKey[] => {
    const object = next ?? prev
    return object === undefined ? [] : [objectKey(object.metadata.namespace, object.spec.process)]
  }
  const users = ({ prev, next }: Change<ApiObject>): readonly ObjectKey[] => {
    const object = next ?? prev
    return object === undefined ? [] : processes.byIndex(DATA_INDEX, `${object.kind}/${keyOf(object)}`).map(keyOf)
  }
  const stored = new ProcessRevisions({ client, revisions, secrets, configMaps, clock })
  const running = new ProcessInstances({ client, instances, nodes, revisions: stored })
  const reconciler = new ProcessReconciler({ client, processes, revisions: stored, instances: running, events, clock })
  const sources = [
    watches(processes, own),
    watches(instances, itsProcess),
    watches(revisions, itsProcess),
    watches(secrets, users),
    watches(configMaps, users),
    watches(nodes, (change) => (isNodeChanged(change) ? processes.list().map(keyOf) : [])),
  ]
  return new Controller({ name: 'process', sources, reconciler, workers: PROCESS_WORKERS, clock, log })
}

function own(change: Change<Process> | Change<ApiObject>): readonly ObjectKey[] {
  const object = change.next ?? change.prev
  return object === undefined ? [] : [keyOf(object)]
}

/** Heartbeats change a Node all the time; where Instances may go and whether they are alive changes rarely. */
function isNodeChanged({ prev, next }: Change<Node>): boolean {
  const isUsable = (node: Node | undefined): string =>
    `${node !== undefined && isNodeReady(node)} ${node !== undefined && isSchedulable(node)}`
  return isUsable(prev) !== isUsable(next)
}

function eventController({ client, clock, log, informers }: Shared): Controller {
  const events = informers.for('Event')
  const reconciler = new EventTtlReconciler({ client, events, clock })
  let count = 0
  const tooMany = watches(events, ({ prev, next }) => {
    count += (next === undefined ? 0 : 1) - (prev === undefined ? 0 : 1)
    // A tenth more than allowed, so that each sweep has something to do.
    return count > MAX_EVENTS * 1.1 ? [ALL_EVENTS] : []
  })
  return new Controller({ name: 'event-ttl', sources: [once(ALL_EVENTS), tooMany], reconciler, clock, log })
}

function namespaceController({ client, clock, log, informers }: Shared): Controller {
  const namespaces = informers.for('Namespace')
  const emptied = kinds('Namespaced').map((kind) =>
    watches(anyInformer(informers, kind), ({ prev, next }) => {
      const namespace = next === undefined ? prev?.metadata.namespace : undefined
      const key = namespace === undefined ? undefined : objectKey(undefined, namespace)
      const owner = key === undefined ? undefined : namespaces.get(key)
      return key !== undefined && owner !== undefined && isDeleting(owner) ? [key] : []
    }),
  )
  const reconciler = new NamespaceReconciler({ client, namespaces })
  return new Controller({ name: 'namespace', sources: [watches(namespaces, own), ...emptied], reconciler, clock, log })
}

function nodeController({ client, clock, log, informers, events }: Shared): Controller {
  const nodes = informers.for('Node')
  const reconciler = new NodeLifecycleReconciler({ client, nodes, events, clock })
  return new Controller({ name: 'node-lifecycle', sources: [watches(nodes, own)], reconciler, clock, log })
}

function tokenController({ client, clock, log, informers }: Shared): Controller {
  const tokens = informers.for('Token')
  const reconciler = new TokenTtlReconciler({ client, tokens, clock })
  return new Controller({ name: 'token-ttl', sources: [watches(tokens, own)], reconciler, clock, log })
}

/** One for each kind that may own or be owned. */
function collectors({ client, clock, log, informers }: Shared): readonly Controller[] {
  const owners = [...kinds('Namespaced'), ...kinds('Cluster')].filter((kind) => kind !== 'Event')
  const all = owners.map((kind) => [kind, anyInformer(informers, kind)] as const)
  for (const [, informer] of all) {
    informer.addIndex(OWNER_INDEX, ({ metadata }) => (metadata.ownerReferences ?? []).map(({ uid }) => uid))
  }
  const listers: Listers = new Map(all)
  return all.map(([kind, informer]) => {
    const itself = watches(informer, ({ prev, next }) => (next !== undefined && isTouched(prev, next) ? [keyOf(next)] : []))
    const relatives = all.map(([, relative]): Source => watches(relative, (change) => relativesOf(change, kind, informer)))
    const reconciler = new GarbageCollector({ kind, listers, client })
    const sources = [itself, ...relatives]
    return new Controller({ name: `garbage-collector-${kind}`, sources, reconciler, workers: COLLECTOR_WORKERS, clock, log })
  })
}

function isTouched(prev: ApiObject | undefined, next: ApiObject): boolean {
  if (prev === undefined) return isDeleting(next) || next.metadata.ownerReferences !== undefined
  const { deletionTimestamp, finalizers, ownerReferences } = next.metadata
  if (deletionTimestamp !== prev.metadata.deletionTimestamp || !jsonEqual(finalizers, prev.metadata.finalizers)) return true
  return !jsonEqual(ownerReferences, prev.metadata.ownerReferences)
}

/** Of one kind: what an object that is gone owned, and the owners that one that is gone, or set free, was in the way of. */
function relativesOf({ prev, next }: Change<ApiObject>, kind: Kind, informer: WatchInformer<ApiObject>): readonly ObjectKey[] {
  if (prev === undefined) return []
  const owners = (prev.metadata.ownerReferences ?? [])
    .filter((reference) => reference.kind === kind && (next === undefined || !isOwnedBy(next, { metadata: reference })))
    .map(({ name }) => objectKey(definitionOf(kind).scope === 'Cluster' ? undefined : prev.metadata.namespace, name))
  return next === undefined ? [...informer.byIndex(OWNER_INDEX, prev.metadata.uid).map(keyOf), ...owners] : owners
}

function kinds(scope: 'Namespaced' | 'Cluster'): readonly Kind[] {
  return keptDefinitions.filter((definition) => definition.scope === scope).map(({ kind }) => kind)
}

/** What only looks at metadata needs no more than an ApiObject. */
function anyInformer(informers: SharedInformers, kind: Kind): WatchInformer<ApiObject> {
  return informers.for(kind) as unknown as WatchInformer<ApiObject>
}
