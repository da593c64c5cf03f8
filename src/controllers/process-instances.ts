import { type ObjectKey, objectKey } from '../api/object.ts'
import { controllerOf, isControlledBy } from '../api/owners.ts'
import { hasReason } from '../api/status.ts'
import { inParallel, WRITES } from '../base/in-parallel.ts'
import { jsonEqual } from '../base/json.ts'
import type { Client } from '../client/client.ts'
import type { Instance, Node, Process, Revision } from '../generated/types.ts'
import type { Lister } from '../informer/informer.ts'
import type { ReconcileContext } from '../reconcile/reconciler.ts'
import { deleteIfThere } from './delete-if-there.ts'
import { newInstance, refreshed, rolled } from './instance-object.ts'
import { isDeleting } from './instance-state.ts'
import { PROCESS_INDEX, type ProcessRevisions } from './process-revisions.ts'
import { instanceName, type Rollout, wantedIndexes } from './rollout.ts'
import { rolloutActor } from './rollout-actor.ts'
import { isNodeReady, isSchedulable, schedule } from './scheduler.ts'
import { PROCESS_LABEL } from './well-known.ts'

/** Instances by the name of their Node. */
export const NODE_INDEX = 'node'

export interface ProcessInstancesOptions {
  readonly client: Client
  /** With the indices PROCESS_INDEX and NODE_INDEX. */
  readonly instances: Lister<Instance>
  readonly nodes: Lister<Node>
  readonly revisions: ProcessRevisions
}

export interface Done {
  /** All that the Process owns now. */
  readonly instances: readonly Instance[]
  /** Why some could not be made. */
  readonly obstacle: string | undefined
}

/** The Instances of Processes, as they are stored. */
export class ProcessInstances {
  readonly #options: ProcessInstancesOptions

  constructor(options: ProcessInstancesOptions) {
    this.#options = options
  }

