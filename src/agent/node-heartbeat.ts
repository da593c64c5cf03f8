import { cpus, hostname, release, totalmem } from 'node:os'
import nodeProcess from 'node:process'
import { hasReason } from '../api/status.ts'
import { type Backoff, exponential } from '../base/backoff.ts'
import { type Clock, type Millis, sleep, type Timestamp } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { runForever } from '../base/loop.ts'
import type { ResourceClient } from '../client/client.ts'
import type { Condition, Node, NodeStatus } from '../generated/types.ts'
import type { HostGap } from '../runtime/runtime.ts'

/** How often the agent says that it is there. */
export const HEARTBEAT: Millis = 10_000

const RETRY: Backoff = exponential({ initial: 100, factor: 2, max: HEARTBEAT, jitter: 0.2 })

export interface NodeHeartbeatOptions {
  readonly client: ResourceClient<Node>
  readonly nodeName: string
  readonly version: string
  readonly bootId: string
  /** Instances bound to this node. */
  readonly instances: () => number
  readonly hostGaps: () => readonly HostGap[]
  readonly diskShortage: () => string | undefined
  readonly record: (node: Node, event: { readonly type: 'Warning'; readonly reason: string; readonly message: string }) => void
  readonly clock: Clock
  readonly log: Logger
}

/** Keeps the Node object of this host: there, and its status fresh. */
export class NodeHeartbeat {
  readonly #options: NodeHeartbeatOptions
  /** The first refusal since the last heartbeat that was written. */
  #refusal: { readonly since: Timestamp; readonly message: string } | undefined

  constructor(options: NodeHeartbeatOptions) {
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    await runForever({ name: 'node-heartbeat', clock, log, backoff: RETRY, signal }, async () => {
      await this.#beat(signal)
      await sleep(clock, HEARTBEAT, signal)
    })
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const { client, nodeName } = this.#options
    for (let attempt = 0; ; attempt++) {
      const node = await this.#node(signal)
      try {
        const written = await client.updateStatus({ ...node, status: this.#status(node.status) }, { signal })
        this.#tellOfRefusal(written)
        return
      } catch (err) {
        if (hasReason(err, 'ServiceUnavailable')) this.#refusal ??= { since: this.#options.clock.now(), message: (err as Error).message }
        // Somebody wrote, or deleted, it meanwhile: once more on fresh data.
        if (attempt >= 3 || !(hasReason(err, 'Conflict') || hasReason(err, 'NotFound'))) throw err
        this.#options.log.debug({ node: nodeName, err }, 'Heartbeat met a change')
      }
    }
  }

  /** While the API takes no writes, nothing can be written of that either. */
  #tellOfRefusal(node: Node): void {
    const refusal = this.#refusal
    if (refusal === undefined) return
    this.#refusal = undefined
    const message = `From ${refusal.since} to ${this.#options.clock.now()} no status could be written. ${refusal.message}`
    this.#options.record(node, { type: 'Warning', reason: 'WritesRefused', message })
  }

  async #node(signal: AbortSignal): Promise<Node> {
    const { client, nodeName } = this.#options
    try {
      return await client.get({ name: nodeName }, { signal })
    } catch (err) {
      if (!hasReason(err, 'NotFound')) throw err
    }
    try {
      return await client.create({ apiVersion: 'pmk.dev/v1', kind: 'Node', metadata: { name: nodeName } }, { signal })
    } catch (err) {
      if (!hasReason(err, 'AlreadyExists')) throw err
      return client.get({ name: nodeName }, { signal })
    }
  }

  #status(before: NodeStatus | undefined): NodeStatus {
    const { clock, version, bootId, instances, hostGaps, diskShortage } = this.#options
    const now = clock.now()
    const gaps = hostGaps()
    const shortage = diskShortage()
    const supports =
      gaps.length === 0
        ? condition(before, now, { type: 'HostSupports', status: 'True', reason: 'Complete' })
        : condition(before, now, {
            type: 'HostSupports',
            status: 'False',
            reason: 'HostGaps',
            message: gaps.map(({ message }) => message).join('; '),
          })
    return {
      phase: 'Ready',
      instances: instances(),
      heartbeatTime: now,
      capacity: { cpu: String(cpus().length), memory: `${Math.floor(totalmem() / 1024)}Ki` },
      info: {
        pmkVersion: version,
        bootID: bootId,
        kernelVersion: release(),
        operatingSystem: nodeProcess.platform,
        architecture: nodeProcess.arch,
        hostname: hostname(),
      },
      conditions: [
        condition(before, now, { type: 'Ready', status: 'True', reason: 'AgentReady', message: 'The agent is running' }),
        supports,
        shortage === undefined
          ? condition(before, now, { type: 'DiskPressure', status: 'False', reason: 'EnoughSpace' })
          : condition(before, now, { type: 'DiskPressure', status: 'True', reason: 'LittleSpace', message: shortage }),
      ],
    }
  }
}

function condition(before: NodeStatus | undefined, now: string, next: Condition): Condition {
  const known = before?.conditions?.find(({ type }) => type === next.type)
  return { ...next, lastTransitionTime: known?.status === next.status ? (known.lastTransitionTime ?? now) : now }
}
