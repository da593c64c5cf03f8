import { stat } from 'node:fs/promises'
import { hasReason } from '../api/status.ts'
import type { Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Client } from '../client/client.ts'
import type { Instance } from '../generated/types.ts'
import { type Identity, type InstanceId, type LaunchConfig, type ProcessRuntime, type RunConfig, runId } from '../runtime/runtime.ts'
import { ConfigError, type EnvSources, environmentOf } from './environment.ts'
import { type Data, readData, referencesOf } from './launch-data.ts'
import { commandOf, limitsOf, logConfigOf, surroundingsOf } from './launch-template.ts'

/** How long a command may take whose output becomes a variable. */
const ENV_COMMAND_TIMEOUT: Millis = 10_000

/** What was read for the last start and holds for a restart: it needs neither API nor user database. */
interface Known {
  readonly revision: string
  readonly identity: Identity
  readonly data: ReadonlyMap<string, Data | undefined>
}

/** Of the newest attempt: a probe each second must not read files and run commands each second. */
interface Surroundings {
  readonly attempt: number
  readonly launch: LaunchConfig
}

export interface LaunchOptions {
  readonly client: Pick<Client, 'for'>
  readonly runtime: Pick<ProcessRuntime, 'resolveIdentity' | 'resolveCommand' | 'readFileAs' | 'exec'>
  readonly server: Readonly<Record<string, string | undefined>>
  readonly log: Logger
}

/**
 * Turns a template into what a runtime can start. Users, Secrets and ConfigMaps are read when a start is asked for and kept for
 * the restarts after deaths; files and commands are read at each start.
 */
export class Launcher {
  readonly #options: LaunchOptions
  readonly #known = new Map<string, Known>()
  readonly #surroundings = new Map<string, Surroundings>()

  constructor(options: LaunchOptions) {
    this.#options = options
  }

  /** StartError or ConfigError when it can't be launched; any other error means: try again. `fresh`: read everything anew. */
  async runConfig(
    instance: Instance,
    attempt: number,
    options: { readonly fresh: boolean; readonly signal: AbortSignal },
  ): Promise<RunConfig> {
    const { metadata, spec } = instance
    const { template } = spec
    const id = runId(metadata.uid as InstanceId, attempt)
    const launch = await this.#launchConfig(instance, attempt, options)
    const [program, ...rest] = commandOf(template, launch.env)
    return {
      ...launch,
      command: [program, ...rest],
      id,
      instance: metadata.uid as InstanceId,
      namespace: metadata.namespace ?? 'default',
      name: metadata.name,
      logs: logConfigOf(template),
      limits: limitsOf(template),
      ...(template.stdin?.file === undefined ? {} : { stdinFile: template.stdin.file }),
      ...(template.forking === undefined ? {} : { forking: { pidFile: template.forking.pidFile } }),
    }
  }

  /**
   * What the program of this attempt was started in, for its probes, hooks and actions; read now when that was before this
   * agent's time. The command is for the caller to set.
   */
  async surroundings(instance: Instance, attempt: number, signal: AbortSignal): Promise<LaunchConfig> {
    const known = this.#surroundings.get(instance.metadata.uid)
    if (known?.attempt === attempt) return known.launch
    return this.#launchConfig(instance, attempt, { fresh: false, signal })
  }

  /** The surroundings that a program started now would have. */
  async freshSurroundings(instance: Instance, attempt: number, signal: AbortSignal): Promise<LaunchConfig> {
    return this.#launchConfig(instance, attempt, { fresh: true, signal })
  }

