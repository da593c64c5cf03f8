import assert from 'node:assert/strict'
import { type ApiObject, type New, objectKey } from '../../src/api/object.ts'
import { hasReason } from '../../src/api/status.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { Client, ResourceClient } from '../../src/client/client.ts'
import type { ConfigMap, Event, KindMap, ManifestSource, ManifestSourceSpec } from '../../src/generated/types.ts'
import type { FetchFailure, ManifestOrigin, SourceFile } from '../../src/gitops/snapshot.ts'
import { createGitOps } from '../../src/gitops/source-controller.ts'
import { ControlPlaneEnv, type EnvOptions } from './control-plane-env.ts'
import { settle } from './fake-clock.ts'

/** Files that a test writes, in place of a directory or repository. */
export class FakeOrigin implements ManifestOrigin {
  fetches = 0
  discarded = 0
  /** Fetches wait for it. */
  gate: Promise<void> = Promise.resolve()
  #files: Readonly<Record<string, string>> = {}
  #failure: { readonly reason: FetchFailure; readonly message: string } | undefined
  #version = 0
  readonly #listeners = new Set<() => void>()

  /** Other files from now on; tells of it as file events do, unless `silently`. */
  set(files: Readonly<Record<string, string>>, { silently = false }: { readonly silently?: boolean } = {}): void {
    this.#files = files
    this.#failure = undefined
    this.#version += 1
    if (!silently) this.hint()
  }

  fail(reason: FetchFailure, message: string = reason): void {
    this.#failure = { reason, message }
    this.hint()
  }

