import type { Kind, ObjectKey } from '../api/object.ts'
import { keptDefinitions } from '../api/scheme.ts'
import { hasReason } from '../api/status.ts'
import type { Millis } from '../base/clock.ts'
import { inParallel } from '../base/in-parallel.ts'
import type { Client } from '../client/client.ts'
import type { Namespace } from '../generated/types.ts'
import type { Lister } from '../informer/informer.ts'
import type { ReconcileContext, Reconciler, Result } from '../reconcile/reconciler.ts'
import { isDeleting } from './instance-state.ts'

const KUBERNETES_FINALIZER = 'kubernetes'
const DELETES = 16
/** Deletions are seen as they happen; this is for those that are not. */
const LOOK_AGAIN: Millis = 1_000

/** Empties a Namespace that is being deleted, and lets it go when nothing is left in it. */
export class NamespaceReconciler implements Reconciler {
  readonly #client: Client
  readonly #namespaces: Lister<Namespace>

  constructor(options: { readonly client: Client; readonly namespaces: Lister<Namespace> }) {
    this.#client = options.client
    this.#namespaces = options.namespaces
  }

  async reconcile(key: ObjectKey, { signal, log }: ReconcileContext): Promise<Result> {
    const namespace = this.#namespaces.get(key)
    if (namespace === undefined || !isDeleting(namespace) || !namespace.spec.finalizers.includes(KUBERNETES_FINALIZER)) return {}
    let left = 0
    for (const { kind } of contentKinds) left += await this.#deleteAll(kind, namespace.metadata.name, signal)
    if (left > 0) return { requeueAfter: LOOK_AGAIN }
    log.info({}, 'Namespace is empty')
    const finalizers = namespace.spec.finalizers.filter((name) => name !== KUBERNETES_FINALIZER)
    await this.#client.for('Namespace').update({ ...namespace, spec: { ...namespace.spec, finalizers } }, { signal })
    return {}
  }

  /** How many are still there. */
  async #deleteAll(kind: Kind, namespace: string, signal: AbortSignal): Promise<number> {
    const client = this.#client.for(kind)
    const { items } = await client.list({ namespace, signal })
    const left = await inParallel(items, DELETES, async (object) => {
      if (isDeleting(object)) return true
      try {
        return (await client.delete(object.metadata, { uid: object.metadata.uid, signal })) !== undefined
      } catch (err) {
        if (hasReason(err, 'NotFound')) return false
        throw err
      }
    })
    return left.filter(Boolean).length
  }
}

/** Owners before what they own, so that nothing is made again, and Events last, since deletions tell of themselves. */
const contentKinds = keptDefinitions
  .filter(({ scope }) => scope === 'Namespaced')
  .map((definition) => ({ kind: definition.kind, rank: definition.kind === 'Process' ? 0 : definition.kind === 'Event' ? 2 : 1 }))
  .sort((a, b) => a.rank - b.rank)
