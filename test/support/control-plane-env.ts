import type { New } from '../../src/api/object.ts'
import { sleep } from '../../src/base/clock.ts'
import { type Logger, silentLogger } from '../../src/base/log.ts'
import type { Client } from '../../src/client/client.ts'
import { createControllers } from '../../src/controllers/control-plane.ts'
import type { Instance, Process, ProcessSpec, Revision } from '../../src/generated/types.ts'
import type { SharedInformers } from '../../src/informer/shared-informers.ts'
import type { Runnable } from '../../src/reconcile/manager.ts'
import { createLocalClient } from '../../src/registry/local-client.ts'
import { createRegistry } from '../../src/registry/resource-registry.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import { FakeClock, settle } from './fake-clock.ts'
import { TinyAgent, type TinyAgentOptions } from './tiny-agent.ts'

export interface EnvOptions extends Pick<TinyAgentOptions, 'outcome' | 'ends'> {
  /** Nodes that are ready from the start. */
  readonly nodes?: readonly string[]
  /** Whether the Nodes keep answering. Default: true. */
  readonly heartbeats?: boolean
  /** What the controllers see of the API: a decorator that makes it fail. */
  readonly wrap?: (client: Client) => Client
  readonly log?: Logger
  /** Makes what runs beside the controllers, and ends with them. */
  readonly beside?: (parts: {
    readonly clock: FakeClock
    readonly clientOf: (manager: string) => Client
    readonly informers: SharedInformers
  }) => readonly Runnable[]
}

/** Registry over a MemoryStore, all controllers, and an agent without processes, on one fake clock. */
export class ControlPlaneEnv {
  readonly clock: FakeClock
  /** As people use it. */
  readonly client: Client
  readonly store: MemoryStore
  readonly agent: TinyAgent
  readonly #controllersClient: Client
  /** As another field manager. */
  readonly clientOf: (manager: string) => Client
  readonly #log: Logger
  readonly #beside: EnvOptions['beside']
  readonly #agentStop = new AbortController()
  #stop = new AbortController()
  #controllers: Promise<void>
  readonly #agentEnd: Promise<unknown>

  static async start(options: EnvOptions = {}): Promise<ControlPlaneEnv> {
    const clock = new FakeClock()
    const store = new MemoryStore({ clock })
    const registry = await createRegistry({ store, clock })
    const env = new ControlPlaneEnv(clock, store, (fieldManager) => createLocalClient(registry, { fieldManager }), options)
    for (const name of options.nodes ?? ['host']) await env.addNode(name)
    return env
  }

  private constructor(clock: FakeClock, store: MemoryStore, clientOf: (manager: string) => Client, options: EnvOptions) {
    this.clock = clock
    this.store = store
    this.clientOf = clientOf
    this.#beside = options.beside
    this.client = clientOf('tester')
    this.#controllersClient = (options.wrap ?? ((client) => client))(clientOf('pmk-controllers'))
    this.#log = options.log ?? silentLogger
    this.agent = new TinyAgent({ client: clientOf('pmk-agent'), clock, ...options })
    this.#agentEnd = Promise.all([this.agent.run(this.#agentStop.signal), this.#beat(clientOf('pmk-agent'), options.heartbeats ?? true)])
    this.#controllers = this.#runControllers()
  }

  /** The controllers end as after a crash, and others take over with nothing but what is stored. */
  async restartControllers(): Promise<void> {
    this.#stop.abort()
    await this.#controllers
    this.#stop = new AbortController()
    this.#controllers = this.#runControllers()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    this.#agentStop.abort()
    await Promise.all([this.#controllers, this.#agentEnd])
    await this.store.close()
  }

  async addNode(name: string): Promise<void> {
    const node = await this.client.for('Node').create({ apiVersion: 'pmk.dev/v1', kind: 'Node', metadata: { name } })
    await this.client.for('Node').updateStatus({ ...node, status: { phase: 'Ready', heartbeatTime: this.clock.now() } })
  }

  create(name: string, spec: Partial<ProcessSpec> = {}, metadata: Partial<New<Process>['metadata']> = {}): Promise<Process> {
    const body = { apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { ...metadata, name }, spec: { command: ['sleep', '1d'], ...spec } }
    return this.client.for('Process').create(body as New<Process>)
  }

  change(name: string, spec: object): Promise<Process> {
    return this.client.for('Process').patch({ name }, { type: 'merge', value: { spec } })
  }

  process(name: string): Promise<Process> {
    return this.client.for('Process').get({ name })
  }

  instance(name: string): Promise<Instance> {
    return this.client.for('Instance').get({ name })
  }

  /** By number. */
  async instances(process: string): Promise<readonly Instance[]> {
    const { items } = await this.client.for('Instance').list({ labelSelector: `pmk.dev/process=${process}` })
    return items.toSorted((a, b) => a.spec.index - b.spec.index)
  }

  /** Oldest first. */
  async revisions(process: string): Promise<readonly Revision[]> {
    const { items } = await this.client.for('Revision').list({ fieldSelector: `spec.process=${process}` })
    return items.toSorted((a, b) => a.revision - b.revision)
  }

  /** Lets time pass in small steps until `check` no longer throws. */
  async until(check: () => void | Promise<void>, options: { readonly within?: number; readonly step?: number } = {}): Promise<void> {
    const { within = 10_000, step = 20 } = options
    for (let passed = 0; ; passed += step) {
      try {
        await check()
        return
      } catch (err) {
        if (passed >= within) throw err
      }
      await this.clock.advance(step)
    }
  }

  /** Lets everything happen that needs no time but that of a retry. */
  async quiet(): Promise<void> {
    for (let before = -1; before !== this.store.revision(); ) {
      before = this.store.revision()
      for (let turn = 0; turn < 5; turn++) await settle()
      await this.clock.advance(100)
    }
  }

  async #beat(client: Client, wanted: boolean): Promise<void> {
    const { signal } = this.#agentStop
    while (wanted && !signal.aborted) {
      await sleep(this.clock, 10_000, signal).catch(() => {
        // Only the end of the test ends this sleep early; the loop's condition sees it.
      })
      if (signal.aborted) return
      for (const node of (await client.for('Node').list()).items) {
        await client.for('Node').updateStatus({ ...node, status: { ...node.status, phase: 'Ready', heartbeatTime: this.clock.now() } })
      }
    }
  }

  async #runControllers(): Promise<void> {
    const { clock, clientOf } = this
    const beside = this.#beside
    const controllers = createControllers({
      client: this.#controllersClient,
      clock,
      log: this.#log,
      ...(beside === undefined ? {} : { beside: (informers) => beside({ clock, clientOf, informers }) }),
    })
    await controllers.run(this.#stop.signal)
  }
}