  hint(): void {
    for (const listener of this.#listeners) listener()
  }

  get revision(): string {
    return `sha256:${String(this.#version).padStart(64, '0')}`
  }

  async fetch(signal: AbortSignal): ReturnType<ManifestOrigin['fetch']> {
    this.fetches += 1
    await Promise.race([
      this.gate,
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true })),
    ])
    if (this.#failure !== undefined) return { type: 'failed', ...this.#failure }
    const files: SourceFile[] = Object.entries(this.#files).map(([path, text]) => ({ path, text }))
    return { type: 'snapshot', snapshot: { revision: this.revision, files, problems: [], notes: [] } }
  }

  watch(onChange: () => void, signal: AbortSignal): ReturnType<ManifestOrigin['watch']> {
    this.#listeners.add(onChange)
    signal.addEventListener('abort', () => this.#listeners.delete(onChange), { once: true })
    return { degraded: () => undefined }
  }

  async discard(): Promise<void> {
    this.discarded += 1
  }
}

export interface WorldOptions extends EnvOptions {
  /** What the source controller sees of the API: a decorator that makes it fail. */
  readonly wrapSource?: (client: Client) => Client
}

/** The control plane with sources whose files are fakes. `client` of `env` is that of people. */
export class SourceWorld {
  readonly env: ControlPlaneEnv
  readonly #origins: Map<string, FakeOrigin>

  static async start(options: WorldOptions = {}): Promise<SourceWorld> {
    const origins = new Map<string, FakeOrigin>()
    const { wrapSource = (client) => client, ...rest } = options
    const env = await ControlPlaneEnv.start({
      ...rest,
      beside: ({ clock, clientOf, informers }) => [
        createGitOps({
          client: wrapSource(clientOf('pmk-gitops')),
          clock,
          log: options.log ?? silentLogger,
          informers,
          originOf: ({ metadata }) => originIn(origins, metadata.namespace ?? 'default', metadata.name),
        }),
      ],
    })
    return new SourceWorld(env, origins)
  }

  private constructor(env: ControlPlaneEnv, origins: Map<string, FakeOrigin>) {
    this.env = env
    this.#origins = origins
  }

  stop(): Promise<void> {
    return this.env.stop()
  }

  /** The files of a source, which needn't be there yet. */
  origin(name: string, namespace = 'default'): FakeOrigin {
    return originIn(this.#origins, namespace, name)
  }

  async create(name: string, spec: Partial<ManifestSourceSpec> = {}, namespace = 'default'): Promise<ManifestSource> {
    const body = { apiVersion: 'pmk.dev/v1', kind: 'ManifestSource', metadata: { name, namespace }, spec: { path: '/srv', ...spec } }
    return await this.env.client.for('ManifestSource').create(body as New<ManifestSource>)
  }

  source(name: string, namespace = 'default'): Promise<ManifestSource> {
    return this.env.client.for('ManifestSource').get({ name, namespace })
  }

  change(name: string, spec: object, namespace = 'default'): Promise<ManifestSource> {
    return this.env.client.for('ManifestSource').patch({ name, namespace }, { type: 'merge', value: { spec } })
  }

  annotate(name: string, annotations: Readonly<Record<string, string>>): Promise<ManifestSource> {
    return this.env.client.for('ManifestSource').patch({ name }, { type: 'merge', value: { metadata: { annotations } } })
  }

  /** Lets all happen that needs no more than the gathering of file events and a few retries. */
  async settle(): Promise<void> {
    await this.env.clock.advance(300)
    // What is only checked leaves no trace in the store by which `quiet` could tell.
    for (let turn = 0; turn < 30; turn++) await settle()
    await this.env.quiet()
  }

  /** Undefined where nothing is. */
  async find<K extends keyof KindMap>(kind: K, name: string, namespace = 'default'): Promise<KindMap[K] | undefined> {
    try {
      return await (this.env.client.for(kind) as ResourceClient<KindMap[K]>).get({ name, namespace })
    } catch (err) {
      if (hasReason(err, 'NotFound')) return undefined
      throw err
    }
  }

  /** ConfigMaps of a namespace by name, and what they hold under `value`. */
  async values(namespace = 'default'): Promise<Readonly<Record<string, string>>> {
    const { items } = await this.env.client.for('ConfigMap').list({ namespace })
    return Object.fromEntries(items.map(({ metadata, data }) => [metadata.name, data?.value ?? '']))
  }

  async ready(name: string, namespace = 'default'): Promise<string> {
    const { status } = await this.source(name, namespace)
    return `${status?.ready ?? '-'} ${status?.reason ?? '-'}`
  }

  async events(reason?: string): Promise<readonly Event[]> {
    const { items } = await this.env.client.for('Event').list()
    return items.filter((event) => event.source?.component === 'pmk-gitops' && (reason === undefined || event.reason === reason))
  }

  /** What a person writes, in their own name. */
  async edit(manager: string, name: string, data: Readonly<Record<string, string>>): Promise<ConfigMap> {
    return await this.env.clientOf(manager).for('ConfigMap').patch({ name }, { type: 'merge', value: { data } })
  }

  conditionOf(source: ManifestSource, type: string): string {
    const condition = source.status?.conditions?.find((other) => other.type === type)
    if (condition === undefined) return '-'
    assert.equal(condition.observedGeneration, source.metadata.generation, `${type} is about generation ${condition.observedGeneration}`)
    return `${condition.status} ${condition.reason}${condition.message ? `: ${condition.message}` : ''}`
  }
}

/** A ConfigMap as a manifest. */
export function map(name: string, value = 'one', more: { readonly namespace?: string; readonly extra?: string } = {}): string {
  const namespace = more.namespace === undefined ? '' : `\n  namespace: ${more.namespace}`
  return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}${namespace}${more.extra ?? ''}\ndata:\n  value: ${value}\n`
}

/** A Process as a manifest. */
export function processManifest(name: string, more = ''): string {
  return `apiVersion: pmk.dev/v1\nkind: Process\nmetadata:\n  name: ${name}\nspec:\n  command: [sleep, 1d]\n${more}`
}

export function labelsOf(object: ApiObject | undefined): string {
  const labels = object?.metadata.labels ?? {}
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(' ')
}

function originIn(origins: Map<string, FakeOrigin>, namespace: string, name: string): FakeOrigin {
  const key = objectKey(namespace, name)
  const known = origins.get(key) ?? new FakeOrigin()
  origins.set(key, known)
  return known
}
