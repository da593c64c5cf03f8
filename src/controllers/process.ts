import { launchFieldsOf } from '../api/launch-fields.ts'
import { type ObjectKey, objectKey } from '../api/object.ts'
import { controllerOf, isControlledBy, ownerReferenceTo } from '../api/owners.ts'
import { hasReason } from '../api/status.ts'
import type { Clock, Millis } from '../base/clock.ts'
import { jsonEqual } from '../base/json.ts'
import type { Client } from '../client/client.ts'
import type { EventSink } from '../client/event-recorder.ts'
import type { ConfigMap, Instance, Node, Process, Revision, Secret } from '../generated/types.ts'
import type { Lister } from '../informer/informer.ts'
import type { ReconcileContext, Reconciler, Result } from '../reconcile/reconciler.ts'
import { inParallel } from './in-parallel.ts'
import { newInstance, refreshed, rolled } from './instance-object.ts'
import { isDeleting, suspendedFor } from './instance-state.ts'
import { launchDataOf } from './launch-data.ts'
import { happenings } from './process-events.ts'
import { processStatus } from './process-status.ts'
import { chooseRevision, isAdoptableRevision, obsoleteRevisions } from './revisions.ts'
import { instanceName, planRollout, type Rollout, wantedIndexes } from './rollout.ts'
import { rolloutActor } from './rollout-actor.ts'
import { isNodeReady, isSchedulable, type NodeLoad, schedule } from './scheduler.ts'
import { CHANGE_CAUSE_ANNOTATION, NEWEST_SINCE_ANNOTATION, ORPHAN_FINALIZER, PROCESS_LABEL, STOP_FINALIZER } from './well-known.ts'

export interface ProcessReconcilerOptions {
  readonly client: Client
  readonly processes: Lister<Process>
  /** With the indices PROCESS_INDEX and NODE_INDEX. */
  readonly instances: Lister<Instance>
  /** With the index PROCESS_INDEX. */
  readonly revisions: Lister<Revision>
  readonly nodes: Lister<Node>
  readonly secrets: Lister<Secret>
  readonly configMaps: Lister<ConfigMap>
  readonly events: EventSink
  readonly clock: Clock
}

/** Instances and Revisions by the key of the Process that they name in their spec. */
export const PROCESS_INDEX = 'process'
/** Instances by the name of their Node. */
export const NODE_INDEX = 'node'

/** Writes under way for one Process at the same time. */
const WRITES = 16

/** Makes of each Process its Revisions and Instances, and says in its status how they are. */
export class ProcessReconciler implements Reconciler {
  readonly #options: ProcessReconcilerOptions

  constructor(options: ProcessReconcilerOptions) {
    this.#options = options
  }