  async #launchConfig(
    instance: Instance,
    attempt: number,
    options: { readonly fresh: boolean; readonly signal: AbortSignal },
  ): Promise<LaunchConfig> {
    const { template } = instance.spec
    const { uid } = instance.metadata
    const { known, isNew } = await this.#values(instance, options)
    const surroundings = surroundingsOf(template, known.identity)
    const sources = this.#sources(instance, surroundings, known, options.signal)
    const env = await environmentOf(instance, runId(uid as InstanceId, attempt), known.identity, sources)
    if (isNew) this.#known.set(uid, known)
    const launch: LaunchConfig = { ...surroundings, command: ['/bin/true'], env }
    this.#surroundings.set(uid, { attempt, launch })
    return launch
  }

  forget(uid: string): void {
    this.#known.delete(uid)
    this.#surroundings.delete(uid)
  }

  async #values(
    instance: Instance,
    options: { readonly fresh: boolean; readonly signal: AbortSignal },
  ): Promise<{ readonly known: Known; readonly isNew: boolean }> {
    const { uid } = instance.metadata
    const before = this.#known.get(uid)
    const usable = before?.revision === instance.spec.revision ? before : undefined
    if (usable !== undefined && !options.fresh) return { known: usable, isNew: false }
    try {
      return { known: await this.#read(instance, options.signal), isNew: true }
    } catch (err) {
      // An API that can't be reached must not keep a program down whose values are known.
      if (usable === undefined || err instanceof ConfigError || !isOutage(err)) throw err
      this.#options.log.warn({ instance: instance.metadata.name, err }, 'Launching with values read earlier')
      return { known: usable, isNew: false }
    }
  }

  async #read(instance: Instance, signal: AbortSignal): Promise<Known> {
    const { template } = instance.spec
    const { runAsUser, runAsGroup, supplementalGroups } = template.securityContext ?? {}
    const identity = await this.#options.runtime.resolveIdentity({
      ...(runAsUser === undefined ? {} : { user: runAsUser }),
      ...(runAsGroup === undefined ? {} : { group: runAsGroup }),
      ...(supplementalGroups === undefined ? {} : { supplementalGroups }),
    })
    const data = new Map<string, Data | undefined>()
    for (const [kind, name] of referencesOf(template)) {
      const key = `${kind}/${name}`
      if (!data.has(key)) data.set(key, await readData(this.#options.client, kind, name, instance.metadata.namespace, signal))
    }
    return { revision: instance.spec.revision, identity, data }
  }

  #sources(instance: Instance, surroundings: Omit<LaunchConfig, 'command' | 'env'>, known: Known, signal: AbortSignal): EnvSources {
    const { runtime, server } = this.#options
    return {
      server,
      data: async (kind, name) => known.data.get(`${kind}/${name}`),
      file: async (path) => {
        try {
          return await runtime.readFileAs(path, surroundings.identity)
        } catch (err) {
          if (hasCode(err, 'ENOENT') || (await isMissing(path))) return undefined
          throw new ConfigError('EnvFileUnreadable', `Environment file ${path}: ${messageOf(err)}`, { cause: err })
        }
      },
      exec: async (command, env) => {
        const config = {
          ...surroundings,
          command,
          env,
          instance: instance.metadata.uid as InstanceId,
          timeout: ENV_COMMAND_TIMEOUT,
          maxOutput: 128 * 1024,
        }
        const result = await runtime.exec(config, signal)
        if (result.by === 'code' && result.code === 0) return result.output
        const how =
          result.by === 'timeout'
            ? 'took too long'
            : result.by === 'code'
              ? `exited with code ${result.code}`
              : `was ended by ${result.signal}`
        throw new ConfigError('EnvCommandFailed', `Command ${command[0]}, whose output is the value of a variable, ${how}`)
      },
    }
  }
}

function isOutage(err: unknown): boolean {
  return (
    hasReason(err, 'ServiceUnavailable') ||
    hasReason(err, 'Timeout') ||
    hasReason(err, 'TooManyRequests') ||
    hasReason(err, 'InternalError')
  )
}

function hasCode(err: unknown, code: string): boolean {
  return err instanceof Error && 'code' in err && err.code === code
}

/** Reading as another user tells no reason that a program could understand; whether there is a file can be seen. */
async function isMissing(path: string): Promise<boolean> {
  try {
    await stat(path)
    return false
  } catch (err) {
    return hasCode(err, 'ENOENT')
  }
}

function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : String(err)
}
