import type { ObjectKey } from '../api/object.ts'
import type { Source } from '../reconcile/controller.ts'

/** Keys that something else than a watch of objects has found worth a look, such as a file event. */
export class Hints implements Source {
  readonly synced: Promise<void> = Promise.resolve()
  #enqueue: ((key: ObjectKey) => void) | undefined

  start(enqueue: (key: ObjectKey) => void): () => void {
    this.#enqueue = enqueue
    return () => {
      this.#enqueue = undefined
    }
  }

  add(key: ObjectKey): void {
    this.#enqueue?.(key)
  }
}
