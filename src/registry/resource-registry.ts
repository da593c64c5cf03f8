import type { ApiObject } from '../api/object.ts'
import { definitionOf, type ResourceDefinition } from '../api/scheme.ts'
import { apiError, hasReason } from '../api/status.ts'
import type { WatchEvent } from '../api/watch-event.ts'
import type { Clock } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import { type Logger, silentLogger } from '../base/log.ts'
import type { Patch, Ref } from '../client/client.ts'
import type { Store } from '../storage/store.ts'
import { admitCreate, admitStatus, admitUpdate, requireVersion, type Sent } from './admission.ts'
import { type Applied, admitApply } from './apply-admission.ts'
import { Codec } from './codec.ts'
import { deletionOf } from './deletion.ts'
import { alreadyExists, notFound } from './errors.ts'
import { FixedKinds } from './fixed-objects.ts'
import { DEFAULT_NAMESPACE } from './namespace-strategy.ts'
import { trackChange, trackCreate } from './ownership.ts'
import { type OrdinaryPatch, patched } from './patched.ts'
import { Reader } from './reader.ts'
import {
  admitAll,
  type Body,
  type DeleteQuery,
  type DeleteResult,
  type ListQuery,
  type ListResult,
  type Registry,
  type Scale,
  type UserInfo,
  type WatchQuery,
  type WriteContext,
} from './registry.ts'
import { admitScale, configurationOfScale, scaleOf } from './scale.ts'
import { selectionOf } from './selection.ts'
import { watch } from './watch.ts'
import { Writer } from './writer.ts'

export interface RegistryOptions {
  readonly store: Store
  readonly clock: Clock
  readonly log?: Logger
}

/** The registry over a store, with the namespace that is always there. */
export async function createRegistry(options: RegistryOptions): Promise<Registry> {
  const registry = new ResourceRegistry(options)
  await registry.ensureDefaultNamespace()
  return registry
}

class ResourceRegistry implements Registry {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Logger
  readonly #codec = new Codec()
  readonly #reader: Reader
  readonly #writer: Writer
  readonly #fixed: FixedKinds

