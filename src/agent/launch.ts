import { stat } from 'node:fs/promises'
import { hasReason } from '../api/status.ts'
import type { Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { parseQuantity } from '../base/quantity.ts'
import type { Client } from '../client/client.ts'
import type { Instance, ProcessTemplate, RlimitValue } from '../generated/types.ts'
import {
  type Identity,
  type InstanceId,
  type LaunchConfig,
  type LogConfig,
  type ProcessRuntime,
  type Rlimit,
  type RunConfig,
  runId,
} from '../runtime/runtime.ts'
import { ConfigError, type EnvSources, environmentOf } from './environment.ts'
import { expand } from './expand.ts'

/** How long a command may take whose output becomes a variable. */
const ENV_COMMAND_TIMEOUT: Millis = 10_000

type Data = Readonly<Record<string, string>>

/** What was read for the last start and holds for a restart: it needs neither API nor user database. */
interface Known {
  readonly revision: string
  readonly identity: Identity
  readonly data: ReadonlyMap<string, Data | undefined>
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
    const launch = await this.launchConfig(instance, attempt, options)
    const [program, ...rest] = commandOf(template, launch.env)
    return {
      ...launch,
      command: [program, ...rest],
      id,
      instance: metadata.uid as InstanceId,
      namespace: metadata.namespace ?? 'default',
      name: metadata.name,
      logs: logConfigOf(template),
      ...(template.stdin?.file === undefined ? {} : { stdinFile: template.stdin.file }),
      ...(template.forking === undefined ? {} : { forking: { pidFile: template.forking.pidFile } }),
    }
  }

  /** The surroundings of the program: what its probes, hooks and actions run in too. The command is for the caller to set. */
  async launchConfig(
    instance: Instance,
    attempt: number,
    options: { readonly fresh: boolean; readonly signal: AbortSignal },
  ): Promise<LaunchConfig> {
    const { template } = instance.spec
    const { known, isNew } = await this.#values(instance, options)
    const surroundings = surroundingsOf(template, known.identity)
    const sources = this.#sources(instance, surroundings, known, options.signal)
    const env = await environmentOf(instance, runId(instance.metadata.uid as InstanceId, attempt), known.identity, sources)
    if (isNew) this.#known.set(instance.metadata.uid, known)
    return { ...surroundings, command: ['/bin/true'], env }
  }

  forget(uid: string): void {
    this.#known.delete(uid)
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
      if (!data.has(key)) data.set(key, await this.#dataOf(kind, name, instance.metadata.namespace, signal))
    }
    return { revision: instance.spec.revision, identity, data }
  }

  async #dataOf(kind: 'Secret' | 'ConfigMap', name: string, namespace: string | undefined, signal: AbortSignal): Promise<Data | undefined> {
    const ref = { name, ...(namespace === undefined ? {} : { namespace }) }
    try {
      if (kind === 'ConfigMap') {
        const { data = {}, binaryData = {} } = await this.#options.client.for('ConfigMap').get(ref, { signal })
        return { ...decoded(binaryData), ...data }
      }
      return decoded((await this.#options.client.for('Secret').get(ref, { signal })).data ?? {})
    } catch (err) {
      if (hasReason(err, 'NotFound')) return undefined
      throw err
    }
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

export function logConfigOf({ logs }: ProcessTemplate): LogConfig {
  return {
    maxSize: parseQuantity(logs.maxSize) ?? 50 * 1024 * 1024,
    maxFiles: logs.maxFiles,
    compress: logs.compress,
    mergeStderr: logs.mergeStderr,
  }
}

/** argv, with variables replaced in command and args as in a Pod. A script is taken as it is: its `$` are the shell's. */
function commandOf({ command, args = [], script, interpreter }: ProcessTemplate, env: Data): readonly [string, ...string[]] {
  const expanded = args.map((word) => expand(word, env))
  if (script !== undefined && script !== '') return [...interpreter, script, ...expanded]
  const [program, ...rest] = command ?? ['']
  return [expand(program ?? '', env), ...rest.map((word) => expand(word, env)), ...expanded]
}

function surroundingsOf(template: ProcessTemplate, identity: Identity): Omit<LaunchConfig, 'command' | 'env'> {
  const { securityContext, rlimits, nice, ioPriority, oomScoreAdj, cpuAffinity, searchPath, workingDir } = template
  const { runAsUser, runAsGroup, supplementalGroups, umask, noNewPrivileges, capabilities } = securityContext ?? {}
  const ownUser = runAsUser === undefined && runAsGroup === undefined && supplementalGroups === undefined
  return {
    searchPath,
    workingDir,
    umask: umask ?? '0022',
    ...(ownUser ? {} : { identity }),
    ...(noNewPrivileges === true ? { noNewPrivileges } : {}),
    ...(capabilities === undefined ? {} : { capabilities: { add: capabilities.add ?? [], drop: capabilities.drop ?? [] } }),
    ...(rlimits === undefined
      ? {}
      : { rlimits: Object.fromEntries(Object.entries(rlimits).map(([name, value]) => [name, rlimitOf(value)])) }),
    ...(nice === undefined ? {} : { nice }),
    ...(ioPriority === undefined ? {} : { ioPriority }),
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
    ...(cpuAffinity === undefined ? {} : { cpuAffinity }),
  }
}

function rlimitOf(value: RlimitValue): Rlimit {
  if (typeof value !== 'object') return { soft: value, hard: value }
  return { soft: value.soft ?? value.hard ?? 'unlimited', hard: value.hard ?? value.soft ?? 'unlimited' }
}

function referencesOf({ env = [], envFrom = [] }: ProcessTemplate): readonly (readonly ['Secret' | 'ConfigMap', string])[] {
  const references: ['Secret' | 'ConfigMap', string][] = []
  for (const { secretRef, configMapRef } of envFrom) {
    if (secretRef !== undefined) references.push(['Secret', secretRef.name])
    if (configMapRef !== undefined) references.push(['ConfigMap', configMapRef.name])
  }
  for (const { valueFrom } of env) {
    if (valueFrom?.secretKeyRef !== undefined) references.push(['Secret', valueFrom.secretKeyRef.name])
    if (valueFrom?.configMapKeyRef !== undefined) references.push(['ConfigMap', valueFrom.configMapKeyRef.name])
  }
  return references
}

function decoded(data: Data): Data {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
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
