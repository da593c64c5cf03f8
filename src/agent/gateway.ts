import type { ActionResult, InstanceTarget, InstanceUsage, LogPiece, LogQuery, NodeGateway } from '../api/node-gateway.ts'
import { objectKey } from '../api/object.ts'
import { apiError } from '../api/status.ts'
import type { Clock, Millis } from '../base/clock.ts'
import { plainSignalName, signalNumberOf } from '../base/signals.ts'
import type { Instance } from '../generated/types.ts'
import { parseLogCursor } from '../runtime/log-cursor.ts'
import { attemptOf, type ExecResult, type InstanceId, type ProcessRuntime, type Run, StartError } from '../runtime/runtime.ts'
import { millis } from './backoff.ts'
import { ConfigError } from './environment.ts'
import type { Launcher } from './launch.ts'

/** What `timeout` of coreutils answers. */
const TIMED_OUT = 124
const NOT_FOUND = 127
const NOT_EXECUTABLE = 126
/** How long the command of a reload may take: there is no field for it. */
const RELOAD_TIMEOUT: Millis = 60_000

export interface AgentGatewayOptions {
  readonly runtime: ProcessRuntime
  readonly launcher: Launcher
  readonly instance: (key: string) => Instance | undefined
  readonly instances: () => readonly Instance[]
  /** A signal is about to be sent because somebody asked for it. */
  readonly onSignal: (uid: string, attempt: number, signal: string) => void
  readonly clock: Clock
}

interface Sample {
  readonly run: string
  readonly cpuSeconds: number
  readonly at: Millis
}

/** Requests that are carried out once. */
export class AgentGateway implements NodeGateway {
  readonly #options: AgentGatewayOptions
  readonly #samples = new Map<string, Sample>()

  constructor(options: AgentGatewayOptions) {
    this.#options = options
  }

  logs(target: InstanceTarget, query: LogQuery, signal: AbortSignal): AsyncIterable<LogPiece> {
    if (query.cursor !== undefined && parseLogCursor(query.cursor) === undefined)
      throw apiError('BadRequest', 'cursor: that is none of a log')
    return this.#options.runtime.logs(idOf(this.#instance(target)), { ...query, signal })
  }

  async signal(target: InstanceTarget, signal: string): Promise<void> {
    await this.#send(this.#instance(target), signal)
  }

  async reload(target: InstanceTarget, signal: AbortSignal): Promise<ActionResult & { readonly output: string }> {
    return this.reloadInstance(this.#instance(target), signal)
  }

  async reloadInstance(instance: Instance, signal: AbortSignal): Promise<ActionResult & { readonly output: string }> {
    const { reload } = instance.spec.template
    if (reload?.exec !== undefined) {
      await this.#live(instance)
      const output: string[] = []
      const decoder = new TextDecoder()
      const onOutput = (chunk: Uint8Array): void => void output.push(decoder.decode(chunk, { stream: true }))
      const result = await this.#exec(instance, reload.exec.command, RELOAD_TIMEOUT, onOutput, signal)
      return { ...result, output: output.join('') }
    }
    if (reload?.signal === undefined) {
      throw apiError(
        'BadRequest',
        `Process ${instance.spec.process} does not say how it is reloaded: set spec.reload.signal or spec.reload.exec`,
      )
    }
    await this.#send(instance, reload.signal)
    return { exitCode: 0, output: '' }
  }

  async pause(target: InstanceTarget, paused: boolean): Promise<void> {
    const { runtime } = this.#options
    const instance = this.#instance(target)
    const run = (await runtime.get(idOf(instance)))?.run
    if (run?.state !== 'running') {
      if (paused) throw notRunning(instance)
      return
    }
    const gap = runtime.hostGaps().find(({ field }) => field === 'pause')
    if (paused && gap !== undefined) {
      throw apiError('BadRequest', `Instance ${instance.metadata.name} can't be paused: ${gap.message.replace(/^pause: /, '')}`)
    }
    if (run.paused !== paused) await runtime.pause(run.id, paused)
  }

  async action(target: InstanceTarget, action: string, onOutput: (chunk: Uint8Array) => void, signal: AbortSignal): Promise<ActionResult> {
    const instance = this.#instance(target)
    const actions = instance.spec.template.actions ?? []
    const found = actions.find(({ name }) => name === action)
    if (found === undefined) {
      const names = actions.map(({ name }) => name).join(', ')
      const has = names === '' ? 'it has none' : `it has ${names}`
      throw apiError('BadRequest', `Process ${instance.spec.process} has no action "${action}": ${has}`)
    }
    if (found.exec !== undefined) return this.#exec(instance, found.exec.command, millis(found.timeout), onOutput, signal)
    if (found.signal === undefined) throw apiError('BadRequest', `Action "${action}" has neither exec nor signal`)
    await this.#send(instance, found.signal)
    return { exitCode: 0 }
  }

  async usage(target: InstanceTarget): Promise<InstanceUsage> {
    const instance = this.#instance(target)
    const run = await this.#live(instance)
    const usage = await this.#usageOf(instance, run)
    if (usage === undefined) throw notRunning(instance)
    return usage
  }

  async usageOfAll(): Promise<readonly InstanceUsage[]> {
    const all: InstanceUsage[] = []
    const instances = this.#options.instances()
    const uids = new Set(instances.map(({ metadata }) => metadata.uid))
    for (const uid of this.#samples.keys()) if (!uids.has(uid)) this.#samples.delete(uid)
    for (const instance of instances) {
      const record = await this.#options.runtime.get(idOf(instance))
      const usage = record?.run?.state === 'running' ? await this.#usageOf(instance, record.run) : undefined
      if (usage !== undefined) all.push(usage)
    }
    return all
  }

  #instance({ namespace, name }: InstanceTarget): Instance {
    const instance = this.#options.instance(objectKey(namespace, name))
    if (instance === undefined) {
      // The API server has it and knows it to be ours: an agent that has just started doesn't have its list yet.
      throw apiError('ServiceUnavailable', `the agent does not know Instance ${namespace}/${name} yet`, { retryAfterSeconds: 1 })
    }
    return instance
  }

  async #live(instance: Instance): Promise<Run & { readonly state: 'running' }> {
    const record = await this.#options.runtime.get(idOf(instance))
    if (record?.run?.state !== 'running') throw notRunning(instance)
    return record.run
  }