  /** Its own, and those without a controller, which it takes over: left by an earlier Process that was deleted alone. */
  of(process: Process, key: ObjectKey): readonly Instance[] {
    return this.#options.instances
      .byIndex(PROCESS_INDEX, key)
      .filter((instance) => isControlledBy(instance, process) || isAdoptable(process, instance))
      .map((instance) => this.#asSeen(instance))
  }

  /** Does what the rollout says, and brings all others up to date with whatever needs no restart. */
  async carryOut(
    process: Process,
    instances: readonly Instance[],
    revision: Revision,
    rollout: Rollout,
    context: ReconcileContext,
  ): Promise<Done> {
    const { signal, log } = context
    const client = this.#options.client.for('Instance')
    const remove = new Set(rollout.remove)
    const removed = inParallel(rollout.remove, WRITES, async ({ metadata }) => {
      log.info({ instance: metadata.name }, 'Removing instance')
      return await deleteIfThere(client, metadata, { uid: metadata.uid, signal })
    })
    const update = new Set(rollout.update)
    const staying = instances.filter((instance) => !remove.has(instance))
    const changed = inParallel(staying, WRITES, async (instance) => {
      if (isDeleting(instance)) return instance
      const { revisions } = this.#options
      const isRolled = update.has(instance)
      // The same revision again is a restart, which has an owner of its own.
      const actor = isRolled
        ? rolloutActor(process, instance.spec.revision === revision.metadata.name ? 'restartedAt' : undefined)
        : undefined
      const next = isRolled
        ? rolled(process, instance, revision, actor)
        : refreshed(process, instance, revisions.find(process, instance.spec.revision))
      if (jsonEqual(next.spec, instance.spec) && jsonEqual(next.metadata, instance.metadata)) return instance
      if (isRolled) log.info({ instance: instance.metadata.name, revision: revision.metadata.name }, 'Rolling instance')
      return await client.update(next, { signal })
    })
    const free = rollout.create.filter((index) => this.#inTheWay(process, index) === undefined)
    const nodes = this.#placesFor(process, free.length)
    const made = inParallel(free.slice(0, nodes.length), WRITES, (index, at) =>
      client.create(newInstance(process, index, this.#revisionOfNew(process, revision), nodes[at] ?? ''), { signal }),
    )
    const obstacle = this.#obstacle(process, rollout.create, nodes.length < free.length)
    // All three end, also when one fails: nothing of this reconcile may go on when the next one begins.
    await Promise.allSettled([removed, changed, made])
    const [left, present, created] = await Promise.all([removed, changed, made])
    return { instances: [...present, ...left.filter((instance) => instance !== undefined), ...created], obstacle }
  }

  /** Deletes all that is left of a Process and gives those that are still there. */
  async stopAll(process: Process, key: ObjectKey, signal: AbortSignal): Promise<readonly Instance[]> {
    const client = this.#options.client.for('Instance')
    const cached = this.#options.instances.byIndex(PROCESS_INDEX, key).filter((instance) => isControlledBy(instance, process))
    // One that was made a moment ago may not be in the cache yet, and must not be left behind.
    const instances = cached.length > 0 ? cached : await this.#stored(process, signal)
    const grace = process.metadata.deletionGracePeriodSeconds
    const gracePeriod = grace === undefined ? {} : { gracePeriodSeconds: grace }
    const left = await inParallel(instances, WRITES, async (instance) => {
      const { uid, resourceVersion, deletionGracePeriodSeconds } = instance.metadata
      const inTime = grace === undefined || (deletionGracePeriodSeconds !== undefined && deletionGracePeriodSeconds <= grace)
      if (isDeleting(instance) && inTime) return instance
      // Only as it was seen, with this owner: it may just have been set free.
      return await deleteIfThere(client, instance.metadata, { uid, resourceVersion, ...gracePeriod, signal })
    })
    return left.filter((instance) => instance !== undefined)
  }

  async #stored(process: Process, signal: AbortSignal): Promise<readonly Instance[]> {
    const { namespace } = process.metadata
    const found = await inParallel(wantedIndexes(process), WRITES, async (index) => {
      try {
        const ref = { name: instanceName(process, index), ...(namespace === undefined ? {} : { namespace }) }
        return await this.#options.client.for('Instance').get(ref, { signal })
      } catch (err) {
        if (hasReason(err, 'NotFound')) return undefined
        throw err
      }
    })
    return found.filter((instance) => instance !== undefined).filter((instance) => isControlledBy(instance, process))
  }

  #obstacle(process: Process, create: readonly number[], withoutNode: boolean): string | undefined {
    for (const index of create) {
      const name = this.#inTheWay(process, index)?.metadata.name
      if (name !== undefined) return `Instance ${name} is there already and does not belong to this Process: it has to go first`
    }
    return withoutNode ? 'no node is ready to take an Instance' : undefined
  }

  /** What has the name of an Instance to be made: left by an earlier Process, or made by hand. */
  #inTheWay(process: Process, index: number): Instance | undefined {
    const found = this.#options.instances.get(objectKey(process.metadata.namespace, instanceName(process, index)))
    return found === undefined || isControlledBy(found, process) ? undefined : found
  }

  /** While a roll is paused, new ones are as the others are. */
  #revisionOfNew(process: Process, newest: Revision): Revision {
    if (!process.spec.updateStrategy.paused) return newest
    return this.#options.revisions.find(process, process.status?.currentRevision) ?? newest
  }

  /** A Node for each; fewer when there are none to be had. */
  #placesFor({ spec }: Process, count: number): readonly string[] {
    const { nodeName } = spec
    if (nodeName !== undefined) return Array.from({ length: count }, () => nodeName)
    if (count === 0) return []
    const nodes = this.#options.nodes.list().filter(isSchedulable)
    // With one Node there is nothing to weigh.
    const load = (name: string): number => (nodes.length === 1 ? 0 : this.#options.instances.byIndex(NODE_INDEX, name).length)
    return schedule(
      count,
      nodes.map(({ metadata: { name } }) => ({ name, instances: load(name) })),
    )
  }

  /** When its Node doesn't answer, nobody knows how an Instance is, whatever it last said. */
  #asSeen(instance: Instance): Instance {
    const node = this.#options.nodes.get(objectKey(undefined, instance.spec.nodeName))
    if (node === undefined || isNodeReady(node) || instance.status === undefined) return instance
    const message = `node ${node.metadata.name} doesn't answer`
    return { ...instance, status: { ...instance.status, phase: 'Unknown', reason: 'Unknown', message, ready: false } }
  }
}

function isAdoptable(process: Process, instance: Instance): boolean {
  if (controllerOf(instance) !== undefined || isDeleting(instance)) return false
  return instance.metadata.labels?.[PROCESS_LABEL] === process.metadata.name
}