  async reconcile(key: ObjectKey, context: ReconcileContext): Promise<Result> {
    const process = this.#options.processes.get(key)
    if (process === undefined) return {}
    if (isDeleting(process)) return this.#finalize(process, key, context)
    const { revision, collisions } = await this.#ensureRevision(process, key, context)
    const instances = this.#instancesOf(process, key)
    const rollout = planRollout({ process, instances, revision, now: this.#options.clock.now() })
    const { after, obstacle } = await this.#carryOut({ process, instances, revision, rollout }, context)
    await this.#removeObsolete(process, key, revision, after, context)
    return this.#report({ process, instances: after, revision, collisions, obstacle }, context)
  }

  async #ensureRevision(process: Process, key: ObjectKey, { signal, log }: ReconcileContext): Promise<Chosen> {
    const client = this.#options.client.for('Revision')
    const revisions = this.#options.revisions.byIndex(PROCESS_INDEX, key)
    const data = launchDataOf(process.spec, (kind, name) => this.#data(kind, objectKey(process.metadata.namespace, name)))
    const choice = chooseRevision(process, data, revisions)
    const chosen = choice.type === 'create' ? undefined : choice.revision
    const others = revisions.filter((revision) => revision !== chosen && isAdoptableRevision(process, revision))
    await inParallel(others, WRITES, (revision) => client.update(adopted(process, revision), { signal }))
    switch (choice.type) {
      case 'use': {
        const { revision } = choice
        if (!isAdoptableRevision(process, revision)) return { revision, collisions: 0 }
        return { revision: await client.update(adopted(process, revision), { signal }), collisions: 0 }
      }
      case 'renumber': {
        log.info({ revision: choice.revision.metadata.name, number: choice.number }, 'Old revision is the newest again')
        const { metadata } = choice.revision
        const annotations = { ...metadata.annotations, [NEWEST_SINCE_ANNOTATION]: this.#options.clock.now() }
        const newest = { ...adopted(process, choice.revision), revision: choice.number }
        return { revision: await client.update({ ...newest, metadata: { ...newest.metadata, annotations } }, { signal }), collisions: 0 }
      }
      case 'create': {
        const cause = process.metadata.annotations?.[CHANGE_CAUSE_ANNOTATION]
        const revision = await client.create(
          {
            apiVersion: 'pmk.dev/v1',
            kind: 'Revision',
            metadata: {
              name: choice.name,
              ...(process.metadata.namespace === undefined ? {} : { namespace: process.metadata.namespace }),
              labels: { ...process.metadata.labels, [PROCESS_LABEL]: process.metadata.name },
              ownerReferences: [ownerReferenceTo(process)],
            },
            revision: choice.number,
            spec: {
              process: process.metadata.name,
              ...(cause === undefined ? {} : { cause }),
              ...(data.fingerprint === undefined ? {} : { dataHash: data.fingerprint }),
              template: launchFieldsOf(process.spec, { withoutDefaults: true }),
            },
          },
          { signal },
        )
        return { revision, collisions: choice.collisions }
      }
    }
  }

  #data(kind: 'Secret' | 'ConfigMap', key: ObjectKey): Secret | ConfigMap | undefined {
    return kind === 'Secret' ? this.#options.secrets.get(key) : this.#options.configMaps.get(key)
  }

  /** Its own, and those without a controller, which it takes over: left by an earlier Process that was deleted alone. */
  #instancesOf(process: Process, key: ObjectKey): readonly Instance[] {
    return this.#options.instances
      .byIndex(PROCESS_INDEX, key)
      .filter((instance) => isControlledBy(instance, process) || isAdoptable(process, instance))
      .map((instance) => this.#asSeen(instance))
  }

  /** When its Node doesn't answer, nobody knows how an Instance is, whatever it last said. */
  #asSeen(instance: Instance): Instance {
    const node = this.#options.nodes.get(objectKey(undefined, instance.spec.nodeName))
    if (node === undefined || isNodeReady(node) || instance.status === undefined) return instance
    const message = `node ${node.metadata.name} doesn't answer`
    return { ...instance, status: { ...instance.status, phase: 'Unknown', reason: 'Unknown', message, ready: false } }
  }

  async #carryOut(
    work: Work,
    { signal, log }: ReconcileContext,
  ): Promise<{ readonly after: readonly Instance[]; readonly obstacle: string | undefined }> {
    const { process, instances, revision, rollout } = work
    const client = this.#options.client.for('Instance')
    const update = new Set(rollout.update)
    const remove = new Set(rollout.remove)
    const actor = rolloutActor(process)
    const removed = inParallel(rollout.remove, WRITES, async (instance) => {
      log.info({ instance: instance.metadata.name }, 'Removing instance')
      return await deleteIgnoringGone(() => client.delete(instance.metadata, { uid: instance.metadata.uid, signal }))
    })
    const changed = inParallel(
      instances.filter((instance) => !remove.has(instance)),
      WRITES,
      async (instance) => {
        if (isDeleting(instance)) return instance
        const wanted = update.has(instance)
          ? rolled(process, instance, revision, actor)
          : refreshed(process, instance, this.#revision(process, instance))
        if (sameButStatus(wanted, instance)) return instance
        if (update.has(instance)) log.info({ instance: instance.metadata.name, revision: revision.metadata.name }, 'Rolling instance')
        return await client.update(wanted, { signal })
      },
    )
    const nodes = this.#placesFor(process, rollout.create.length)
    const obstacle = nodes.length < rollout.create.length ? 'no node is ready to take an Instance' : undefined
    const base = process.spec.updateStrategy.paused ? (this.#named(process, process.status?.currentRevision) ?? revision) : revision
    const places = rollout.create.flatMap((index, at) => (nodes[at] === undefined ? [] : [{ index, node: nodes[at] }]))
    const made = inParallel(places, WRITES, ({ index, node }) => client.create(newInstance(process, index, base, node), { signal }))
    const [left, present, created] = await settled(removed, changed, made)
    return { after: [...present, ...left.filter((instance) => instance !== undefined), ...created], obstacle }
  }

  #revision(process: Process, instance: Instance): Revision | undefined {
    return this.#named(process, instance.spec.revision)
  }

  #named(process: Process, name: string | undefined): Revision | undefined {
    return name === undefined ? undefined : this.#options.revisions.get(objectKey(process.metadata.namespace, name))
  }

