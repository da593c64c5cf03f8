import assert from 'node:assert/strict'
import type { New } from '../../src/api/object.ts'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { Client } from '../../src/client/client.ts'
import type { ManifestSource } from '../../src/generated/types.ts'
import { DirectoryOrigin } from '../../src/gitops/directory-origin.ts'
import type { ManifestOrigin } from '../../src/gitops/snapshot.ts'
import { createGitOps } from '../../src/gitops/source-controller.ts'
import { SharedInformers } from '../../src/informer/shared-informers.ts'
import { createLocalClient } from '../../src/registry/local-client.ts'
import { createRegistry } from '../../src/registry/resource-registry.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'

/** A registry over a MemoryStore, and what keeps ManifestSources of directories applied, on real directories and the real clock. */
export class GitOpsWorld {
  readonly client: Client
  readonly #gitOpsClient: Client
  readonly #clock: Clock
  readonly #store: MemoryStore
  readonly #originOf: (path: string) => ManifestOrigin
  #stop = new AbortController()
  #running: Promise<unknown>

  static async start(originOf: (path: string) => ManifestOrigin): Promise<GitOpsWorld> {
    const store = new MemoryStore({ clock: systemClock })
    const registry = await createRegistry({ store, clock: systemClock })
    return new GitOpsWorld(store, (fieldManager) => createLocalClient(registry, { fieldManager }), originOf)
  }

  private constructor(store: MemoryStore, clientOf: (manager: string) => Client, originOf: (path: string) => ManifestOrigin) {
    this.#clock = systemClock
    this.#store = store
    this.client = clientOf('tester')
    this.#gitOpsClient = clientOf('pmk-gitops')
    this.#originOf = originOf
    this.#running = this.#run()
  }

  /** It ends as after a crash, and begins anew with nothing but what is stored. */
  async restart(): Promise<void> {
    this.#stop.abort()
    await this.#running
    this.#stop = new AbortController()
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
    await this.#store.close()
  }

  async addSource(name: string, spec: Partial<ManifestSource['spec']> & { readonly path: string }): Promise<void> {
    const source = { apiVersion: 'pmk.dev/v1', kind: 'ManifestSource', metadata: { name, namespace: 'default' }, spec }
    await this.client.for('ManifestSource').create(source as New<ManifestSource>)
  }

  source(name: string): Promise<ManifestSource> {
    return this.client.for('ManifestSource').get({ name, namespace: 'default' })
  }

  /** The value of `v` of each ConfigMap of a source, by name. */
  async configMaps(source: string): Promise<Readonly<Record<string, string>>> {
    const { items } = await this.client.for('ConfigMap').list({ namespace: 'default', labelSelector: `pmk.dev/source=${source}` })
    return Object.fromEntries(items.map(({ metadata, data }) => [metadata.name, data?.v ?? '']))
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    const options = { client: this.#gitOpsClient, clock: this.#clock, log: silentLogger }
    const informers = new SharedInformers(options)
    const gitOps = createGitOps({ ...options, informers, originOf: ({ spec }) => this.#originOf(spec.path ?? '') })
    const results = await Promise.allSettled([gitOps.run(signal), informers.run(signal)])
    const failures = results.filter((result) => result.status === 'rejected' && result.reason !== signal.reason)
    assert.deepEqual(failures, [])
  }
}

/** Looked at only, if not `fileEvents`. */
export function directory(path: string, fileEvents = true): DirectoryOrigin {
  const kustomize = async (): Promise<{ readonly problem: string }> => ({ problem: 'nothing builds here' })
  return new DirectoryOrigin({ path, clock: systemClock, kustomize, fileEvents })
}
