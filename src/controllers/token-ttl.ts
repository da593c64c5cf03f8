import type { ObjectKey } from '../api/object.ts'
import { type Clock, epochOf, type Millis } from '../base/clock.ts'
import type { Client } from '../client/client.ts'
import type { Token } from '../generated/types.ts'
import type { Lister } from '../informer/informer.ts'
import type { ReconcileContext, Reconciler, Result } from '../reconcile/reconciler.ts'
import { deleteIfThere } from './delete-if-there.ts'

/** So long an expired Token can still be seen, by whoever wonders why it is refused. */
const KEPT: Millis = 24 * 3_600_000

/** The wall clock may be set forward: a Token is looked at again so often. */
const LOOK_AGAIN: Millis = 3_600_000

/** Deletes Tokens a day after they have expired. That they aren't accepted any more doesn't wait for it. */
export class TokenTtlReconciler implements Reconciler {
  readonly #options: { readonly client: Client; readonly tokens: Lister<Token>; readonly clock: Clock }

  constructor(options: { readonly client: Client; readonly tokens: Lister<Token>; readonly clock: Clock }) {
    this.#options = options
  }

  async reconcile(key: ObjectKey, { signal }: ReconcileContext): Promise<Result> {
    const { client, tokens, clock } = this.#options
    const token = tokens.get(key)
    if (token?.spec.expiresAt === undefined || token.metadata.deletionTimestamp !== undefined) return {}
    const left = epochOf(token.spec.expiresAt) + KEPT - epochOf(clock.now())
    if (left > 0) return { requeueAfter: Math.min(left, LOOK_AGAIN) }
    await deleteIfThere(client.for('Token'), token.metadata, { uid: token.metadata.uid, signal })
    return {}
  }
}
