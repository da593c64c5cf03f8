import type { ApiObject } from '../api/object.ts'
import { definitionOf, keptDefinitions, type ResourceDefinition } from '../api/scheme.ts'
import type { Ref } from '../client/client.ts'
import type { Store } from '../storage/store.ts'
import { isStoreError } from '../storage/store-error.ts'
import type { Codec } from './codec.ts'
import { alreadyExists, conflict, forbidden, fromStore, modified, notFound } from './errors.ts'
import { frozenCopy } from './frozen-copy.ts'
import { keyFor, prefixFor } from './keys.ts'
import type { Current, Reader } from './reader.ts'
import type { WriteContext } from './registry.ts'
import { strategyOf } from './strategies.ts'
import { Turns } from './turns.ts'

export interface WriterOptions {
  readonly store: Store
  readonly codec: Codec
  readonly reader: Reader
}

/** How often a change that fixes no version is tried when others write the same object in between. */
const ATTEMPTS = 5

/** Compare-and-set on single objects: takes finished objects to the store and gives back what lies there then. */
export class Writer {
  readonly #store: Store
  readonly #codec: Codec
  readonly #reader: Reader
  readonly #turns = new Turns()

  constructor(options: WriterOptions) {
    this.#store = options.store
    this.#codec = options.codec
    this.#reader = options.reader
  }

  async insert(definition: ResourceDefinition, object: ApiObject, context: WriteContext): Promise<ApiObject> {
    const { name, namespace } = object.metadata
    const key = keyFor(definition, namespace, name)
    await this.#requireNamespace(definition, object)
    context.admit({ definition, prev: undefined, next: object })
    const text = this.#codec.encode(definition, object)
    if (context.dryRun) {
      if ((await this.#reader.find(definition, object.metadata)) !== undefined) throw alreadyExists(definition, name)
      return frozenCopy(object)
    }
    try {
      const kv = await this.#store.put(key, text, 0)
      const stored = this.#codec.stored(definition, kv, object)
      await this.#undoWithoutNamespace(definition, stored, kv.modRevision)
      return stored
    } catch (err) {
      if (isStoreError(err, 'Conflict')) throw alreadyExists(definition, name)
      throw fromStore(err)
    }
  }

  /**
   * Stores what `step` makes of the present object, and tries again with the newer one when somebody else was faster. A
   * step that returns its argument changes nothing, and nothing is stored; one that fixes a version throws the second time.
   */
  async change(definition: ResourceDefinition, ref: Ref, context: WriteContext, step: (prev: ApiObject) => ApiObject): Promise<ApiObject> {
    return this.repeat(definition, ref, (current) => this.tryReplace(definition, current, step(current.object), context))
  }

  /** Tries until `attempt` has a result. Changes of one object take turns, so that only another server can come in between. */
  repeat<T>(definition: ResourceDefinition, ref: Ref, attempt: (current: Current) => Promise<T | undefined>): Promise<T> {
    return this.repeatAlways(definition, ref, (current) => {
      if (current === undefined) throw notFound(definition, ref.name)
      return attempt(current)
    })
  }

  /** Like repeat, also for an object that isn't there. */
  repeatAlways<T>(definition: ResourceDefinition, ref: Ref, attempt: (current: Current | undefined) => Promise<T | undefined>): Promise<T> {
    return this.#turns.take(keyFor(definition, ref.namespace, ref.name), async () => {
      for (let tried = 0; tried < ATTEMPTS; tried++) {
        const result = await attempt(await this.#reader.find(definition, ref))
        if (result !== undefined) return result
      }
      throw modified(definition, ref.name)
    })
  }

  /** Stores another state of an object, or removes it when that was its last duty. Undefined when `current` isn't current any more. */
  async tryReplace(
    definition: ResourceDefinition,
    current: Current,
    next: ApiObject,
    context: WriteContext,
  ): Promise<ApiObject | undefined> {
    if (next === current.object) return next
    context.admit({ definition, prev: current.object, next })
    if (isFinished(definition, next)) return this.tryRemove(definition, current, next, context)
    const text = this.#codec.encode(definition, next)
    if (context.dryRun) return frozenCopy(next)
    try {
      const kv = await this.#store.put(current.kv.key, text, current.kv.modRevision)
      return this.#codec.stored(definition, kv, next)
    } catch (err) {
      if (isStoreError(err, 'Conflict')) return undefined
      throw fromStore(err)
    }
  }

  /** Removes an object whose last state is `last`. Undefined when `current` isn't current any more. */
  async tryRemove(
    definition: ResourceDefinition,
    current: Current,
    last: ApiObject,
    context: WriteContext,
  ): Promise<ApiObject | undefined> {
    if (definition.kind === 'Namespace') await this.#requireEmpty(definition, last.metadata.name)
    context.admit({ definition, prev: current.object, next: undefined })
    if (context.dryRun) return frozenCopy(last)
    try {
      const revision = await this.#store.delete(current.kv.key, current.kv.modRevision)
      this.#codec.forget(current.kv.key)
      return frozenCopy({ ...last, metadata: { ...last.metadata, resourceVersion: String(revision) } })
    } catch (err) {
      if (isStoreError(err, 'Conflict')) return undefined
      throw fromStore(err)
    }
  }

  /** An object needs a namespace that is there and isn't going. */
  async #requireNamespace(definition: ResourceDefinition, { metadata }: ApiObject): Promise<void> {
    if (definition.scope === 'Cluster' || metadata.namespace === undefined) return
    const { object } = await this.#reader.get(NAMESPACES, { name: metadata.namespace })
    if (object.metadata.deletionTimestamp === undefined) return
    const why = `unable to create new content in namespace ${metadata.namespace} because it is being terminated`
    const message = `namespace ${metadata.namespace} is being terminated`
    throw forbidden(definition, metadata.name, why, [{ field: 'metadata.namespace', reason: 'NamespaceTerminating', message }])
  }

  /** The namespace was there before the write. When it went meanwhile, nobody would ever delete what was put into it. */
  async #undoWithoutNamespace(definition: ResourceDefinition, { metadata }: ApiObject, revision: number): Promise<void> {
    if (definition.scope === 'Cluster' || metadata.namespace === undefined) return
    if ((await this.#reader.find(NAMESPACES, { name: metadata.namespace })) !== undefined) return
    const key = keyFor(definition, metadata.namespace, metadata.name)
    await this.#store.delete(key, revision)
    this.#codec.forget(key)
    throw notFound(NAMESPACES, metadata.namespace)
  }

  async #requireEmpty(definition: ResourceDefinition, namespace: string): Promise<void> {
    for (const kind of keptDefinitions) {
      if (kind.scope === 'Cluster') continue
      const page = await this.#store.range(prefixFor(kind, namespace), { limit: 1 })
      if (page.items.length > 0) throw conflict(definition, namespace, `there still are ${kind.plural} in it`)
    }
  }
}

const NAMESPACES = definitionOf('Namespace')

/** Whether an object that is being deleted has no duty left. */
export function isFinished(definition: ResourceDefinition, object: ApiObject): boolean {
  return object.metadata.deletionTimestamp !== undefined && dutiesOf(definition, object).length === 0
}

/** All that keeps a deleted object. */
export function dutiesOf(definition: ResourceDefinition, object: ApiObject): readonly string[] {
  return [...(object.metadata.finalizers ?? []), ...(strategyOf(definition).finalizers?.(object) ?? [])]
}