  async #send(instance: Instance, signal: string): Promise<void> {
    if (signalNumberOf(signal) === undefined) throw apiError('BadRequest', `There is no signal "${signal}"`)
    const run = await this.#live(instance)
    const name = plainSignalName(signal)
    this.#options.onSignal(instance.metadata.uid, attemptOf(run.id), name)
    if ((await this.#options.runtime.signal(run.id, name, 'Main')) === 0) throw notRunning(instance)
  }

  /** Runs a command as the program's user in its environment, whether the program runs or not. */
  async #exec(
    instance: Instance,
    command: readonly [string, ...string[]],
    timeout: Millis,
    onOutput: (chunk: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<ActionResult> {
    const { launcher, runtime } = this.#options
    const record = await runtime.get(idOf(instance))
    const run = record?.run
    const attempt = run === undefined ? 0 : attemptOf(run.id)
    if (run?.state === 'running' && run.paused) {
      // Whatever runs on its behalf would be frozen too, until its timeout.
      throw apiError('Conflict', `Instance ${instance.metadata.name} is paused: \`pmk unpause\` lets it go on`)
    }
    try {
      const launch =
        run?.state === 'running'
          ? await launcher.surroundings(instance, attempt, signal)
          : await launcher.freshSurroundings(instance, attempt, signal)
      return { exitCode: exitCodeOf(await runtime.exec({ ...launch, command, instance: idOf(instance), timeout, onOutput }, signal)) }
    } catch (err) {
      if (!(err instanceof StartError || err instanceof ConfigError)) throw err
      onOutput(Buffer.from(`${err.message}\n`))
      return { exitCode: err.reason === 'CommandNotFound' ? NOT_FOUND : NOT_EXECUTABLE }
    }
  }

  async #usageOf(instance: Instance, run: Run & { readonly state: 'running' }): Promise<InstanceUsage | undefined> {
    const usage = await this.#options.runtime.usage(run.id)
    if (usage === undefined) return undefined
    const { metadata, spec } = instance
    const at = this.#options.clock.monotonic()
    const before = this.#samples.get(metadata.uid)
    const from = before?.run === run.id ? before : { cpuSeconds: 0, at: run.startedAtMonotonic }
    this.#samples.set(metadata.uid, { run: run.id, cpuSeconds: usage.cpuSeconds, at })
    const seconds = (at - from.at) / 1000
    const { cpuSeconds, memory, processes, threads, fds } = usage
    return {
      namespace: metadata.namespace ?? '',
      name: metadata.name,
      process: spec.process,
      // Processes of the tree that have ended take their seconds with them: never less than nothing.
      cpu: seconds > 0 ? Math.max(0, (cpuSeconds - from.cpuSeconds) / seconds) : 0,
      cpuWindowSeconds: seconds,
      cpuSeconds,
      memory,
      processes,
      threads,
      ...(fds === undefined ? {} : { fds }),
    }
  }
}

function exitCodeOf(result: ExecResult): number {
  switch (result.by) {
    case 'code':
      return result.code
    case 'signal':
      return 128 + (signalNumberOf(result.signal) ?? 0)
    case 'timeout':
      return TIMED_OUT
  }
}

function notRunning({ metadata }: Instance): Error {
  return apiError('Conflict', `Instance ${metadata.name} does not run`)
}

function idOf({ metadata }: Instance): InstanceId {
  return metadata.uid as InstanceId
}