  #placesFor({ spec }: Process, count: number): readonly string[] {
    const { nodeName } = spec
    if (nodeName !== undefined) return Array.from({ length: count }, () => nodeName)
    if (count === 0) return []
    const nodes = this.#options.nodes.list().filter(isSchedulable)
    return schedule(
      count,
      nodes.map(({ metadata }): NodeLoad => {
        // With one Node there is nothing to weigh.
        const instances = nodes.length === 1 ? 0 : this.#options.instances.byIndex(NODE_INDEX, metadata.name).length
        return { name: metadata.name, instances }
      }),
    )
  }

  async #removeObsolete(
    process: Process,
    key: ObjectKey,
    newest: Revision,
    instances: readonly Instance[],
    { signal }: ReconcileContext,
  ): Promise<void> {
    const others = this.#options.revisions.byIndex(PROCESS_INDEX, key).filter(({ metadata }) => metadata.name !== newest.metadata.name)
    const client = this.#options.client.for('Revision')
    await inParallel(obsoleteRevisions(process, others, instances), WRITES, ({ metadata }) =>
      deleteIgnoringGone(() => client.delete(metadata, { uid: metadata.uid, resourceVersion: metadata.resourceVersion, signal })),
    )
  }

  async #report(work: Reported, { signal }: ReconcileContext): Promise<Result> {
    const { process, instances, revision, collisions, obstacle } = work
    const now = this.#options.clock.now()
    const rollout = planRollout({ process, instances, revision, now })
    const outcome = processStatus({
      process,
      instances,
      revision,
      rollout,
      collisions,
      now,
      ...(obstacle === undefined ? {} : { obstacle }),
    })
    if (!jsonEqual(outcome.status, process.status)) {
      await this.#options.client.for('Process').updateStatus({ ...process, status: outcome.status }, { signal })
      for (const happening of happenings(process.status, outcome.status)) this.#options.events.record(process, happening)
    }
    return lookAgain([rollout.lookAgainAfter, outcome.lookAgainAfter, suspendedFor(process.spec, now)])
  }

  /** Its Instances go first, and stay visible until their programs have ended; it goes with the last one. */
  async #finalize(process: Process, key: ObjectKey, context: ReconcileContext): Promise<Result> {
    const { finalizers = [] } = process.metadata
    if (!finalizers.includes(STOP_FINALIZER)) return {}
    const { signal, log } = context
    const instances = finalizers.includes(ORPHAN_FINALIZER) ? [] : await this.#stopAll(process, key, context)
    if (instances.length === 0) {
      log.info({}, 'Process is gone')
      const rest = finalizers.filter((name) => name !== STOP_FINALIZER)
      await this.#options.client.for('Process').update({ ...process, metadata: { ...process.metadata, finalizers: rest } }, { signal })
      return {}
    }
    const revision = this.#named(process, process.status?.updateRevision)
    if (revision === undefined) return {}
    return await this.#report({ process, instances, revision, collisions: 0, obstacle: undefined }, context)
  }

  /** Deletes what is left of its Instances and gives those that are still there. */
  async #stopAll(process: Process, key: ObjectKey, { signal }: ReconcileContext): Promise<readonly Instance[]> {
    const client = this.#options.client.for('Instance')
    const cached = this.#options.instances.byIndex(PROCESS_INDEX, key).filter((instance) => isControlledBy(instance, process))
    // One that was made a moment ago may not be in the cache yet, and must not be left behind.
    const instances = cached.length > 0 ? cached : await this.#liveInstances(process, signal)
    const grace = process.metadata.deletionGracePeriodSeconds
    const gracePeriod = grace === undefined ? {} : { gracePeriodSeconds: grace }
    const left = await inParallel(instances, WRITES, async (instance) => {
      const { uid, resourceVersion, deletionGracePeriodSeconds } = instance.metadata
      const inTime = grace === undefined || (deletionGracePeriodSeconds !== undefined && deletionGracePeriodSeconds <= grace)
      if (isDeleting(instance) && inTime) return instance
      // Only as it was seen, with this owner: it may just have been set free.
      return await deleteIgnoringGone(() => client.delete(instance.metadata, { uid, resourceVersion, ...gracePeriod, signal }))
    })
    return left.filter((instance) => instance !== undefined)
  }

  async #liveInstances(process: Process, signal: AbortSignal): Promise<readonly Instance[]> {
    const client = this.#options.client.for('Instance')
    const namespace = process.metadata.namespace === undefined ? {} : { namespace: process.metadata.namespace }
    const found = await inParallel(wantedIndexes(process), WRITES, async (index) => {
      try {
        return await client.get({ name: instanceName(process, index), ...namespace }, { signal })
      } catch (err) {
        if (hasReason(err, 'NotFound')) return undefined
        throw err
      }
    })
    return found.filter((instance) => instance !== undefined && isControlledBy(instance, process)) as readonly Instance[]
  }
}

