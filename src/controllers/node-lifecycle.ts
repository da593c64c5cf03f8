import { setCondition } from '../api/conditions.ts'
import type { ObjectKey } from '../api/object.ts'
import type { Clock, Millis } from '../base/clock.ts'
import type { Client } from '../client/client.ts'
import type { EventSink } from '../client/event-recorder.ts'
import type { Node } from '../generated/types.ts'
import type { Lister } from '../informer/informer.ts'
import type { ReconcileContext, Reconciler, Result } from '../reconcile/reconciler.ts'

/** Four missed heartbeats. */
export const HEARTBEAT_TIMEOUT: Millis = 40_000

export interface NodeLifecycleOptions {
  readonly client: Client
  readonly nodes: Lister<Node>
  readonly events: EventSink
  readonly clock: Clock
}

/**
 * Says of a Node that it isn't ready when its agent is silent for too long; its agent says that it is. Silence is measured
 * from when this controller saw the last heartbeat, on its own clock: neither a wall clock that jumps nor a server that was
 * itself away makes a Node look dead.
 */
export class NodeLifecycleReconciler implements Reconciler {
  readonly #options: NodeLifecycleOptions
  /** A stopwatch, not a state: losing it only means to wait once more. */
  readonly #heard = new Map<ObjectKey, { readonly heartbeat: string | undefined; readonly at: Millis }>()

  constructor(options: NodeLifecycleOptions) {
    this.#options = options
  }

  async reconcile(key: ObjectKey, { signal, log }: ReconcileContext): Promise<Result> {
    const { client, nodes, events, clock } = this.#options
    const node = nodes.get(key)
    if (node === undefined) {
      this.#heard.delete(key)
      return {}
    }
    const silence = this.#silence(key, node)
    if (silence < HEARTBEAT_TIMEOUT) return { requeueAfter: HEARTBEAT_TIMEOUT - silence }
    if (node.status?.phase === 'NotReady') return {}
    log.warn({ silenceMs: silence }, 'Node is silent')
    const message = `no heartbeat for ${Math.round(silence / 1_000)} s`
    const condition = {
      type: 'Ready',
      status: 'Unknown',
      reason: 'NoHeartbeat',
      message,
      observedGeneration: node.metadata.generation,
    } as const
    const conditions = setCondition(node.status?.conditions, condition, clock.now())
    await client.for('Node').updateStatus({ ...node, status: { ...node.status, phase: 'NotReady', conditions } }, { signal })
    events.record(node, { type: 'Warning', reason: 'NodeNotReady', message: 'its agent has stopped answering' })
    return {}
  }

  #silence(key: ObjectKey, node: Node): Millis {
    const now = this.#options.clock.monotonic()
    const heartbeat = node.status?.heartbeatTime
    const heard = this.#heard.get(key)
    if (heard !== undefined && heard.heartbeat === heartbeat) return now - heard.at
    this.#heard.set(key, { heartbeat, at: now })
    return 0
  }
}
