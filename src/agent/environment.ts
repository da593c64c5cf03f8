import type { EnvVar, Instance } from '../generated/types.ts'
import type { Identity } from '../runtime/runtime.ts'
import { parseEnvFile } from './env-file.ts'
import { expand } from './expand.ts'

type Env = Readonly<Record<string, string>>

/** A launch that can't work because something it refers to is missing or damaged. Like StartError, with reasons of its own. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly reason:
    | 'SecretNotFound'
    | 'ConfigMapNotFound'
    | 'KeyNotFound'
    | 'EnvFileUnreadable'
    | 'EnvFileInvalid'
    | 'FieldNotFound'
    | 'EnvCommandFailed'

  constructor(reason: ConfigError['reason'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** Where values come from that don't stand in the spec. Values never go into errors. */
export interface EnvSources {
  /** The decoded data of a Secret or ConfigMap of the Instance's namespace; undefined when there is no such object. */
  readonly data: (kind: 'Secret' | 'ConfigMap', name: string) => Promise<Env | undefined>
  /** The text of a file as the program's user reads it; undefined when there is none. Throws ConfigError when it can't be read. */
  readonly file: (path: string) => Promise<string | undefined>
  /** Standard output of a command, run in the environment so far. Throws ConfigError when it fails. */
  readonly exec: (command: readonly [string, ...string[]], env: Env) => Promise<string>
  readonly server: Readonly<Record<string, string | undefined>>
}

/** The whole environment of a run: clean, then inherited names, then envFrom, then env. */
export async function environmentOf(instance: Instance, attempt: string, identity: Identity, sources: EnvSources): Promise<Env> {
  const { template } = instance.spec
  const env: Record<string, string> = baseEnvironment(instance, attempt, identity)
  for (const name of template.inheritEnv ?? []) {
    const value = sources.server[name]
    if (value !== undefined) env[name] = value
  }
  for (const source of template.envFrom ?? []) {
    const values = await valuesOf(source, sources)
    for (const [name, value] of Object.entries(values)) env[`${source.prefix ?? ''}${name}`] = value
  }
  for (const variable of template.env ?? []) {
    const value = await variableOf(variable, instance, env, sources)
    if (value !== undefined) env[variable.name] = value
  }
  return env
}

function baseEnvironment({ metadata, spec }: Instance, attempt: string, identity: Identity): Record<string, string> {
  return {
    PATH: spec.template.searchPath.join(':'),
    HOME: identity.home,
    USER: identity.user,
    LOGNAME: identity.user,
    SHELL: identity.shell,
    LANG: 'C.UTF-8',
    PMK_NAME: spec.process,
    PMK_INSTANCE: metadata.name,
    PMK_INDEX: String(spec.index),
    PMK_NAMESPACE: metadata.namespace ?? '',
    PMK_RUN: attempt,
  }
}

type EnvFrom = NonNullable<Instance['spec']['template']['envFrom']>[number]

async function valuesOf({ file, configMapRef, secretRef }: EnvFrom, sources: EnvSources): Promise<Env> {
  if (file !== undefined) {
    const text = await sources.file(file.path)
    if (text !== undefined) return parsed(text, file.path)
    if (file.optional) return {}
    throw new ConfigError('EnvFileUnreadable', `Environment file ${file.path} does not exist`)
  }
  const kind = secretRef === undefined ? 'ConfigMap' : 'Secret'
  const ref = secretRef ?? configMapRef
  if (ref === undefined) return {}
  const data = await sources.data(kind, ref.name)
  if (data === undefined && !ref.optional) throw missing(kind, ref.name)
  return data ?? {}
}

function parsed(text: string, path: string): Env {
  try {
    return parseEnvFile(text, path)
  } catch (err) {
    throw new ConfigError('EnvFileInvalid', `Environment file ${messageOf(err)}`, { cause: err })
  }
}

async function variableOf(
  { name, value, valueFrom }: EnvVar,
  instance: Instance,
  env: Env,
  sources: EnvSources,
): Promise<string | undefined> {
  if (valueFrom === undefined) return expand(value ?? '', env)
  const { secretKeyRef, configMapKeyRef, fieldRef, fileRef, exec } = valueFrom
  const ref = secretKeyRef ?? configMapKeyRef
  if (ref !== undefined) {
    const kind = secretKeyRef === undefined ? 'ConfigMap' : 'Secret'
    const data = await sources.data(kind, ref.name)
    if (data !== undefined && Object.hasOwn(data, ref.key)) return data[ref.key]
    if (ref.optional) return undefined
    if (data === undefined) throw missing(kind, ref.name)
    throw new ConfigError('KeyNotFound', `${kind} ${ref.name} has no key "${ref.key}", which variable ${name} needs`)
  }
  if (fieldRef !== undefined) return fieldOf(instance, fieldRef.fieldPath, name)
  if (fileRef !== undefined) {
    const text = await sources.file(fileRef.path)
    if (text !== undefined) return text.replace(/\r?\n$/, '')
    if (fileRef.optional) return undefined
    throw new ConfigError('EnvFileUnreadable', `File ${fileRef.path}, which variable ${name} needs, does not exist`)
  }
  return exec === undefined ? undefined : (await sources.exec(exec.command, env)).replace(/\r?\n$/, '')
}

function fieldOf(instance: Instance, path: string, variable: string): string {
  const { metadata, spec } = instance
  const keyed = /^metadata\.(labels|annotations)\['([^']*)'\]$/.exec(path)
  if (keyed !== null) {
    const values = keyed[1] === 'labels' ? metadata.labels : metadata.annotations
    return values?.[keyed[2] ?? ''] ?? ''
  }
  switch (path) {
    case 'metadata.name':
      return metadata.name
    case 'metadata.namespace':
      return metadata.namespace ?? ''
    case 'metadata.uid':
      return metadata.uid
    case 'spec.nodeName':
      return spec.nodeName
    case 'spec.index':
      return String(spec.index)
    default:
      throw new ConfigError('FieldNotFound', `Variable ${variable} refers to the field ${path}, which can't be used here`)
  }
}

function missing(kind: 'Secret' | 'ConfigMap', name: string): ConfigError {
  return new ConfigError(kind === 'Secret' ? 'SecretNotFound' : 'ConfigMapNotFound', `${kind} ${name} does not exist in this namespace`)
}

function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : String(err)
}
