import nodeProcess from 'node:process'
import { type Agent, createAgent } from '../../src/agent/agent.ts'
import { createLogger, silentLogger } from '../../src/base/log.ts'
import type { Client } from '../../src/client/client.ts'
import type { Instance, Process, ProcessTemplate } from '../../src/generated/types.ts'
import { createLocalClient } from '../../src/registry/local-client.ts'
import { createRegistry } from '../../src/registry/resource-registry.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import { FakeClock, settle } from './fake-clock.ts'
import { FakeRuntime } from './fake-runtime.ts'

export const NODE = 'here'

export type Template = Partial<ProcessTemplate>

export interface InstanceOptions {
  readonly name?: string
  readonly process?: string
  readonly template?: Template
  readonly spec?: Partial<Omit<Instance['spec'], 'template'>>
}

/** An agent over an API in memory, on a machine that exists in memory only and a clock that stands still. */
export class AgentWorld {
  readonly clock: FakeClock
  readonly runtime: FakeRuntime
  readonly #client: Client
  #agent: { readonly agent: Agent; readonly controller: AbortController; readonly done: Promise<void> } | undefined
  #boot = 'boot-1'

  private constructor(clock: FakeClock, client: Client) {
    this.clock = clock
    this.runtime = new FakeRuntime({ clock })
    this.#client = client
  }

  static async open(): Promise<AgentWorld> {
    const clock = new FakeClock()
    const store = new MemoryStore({ clock })
    const registry = await createRegistry({ store, clock })
    const world = new AgentWorld(clock, createLocalClient(registry, { fieldManager: 'test' }))
    await world.runtime.open()
    return world
  }

  get client(): Client {
    return this.#client
  }

  get agent(): Agent {
    if (this.#agent === undefined) throw new Error('No agent runs')
    return this.#agent.agent
  }

  async start(): Promise<void> {
    const { clock, runtime, client } = this
    const log = nodeProcess.env.PMK_TEST_LOG ? createLogger({ level: 'debug' }) : silentLogger
    const agent = createAgent({ client, runtime, clock, log, nodeName: NODE, version: '0.0.0', bootId: this.#boot })
    const controller = new AbortController()
    this.#agent = { agent, controller, done: agent.run(controller.signal) }
    await this.settle()
  }

  /** The agent ends, its programs don't. */
  async stop(): Promise<void> {
    const running = this.#agent
    this.#agent = undefined
    running?.controller.abort()
    await running?.done
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  async reboot(): Promise<void> {
    await this.stop()
    this.runtime.reboot()
    this.#boot = `${this.#boot}x`
    await this.start()
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 12; turn++) await settle()
  }

  async advance(by: number): Promise<void> {
    await this.clock.advance(by)
    await this.settle()
  }

  async createProcess(name: string, spec: Partial<Process['spec']> = {}): Promise<Process> {
    return this.client
      .for('Process')
      .create({ apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name }, spec: { command: ['sleep', '1'], ...spec } })
  }

  async create(options: InstanceOptions = {}): Promise<Instance> {
    const { process: owner = 'web', name = `${owner}-0`, template = {}, spec = {} } = options
    const instance = await this.client.for('Instance').create({
      apiVersion: 'pmk.dev/v1',
      kind: 'Instance',
      metadata: { name },
      spec: {
        process: owner,
        index: 0,
        nodeName: NODE,
        revision: `${owner}-1`,
        ...spec,
        template: { ...(template.script === undefined ? { command: ['sleep', '1000'] } : {}), ...template },
      },
    })
    await this.settle()
    return instance
  }

  async get(name = 'web-0'): Promise<Instance> {
    return this.client.for('Instance').get({ name })
  }

  async patch(value: unknown, name = 'web-0'): Promise<void> {
    await this.client.for('Instance').patch({ name }, { type: 'merge', value })
    await this.settle()
  }

  async delete(name = 'web-0', gracePeriodSeconds?: number): Promise<void> {
    await this.client.for('Instance').delete({ name }, gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds })
    await this.settle()
  }

  async names(): Promise<readonly string[]> {
    return (await this.client.for('Instance').list()).items.map(({ metadata }) => metadata.name)
  }
}
