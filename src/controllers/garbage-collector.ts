import { type ApiObject, type Kind, type ObjectKey, objectKey } from '../api/object.ts'
import { findDefinition } from '../api/scheme.ts'
import { hasReason } from '../api/status.ts'
import { inParallel, WRITES } from '../base/in-parallel.ts'
import type { Client, ResourceClient } from '../client/client.ts'
import type { OwnerReference } from '../generated/types.ts'
import type { Lister } from '../informer/informer.ts'
import type { ReconcileContext, Reconciler, Result } from '../reconcile/reconciler.ts'
import { deleteIfThere } from './delete-if-there.ts'
import { isDeleting } from './instance-state.ts'
import { FOREGROUND_FINALIZER, ORPHAN_FINALIZER } from './well-known.ts'

/** Every kind that can own or be owned, each with the index OWNER_INDEX. */
export type Listers = ReadonlyMap<Kind, Lister<ApiObject>>

/** Objects by the uids of their owners. */
export const OWNER_INDEX = 'owner'

/**
 * Looks after the objects of one kind as dependents (gone with the last of their owners) and as owners (deleted in the
 * foreground, or alone). Owners are told apart by uid: an object of the same name made later is not the owner.
 */
export class GarbageCollector implements Reconciler {
  readonly #kind: Kind
  readonly #listers: Listers
  readonly #client: Client

  constructor(options: { readonly kind: Kind; readonly listers: Listers; readonly client: Client }) {
    this.#kind = options.kind
    this.#listers = options.listers
    this.#client = options.client
  }

  async reconcile(key: ObjectKey, context: ReconcileContext): Promise<Result> {
    const object = this.#listers.get(this.#kind)?.get(key)
    if (object === undefined) return {}
    if (isDeleting(object)) await this.#finishOwner(object, context)
    else await this.#collect(object, context)
    return {}
  }

  async #finishOwner(owner: ApiObject, { signal, log }: ReconcileContext): Promise<void> {
    const { finalizers = [], uid } = owner.metadata
    const dependents = [...this.#listers].flatMap(([kind, lister]) => lister.byIndex(OWNER_INDEX, uid).map((object) => ({ kind, object })))
    if (finalizers.includes(ORPHAN_FINALIZER)) {
      await inParallel(dependents, WRITES, ({ kind, object }) => {
        log.info({ kind, dependent: object.metadata.name }, 'Leaving a dependent without its owner')
        return this.#setOwners(kind, object, (reference) => reference.uid !== uid, signal)
      })
      await this.#removeFinalizer(owner, ORPHAN_FINALIZER, signal)
      return
    }
    if (!finalizers.includes(FOREGROUND_FINALIZER)) return
    const living = dependents.filter(({ object }) => !isDeleting(object))
    await inParallel(living, WRITES, ({ kind, object }) => this.#delete(kind, object, 'Foreground', signal))
    const blocks = ({ object }: { readonly object: ApiObject }): boolean =>
      object.metadata.ownerReferences?.some((reference) => reference.uid === uid && reference.blockOwnerDeletion === true) === true
    if (!dependents.some(blocks)) await this.#removeFinalizer(owner, FOREGROUND_FINALIZER, signal)
  }

  async #collect(object: ApiObject, { signal, log }: ReconcileContext): Promise<void> {
    const { ownerReferences = [], namespace } = object.metadata
    if (ownerReferences.length === 0) return
    const gone = new Set<string>()
    for (const reference of ownerReferences) if (await this.#isGone(reference, namespace, signal)) gone.add(reference.uid)
    if (gone.size === 0) return
    if (gone.size < new Set(ownerReferences.map(({ uid }) => uid)).size) {
      await this.#setOwners(this.#kind, object, ({ uid }) => !gone.has(uid), signal)
      return
    }
    log.info({ kind: this.#kind }, 'Deleting an object whose owners are gone')
    await this.#delete(this.#kind, object, 'Background', signal)
  }

  /** Asks the server before it believes that: the cache of the owner's kind may be behind that of the dependent's. */
  async #isGone({ apiVersion, kind, name, uid }: OwnerReference, namespace: string | undefined, signal: AbortSignal): Promise<boolean> {
    const definition = findDefinition(apiVersion, kind)
    const lister = definition === undefined ? undefined : this.#listers.get(definition.id)
    // Of an owner that isn't served here nobody can say that it is gone.
    if (definition === undefined || lister === undefined) return false
    const scope = definition.scope === 'Namespaced' ? namespace : undefined
    if (lister.get(objectKey(scope, name))?.metadata.uid === uid) return false
    try {
      const live = await this.#client.for(definition.id).get({ name, ...(scope === undefined ? {} : { namespace: scope }) }, { signal })
      return live.metadata.uid !== uid
    } catch (err) {
      if (hasReason(err, 'NotFound')) return true
      throw err
    }
  }

  async #delete(kind: Kind, object: ApiObject, propagation: 'Background' | 'Foreground', signal: AbortSignal): Promise<void> {
    const { uid, resourceVersion } = object.metadata
    // Only as it was seen: it may just have been adopted.
    await deleteIfThere(this.#clientOf(kind), object.metadata, { uid, resourceVersion, propagation, signal })
  }

  async #setOwners(kind: Kind, object: ApiObject, keep: (reference: OwnerReference) => boolean, signal: AbortSignal): Promise<void> {
    const ownerReferences = (object.metadata.ownerReferences ?? []).filter(keep)
    await this.#update(kind, { ...object, metadata: { ...object.metadata, ownerReferences } }, signal)
  }

  async #removeFinalizer(object: ApiObject, finalizer: string, signal: AbortSignal): Promise<void> {
    const finalizers = object.metadata.finalizers?.filter((name) => name !== finalizer) ?? []
    await this.#update(this.#kind, { ...object, metadata: { ...object.metadata, finalizers } }, signal)
  }

  async #update(kind: Kind, object: ApiObject, signal: AbortSignal): Promise<void> {
    try {
      await this.#clientOf(kind).update(object, { signal })
    } catch (err) {
      if (!hasReason(err, 'NotFound')) throw err
    }
  }

  #clientOf(kind: Kind): ResourceClient<ApiObject> {
    // What it is given came from the lister of the same kind: the types can't say that the two go together.
    return this.#client.for(kind) as unknown as ResourceClient<ApiObject>
  }
}