  constructor({ store, clock, log = silentLogger }: RegistryOptions) {
    this.#store = store
    this.#clock = clock
    this.#log = log
    this.#reader = new Reader({ store, clock, codec: this.#codec })
    this.#writer = new Writer({ store, codec: this.#codec, reader: this.#reader })
    // The first thing that is ever stored is the namespace which is always there, and it is there from then on.
    const first = { name: DEFAULT_NAMESPACE }
    const createdAt = async () => (await this.#reader.get(definitionOf('Namespace'), first)).object.metadata.creationTimestamp
    this.#fixed = new FixedKinds({ createdAt, since: Math.max(store.revision(), 1) })
  }

  resourceVersion(): string {
    return String(this.#store.revision())
  }

  async get(definition: ResourceDefinition, ref: Ref): Promise<ApiObject> {
    const fixed = await this.#fixed.of(definition)
    if (fixed === undefined) return (await this.#reader.get(definition, ref)).object
    const found = fixed.objects.find(({ metadata }) => metadata.name === ref.name)
    if (found === undefined) throw notFound(definition, ref.name)
    return found
  }

  async list(definition: ResourceDefinition, query: ListQuery): Promise<ListResult> {
    const stored = await this.#reader.list(definition, query)
    const fixed = await this.#fixed.of(definition)
    if (fixed === undefined) return stored
    const matches = selectionOf(definition, query)
    return { ...stored, items: matches === undefined ? fixed.objects : fixed.objects.filter(matches) }
  }

  watch(definition: ResourceDefinition, query: WatchQuery, signal: AbortSignal): AsyncIterable<WatchEvent<ApiObject>> {
    const fixed = (): ReturnType<FixedKinds['of']> => this.#fixed.of(definition)
    return watch({ store: this.#store, codec: this.#codec, clock: this.#clock, fixed }, definition, query, signal)
  }

  async create(definition: ResourceDefinition, namespace: string | undefined, body: Body, context: WriteContext): Promise<ApiObject> {
    const sent: Sent = { ...body, source: 'body' }
    for (let attempt = 1; ; attempt++) {
      const object = admitCreate(definition, namespace, sent, context, this.#clock)
      try {
        return await this.#writer.insert(definition, trackCreate(definition, object, context, this.#clock), context)
      } catch (err) {
        // Only a name that was made up here may be made up again.
        if (!isGenerated(body) || !hasReason(err, 'AlreadyExists')) throw err
        if (attempt === NAME_ATTEMPTS) throw alreadyExists(definition, object.metadata.name, 1)
      }
    }
  }

  async update(definition: ResourceDefinition, ref: Ref, body: Body, context: WriteContext, subresource?: 'status'): Promise<ApiObject> {
    const sent: Sent = { ...body, source: 'body' }
    const admit = subresource === 'status' ? admitStatus : admitUpdate
    return this.#writer.change(definition, ref, context, (prev) => {
      const next = admit(definition, prev, sent, context)
      requireVersion(definition, ref.name, isJsonObject(body.value) ? body.value.metadata : undefined)
      return trackChange(definition, prev, next, context, this.#clock, subresource)
    })
  }

  async patch(
    definition: ResourceDefinition,
    ref: Ref,
    patch: Patch,
    duplicates: readonly string[],
    context: WriteContext,
    subresource?: 'status',
  ): Promise<{ readonly object: ApiObject; readonly created: boolean }> {
    if (patch.type === 'apply') {
      return this.#apply({ definition, ref, value: patch.value, force: patch.force === true, duplicates, subresource }, context)
    }
    const admit = subresource === 'status' ? admitStatus : admitUpdate
    const object = await this.#writer.change(definition, ref, context, (prev) => {
      const sent: Sent = { value: patched(definition, prev, patch), duplicates, source: 'patch' }
      return trackChange(definition, prev, admit(definition, prev, sent, context), context, this.#clock, subresource)
    })
    return { object, created: false }
  }

  async delete(definition: ResourceDefinition, ref: Ref, query: DeleteQuery, context: WriteContext): Promise<DeleteResult> {
    return this.#writer.repeat(definition, ref, async (current) => {
      const { removed, object } = deletionOf(definition, current.object, query, this.#clock)
      const stored = removed
        ? await this.#writer.tryRemove(definition, current, object, context)
        : await this.#writer.tryReplace(definition, current, object, context)
      return stored === undefined ? undefined : { removed, object: stored }
    })
  }

  async deleteCollection(
    definition: ResourceDefinition,
    query: ListQuery,
    options: DeleteQuery,
    context: WriteContext,
  ): Promise<ListResult> {
    const list = await this.#reader.list(definition, query)
    for (const { metadata } of list.items) {
      try {
        await this.delete(definition, metadata, { ...options, uid: options.uid ?? metadata.uid }, context)
      } catch (err) {
        // Gone by itself, or another one of the name by now: what was listed is not there, which is what was asked for.
        const left = await this.#reader.find(definition, metadata)
        if (left?.object.metadata.uid === metadata.uid) throw err
      }
    }
    return list
  }

  async getScale(definition: ResourceDefinition, ref: Ref): Promise<Scale> {
    return scaleOf(definition, (await this.#reader.get(definition, ref)).object)
  }

  async updateScale(definition: ResourceDefinition, ref: Ref, body: Body, context: WriteContext): Promise<Scale> {
    return this.#changeScale(definition, ref, context, () => ({ ...body, source: 'body' }))
  }

  async patchScale(
    definition: ResourceDefinition,
    ref: Ref,
    patch: Patch,
    duplicates: readonly string[],
    context: WriteContext,
  ): Promise<Scale> {
    if (patch.type === 'strategic') throw apiError('UnsupportedMediaType', 'a Scale takes no strategic merge patch')
    if (patch.type === 'apply') {
      const value = configurationOfScale(definition, { value: patch.value, duplicates, source: 'body' }, ref.name, context)
      const applied = { definition, ref, value, force: patch.force === true, duplicates: [], subresource: 'scale' } as const
      return scaleOf(definition, (await this.#apply(applied, context)).object)
    }
    const ordinary: OrdinaryPatch = patch
    return this.#changeScale(definition, ref, context, (scale) => ({
      value: patched(definition, scale, ordinary),
      duplicates,
      source: 'patch',
    }))
  }

  async ensureDefaultNamespace(): Promise<void> {
    const definition = definitionOf('Namespace')
    const { apiVersion, kind } = definition
    const value = { apiVersion, kind, metadata: { name: DEFAULT_NAMESPACE } }
    if ((await this.#reader.find(definition, value.metadata)) !== undefined) return
    const context: WriteContext = {
      user: SERVER,
      fieldManager: 'pmk-server',
      dryRun: false,
      fieldValidation: 'Strict',
      warn: () => {},
      admit: admitAll,
    }
    try {
      await this.create(definition, undefined, { value, duplicates: [] }, context)
      this.#log.info({ namespace: DEFAULT_NAMESPACE }, 'Created the default namespace')
    } catch (err) {
      // Another server of the same store was faster.
      if (!hasReason(err, 'AlreadyExists')) throw err
    }
  }

  async #apply(applied: Applied, context: WriteContext): Promise<{ readonly object: ApiObject; readonly created: boolean }> {
    const { definition, ref, subresource } = applied
    return this.#writer.repeatAlways(definition, ref, async (current) => {
      // A subresource is part of something that is there.
      if (current === undefined && subresource !== undefined) throw notFound(definition, ref.name)
      const next = admitApply(applied, current?.object, context, this.#clock)
      if (current !== undefined) {
        const stored = await this.#writer.tryReplace(definition, current, next, context)
        return stored === undefined ? undefined : { object: stored, created: false }
      }
      try {
        return { object: await this.#writer.insert(definition, next, context), created: true }
      } catch (err) {
        // Somebody else made it just now, so it is there to be changed.
        if (!hasReason(err, 'AlreadyExists')) throw err
        return undefined
      }
    })
  }

  async #changeScale(definition: ResourceDefinition, ref: Ref, context: WriteContext, change: (scale: Scale) => Sent): Promise<Scale> {
    const object = await this.#writer.change(definition, ref, context, (prev) => {
      const next = admitScale(definition, prev, change(scaleOf(definition, prev)), context)
      return trackChange(definition, prev, next, context, this.#clock, 'scale')
    })
    return scaleOf(definition, object)
  }
}

function isGenerated({ value }: Body): boolean {
  return isJsonObject(value) && isJsonObject(value.metadata) && !value.metadata.name
}

const SERVER: UserInfo = { name: 'system:pmk', groups: ['system:masters'] }
/** With 27^5 ends to a name, a second collision already means that something is wrong. */
const NAME_ATTEMPTS = 8
