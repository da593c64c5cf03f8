import type { ApiObject, Kind } from '../api/object.ts'
import { definitionOf, type ResourceDefinition } from '../api/scheme.ts'
import type { WatchEvent } from '../api/watch-event.ts'
import type {
  CallOptions,
  Client,
  DeleteOptions,
  List,
  ListOptions,
  Patch,
  PatchOptions,
  Ref,
  ResourceClient,
  Selection,
  WatchOptions,
  WriteOptions,
} from '../client/client.ts'
import type { KindMap } from '../generated/types.ts'
import { DEFAULT_NAMESPACE } from './namespace-strategy.ts'
import { admitAll, type Registry, type UserInfo, type WriteContext } from './registry.ts'

export interface LocalClientOptions {
  /** In whose name. Default: the server itself. */
  readonly user?: UserInfo
  /** Who owns the fields that are written, where a call doesn't say. */
  readonly fieldManager: string
}

/**
 * A Client that calls the registry of its own process. The objects it gives are frozen and shared with everybody else who
 * got them. An object of a namespaced kind without a namespace is meant to be in `default`.
 */
export function createLocalClient(registry: Registry, options: LocalClientOptions): Client {
  const { user = { name: 'system:pmk', groups: ['system:masters'] }, fieldManager } = options
  const clients = new Map<Kind, LocalResourceClient>()
  return {
    for<K extends Kind>(kind: K): ResourceClient<KindMap[K]> {
      let client = clients.get(kind)
      if (client === undefined) {
        client = new LocalResourceClient({ registry, definition: definitionOf(kind), user, fieldManager })
        clients.set(kind, client)
      }
      // The registry gives objects of the definition's kind, and the definition is that of `kind`.
      return client as object as ResourceClient<KindMap[K]>
    },
  }
}

interface Dependencies {
  readonly registry: Registry
  readonly definition: ResourceDefinition
  readonly user: UserInfo
  readonly fieldManager: string
}

class LocalResourceClient {
  readonly #registry: Registry
  readonly #definition: ResourceDefinition
  readonly #user: UserInfo
  readonly #fieldManager: string

  constructor({ registry, definition, user, fieldManager }: Dependencies) {
    this.#registry = registry
    this.#definition = definition
    this.#user = user
    this.#fieldManager = fieldManager
  }

  async get(ref: Ref, options: CallOptions = {}): Promise<ApiObject> {
    options.signal?.throwIfAborted()
    return this.#registry.get(this.#definition, this.#refOf(ref))
  }

  async list(options: ListOptions = {}): Promise<List<ApiObject>> {
    const { limit, continue: token, signal } = options
    signal?.throwIfAborted()
    return this.#registry.list(this.#definition, {
      ...selectionOf(options),
      ...(limit === undefined ? {} : { limit }),
      ...(token === undefined ? {} : { continue: token }),
    })
  }

  watch(options: WatchOptions): AsyncIterable<WatchEvent<ApiObject>> {
    const { resourceVersion, signal } = options
    const query = { ...selectionOf(options), allowWatchBookmarks: true, ...(resourceVersion === undefined ? {} : { resourceVersion }) }
    return this.#registry.watch(this.#definition, query, signal)
  }

  async create(object: object, options: WriteOptions = {}): Promise<ApiObject> {
    options.signal?.throwIfAborted()
    const { metadata } = object as { readonly metadata?: { readonly namespace?: string } }
    return this.#registry.create(this.#definition, this.#namespaceOf(metadata ?? {}), bodyOf(object), this.#contextOf(options))
  }

  async update(object: ApiObject, options: WriteOptions = {}): Promise<ApiObject> {
    options.signal?.throwIfAborted()
    return this.#registry.update(this.#definition, this.#refOf(object.metadata), bodyOf(object), this.#contextOf(options))
  }

  async updateStatus(object: ApiObject, options: WriteOptions = {}): Promise<ApiObject> {
    options.signal?.throwIfAborted()
    return this.#registry.update(this.#definition, this.#refOf(object.metadata), bodyOf(object), this.#contextOf(options), 'status')
  }

  async patch(ref: Ref, patch: Patch, options: PatchOptions = {}): Promise<ApiObject> {
    const { subresource, signal } = options
    signal?.throwIfAborted()
    const target = this.#refOf(ref)
    const context = this.#contextOf(options)
    if (subresource === 'scale') {
      await this.#registry.patchScale(this.#definition, target, patch, [], context)
      return this.#registry.get(this.#definition, target)
    }
    return (await this.#registry.patch(this.#definition, target, patch, [], context, subresource)).object
  }

  async delete(ref: Ref, options: DeleteOptions = {}): Promise<ApiObject | undefined> {
    const { signal, dryRun, ...query } = options
    signal?.throwIfAborted()
    const context = this.#contextOf(dryRun === undefined ? {} : { dryRun })
    const { removed, object } = await this.#registry.delete(this.#definition, this.#refOf(ref), query, context)
    return removed ? undefined : object
  }

  #refOf({ name, namespace }: Ref): Ref {
    const found = this.#namespaceOf(namespace === undefined ? {} : { namespace })
    return found === undefined ? { name } : { name, namespace: found }
  }

  #namespaceOf({ namespace }: { readonly namespace?: string }): string | undefined {
    return this.#definition.scope === 'Cluster' ? undefined : (namespace ?? DEFAULT_NAMESPACE)
  }

  #contextOf({ fieldManager = this.#fieldManager, dryRun = false, fieldValidation = 'Strict' }: WriteOptions): WriteContext {
    return { user: this.#user, fieldManager, dryRun, fieldValidation, warn: () => {}, admit: admitAll }
  }
}

function selectionOf({ namespace, labelSelector, fieldSelector }: Selection): Selection {
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  }
}

function bodyOf(value: unknown): { readonly value: unknown; readonly duplicates: readonly string[] } {
  return { value, duplicates: [] }
}
