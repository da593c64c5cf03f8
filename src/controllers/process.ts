import type { ObjectKey } from '../api/object.ts'
import type { Clock, Millis } from '../base/clock.ts'
import { jsonEqual } from '../base/json.ts'
import type { Client } from '../client/client.ts'
import type { EventSink } from '../client/event-recorder.ts'
import type { Instance, Process, Revision } from '../generated/types.ts'
import type { Lister } from '../informer/informer.ts'
import type { ReconcileContext, Reconciler, Result } from '../reconcile/reconciler.ts'
import { isDeleting, suspendedFor } from './instance-state.ts'
import { happenings } from './process-events.ts'
import type { ProcessInstances } from './process-instances.ts'
import type { ProcessRevisions } from './process-revisions.ts'
import { processStatus } from './process-status.ts'
import { planRollout } from './rollout.ts'
import { ORPHAN_FINALIZER, STOP_FINALIZER } from './well-known.ts'

export interface ProcessReconcilerOptions {
  readonly client: Client
  readonly processes: Lister<Process>
  readonly revisions: ProcessRevisions
  readonly instances: ProcessInstances
  readonly events: EventSink
  readonly clock: Clock
}

/**
 * The first status of a Process waits so long for the first word of its Instances, which brings the key back at once: a status that
 * holds for milliseconds would cost a write, just when the programs are to be started.
 */
const FIRST_STATUS: Millis = 500
/** While other Instances keep saying their first word, as in a start of hundreds, it waits on, but no longer than this. */
const FIRST_STATUS_OF_MANY: Millis = 5_000

/** Makes of each Process its Revisions and Instances, and says in its status how they are. */
export class ProcessReconciler implements Reconciler {
  readonly #options: ProcessReconcilerOptions
  /** Since when those without a status are known, by uid. */
  readonly #begun = new Map<string, Millis>()
  /** When one of those had its first word. */
  #lastWord: Millis = Number.NEGATIVE_INFINITY

  constructor(options: ProcessReconcilerOptions) {
    this.#options = options
  }

  async reconcile(key: ObjectKey, context: ReconcileContext): Promise<Result> {
    const { processes, revisions, instances, clock } = this.#options
    const process = processes.get(key)
    if (process === undefined) return {}
    if (isDeleting(process)) this.#begun.delete(process.metadata.uid)
    if (isDeleting(process)) return this.#finalize(process, key, context)

    const { revision, collisions } = await revisions.ensure(process, key, context)
    const observed = instances.of(process, key)
    const rollout = planRollout({ process, instances: observed, revision, now: clock.now() })
    const done = await instances.carryOut(process, observed, revision, rollout, context)
    await revisions.removeObsolete(process, key, revision, done.instances, context.signal)
    const wait = collisions > 0 || done.obstacle !== undefined ? 0 : this.#waitForFirstWord(process, done.instances)
    if (wait > 0) return { requeueAfter: wait }
    return this.#report({ process, revision, collisions, ...done }, context)
  }

  /** How long a new Process has still to wait for what its Instances say; 0 when one has said something. */
  #waitForFirstWord({ metadata, status }: Process, instances: readonly Instance[]): Millis {
    const isSilent = instances.length > 0 && instances.every((instance) => instance.status?.phase === undefined)
    const now = this.#options.clock.monotonic()
    if (!isSilent && this.#begun.has(metadata.uid)) this.#lastWord = now
    if (status?.observedGeneration !== undefined || !isSilent) return 0
    const begun = this.#begun.get(metadata.uid) ?? now
    this.#begun.set(metadata.uid, begun)
    return Math.min(Math.max(begun, this.#lastWord) + FIRST_STATUS, begun + FIRST_STATUS_OF_MANY) - now
  }

  /** Its Instances go first, and stay visible until their programs have ended; it goes with the last one. */
  async #finalize(process: Process, key: ObjectKey, context: ReconcileContext): Promise<Result> {
    const { finalizers = [] } = process.metadata
    if (!finalizers.includes(STOP_FINALIZER)) return {}
    const { client, instances, revisions } = this.#options
    const { signal, log } = context
    const left = finalizers.includes(ORPHAN_FINALIZER) ? [] : await instances.stopAll(process, key, signal)
    if (left.length === 0) {
      log.info({}, 'Process is gone')
      const others = finalizers.filter((name) => name !== STOP_FINALIZER)
      await client.for('Process').update({ ...process, metadata: { ...process.metadata, finalizers: others } }, { signal })
      return {}
    }
    const revision = revisions.find(process, process.status?.updateRevision)
    if (revision === undefined) return {}
    return await this.#report({ process, instances: left, revision, collisions: 0, obstacle: undefined }, context)
  }

  async #report({ obstacle, ...state }: State, { signal }: ReconcileContext): Promise<Result> {
    const { client, events, clock } = this.#options
    const { process } = state
    this.#begun.delete(process.metadata.uid)
    const now = clock.now()
    const rollout = planRollout({ ...state, now })
    const { status, lookAgainAfter } = processStatus({ ...state, rollout, now, ...(obstacle === undefined ? {} : { obstacle }) })
    if (!jsonEqual(status, process.status)) {
      await client.for('Process').updateStatus({ ...process, status }, { signal })
      for (const happening of happenings(process.status, status)) events.record(process, happening)
    }
    return lookAgain([rollout.lookAgainAfter, lookAgainAfter, suspendedFor(process.spec, now)])
  }
}

interface State {
  readonly process: Process
  readonly instances: readonly Instance[]
  readonly revision: Revision
  readonly collisions: number
  readonly obstacle: string | undefined
}

function lookAgain(waits: readonly (Millis | undefined)[]): Result {
  const soonest = Math.min(...waits.filter((wait) => wait !== undefined && wait > 0).map(Number))
  return Number.isFinite(soonest) ? { requeueAfter: soonest } : {}
}