interface Chosen {
  readonly revision: Revision
  readonly collisions: number
}

interface Work {
  readonly process: Process
  readonly instances: readonly Instance[]
  readonly revision: Revision
  readonly rollout: Rollout
}

interface Reported {
  readonly process: Process
  readonly instances: readonly Instance[]
  readonly revision: Revision
  readonly collisions: number
  readonly obstacle: string | undefined
}

function isAdoptable(process: Process, instance: Instance): boolean {
  if (controllerOf(instance) !== undefined || isDeleting(instance)) return false
  return instance.metadata.labels?.[PROCESS_LABEL] === process.metadata.name
}

function adopted(process: Process, revision: Revision): Revision {
  const others = (revision.metadata.ownerReferences ?? []).filter(({ controller }) => controller !== true)
  return { ...revision, metadata: { ...revision.metadata, ownerReferences: [...others, ownerReferenceTo(process)] } }
}

function sameButStatus(a: Instance, b: Instance): boolean {
  return jsonEqual(a.spec, b.spec) && jsonEqual(a.metadata, b.metadata)
}

/** Gone already is what was wanted. */
async function deleteIgnoringGone<T>(remove: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await remove()
  } catch (err) {
    if (hasReason(err, 'NotFound')) return undefined
    throw err
  }
}

/** Waits for all, also when one fails: nothing of this reconcile may go on when the next one begins. */
async function settled<A, B, C>(a: Promise<A>, b: Promise<B>, c: Promise<C>): Promise<[A, B, C]> {
  await Promise.allSettled([a, b, c])
  return await Promise.all([a, b, c])
}

function lookAgain(waits: readonly (Millis | undefined)[]): Result {
  const soonest = Math.min(...waits.filter((wait) => wait !== undefined && wait > 0).map(Number))
  return Number.isFinite(soonest) ? { requeueAfter: soonest } : {}
}
