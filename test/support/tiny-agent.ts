import { keyOf } from '../../src/api/object.ts'
import { hasReason } from '../../src/api/status.ts'
import type { Clock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { Client } from '../../src/client/client.ts'
import type { Instance, InstanceStatus } from '../../src/generated/types.ts'
import { WatchInformer } from '../../src/informer/informer.ts'
import { Controller, watches } from '../../src/reconcile/controller.ts'

export interface TinyAgentOptions {
  readonly client: Client
  readonly clock: Clock
  /** What becomes of an Instance besides what it is asked for. Default: it runs and is ready. */
  readonly outcome?: (instance: Instance) => Partial<InstanceStatus>
  /** Whether the program of a deleted Instance has ended. Default: at once. */
  readonly ends?: (instance: Instance) => boolean
}

/** An agent without processes: Instances become what its owner says, as soon as they are asked for. */
export class TinyAgent {
  readonly instances: WatchInformer<Instance>
  readonly #options: TinyAgentOptions
  /** Starts so far, by uid of the Instance. */
  readonly starts: Map<string, number> = new Map()

  constructor(options: TinyAgentOptions) {
    this.#options = options
    const { client, clock } = options
    this.instances = new WatchInformer({ name: 'agent', client: client.for('Instance'), clock, log: silentLogger })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const source = watches(this.instances, ({ next }) => (next === undefined ? [] : [keyOf(next)]))
    const reconciler = {
      reconcile: async (key: ReturnType<typeof keyOf>) => {
        const instance = this.instances.get(key)
        if (instance !== undefined) await this.#serve(instance, signal)
        return {}
      },
    }
    const controller = new Controller({ name: 'tiny-agent', sources: [source], reconciler, workers: 16, clock, log: silentLogger })
    await Promise.all([this.instances.run(signal), controller.run(signal)])
  }

  /** Looks at all Instances again: the outcome is another one now. */
  async lookAgain(): Promise<void> {
    for (const instance of this.instances.list()) await this.#serve(instance, new AbortController().signal)
  }

  async #serve(instance: Instance, signal: AbortSignal): Promise<void> {
    const { client, outcome = () => ({}), ends = () => true } = this.#options
    const instances = client.for('Instance')
    const { metadata, spec, status } = instance
    if (metadata.deletionTimestamp !== undefined) {
      if (!ends(instance)) return
      const finalizers = (metadata.finalizers ?? []).filter((name) => name !== 'pmk.dev/stop')
      if (finalizers.length === metadata.finalizers?.length) return
      await instances.update({ ...instance, metadata: { ...metadata, finalizers } }, { signal })
      return
    }
    const now = this.#options.clock.now()
    const running = spec.desiredState === 'Running'
    const isCurrent = status?.revision === spec.revision && status.rolloutRestartedAt === spec.rolloutRestartedAt
    if (running && !isCurrent) this.starts.set(metadata.uid, (this.starts.get(metadata.uid) ?? 0) + 1)
    const launched: InstanceStatus = running
      ? {
          revision: spec.revision,
          ...(spec.rolloutRestartedAt === undefined ? {} : { rolloutRestartedAt: spec.rolloutRestartedAt }),
          startedAt: isCurrent ? (status.startedAt ?? now) : now,
        }
      : {}
    const next: InstanceStatus = {
      ...status,
      ...launched,
      phase: running ? 'Running' : 'Stopped',
      reason: running ? 'Running' : 'Stopped',
      ready: running,
      observedGeneration: metadata.generation,
      ...outcome(instance),
    }
    if (JSON.stringify(next) === JSON.stringify(status)) return
    const conditions = readyCondition(status, next.ready === true, now)
    try {
      await instances.updateStatus({ ...instance, status: { ...next, conditions } }, { signal })
    } catch (err) {
      if (!hasReason(err, 'NotFound')) throw err
    }
  }
}

function readyCondition(prev: InstanceStatus | undefined, ready: boolean, now: string): NonNullable<InstanceStatus['conditions']> {
  const status = ready ? 'True' : 'False'
  const known = prev?.conditions?.find(({ type }) => type === 'Ready')
  return [known?.status === status ? known : { type: 'Ready', status, reason: ready ? 'Ready' : 'NotReady', lastTransitionTime: now }]
}
