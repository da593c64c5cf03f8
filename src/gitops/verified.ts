import type { ApiObject } from '../api/object.ts'
import { jsonEqual } from '../base/json.ts'
import type { ManifestObject } from '../manifest/manifest.ts'
import type { Desired } from './desired.ts'

/** What of an object changes when somebody writes anything but its status. */
export type Mark = Pick<
  ApiObject['metadata'],
  'uid' | 'generation' | 'deletionTimestamp' | 'labels' | 'annotations' | 'finalizers' | 'ownerReferences'
>

interface Entry {
  value: ManifestObject
  mark: Mark
}

/**
 * Objects that were as their manifests say, and how to see that neither has changed: so that a pass over ten thousand of them
 * asks the server for none.
 */
export class Verified {
  readonly #entries = new Map<string, Entry>()

  /** The object is as the manifest says. */
  add({ id, placed }: Desired, object: ApiObject): void {
    this.#entries.set(id, { value: placed.value, mark: markOf(object) })
  }

  /** Whether it still is, as far as `present` shows. */
  holds({ id, placed }: Desired, present: ApiObject | undefined): boolean {
    const entry = this.#entries.get(id)
    if (entry === undefined || present === undefined || !isSameMark(entry.mark, markOf(present))) return false
    if (entry.value === placed.value) return true
    if (!jsonEqual(entry.value, placed.value)) return false
    // The same, from a file that was read anew.
    entry.value = placed.value
    return true
  }

  /** Whether an object is as it was left. */
  isAsLeft(id: string, present: ApiObject): boolean {
    const mark = this.#entries.get(id)?.mark
    return mark !== undefined && isSameMark(mark, markOf(present))
  }

  markOf(id: string): Mark | undefined {
    return this.#entries.get(id)?.mark
  }

  delete(id: string): void {
    this.#entries.delete(id)
  }
}

function markOf({ metadata }: ApiObject): Mark {
  const { uid, generation, deletionTimestamp, labels, annotations, finalizers, ownerReferences } = metadata
  return { uid, generation, deletionTimestamp, labels, annotations, finalizers, ownerReferences } as Mark
}

function isSameMark(a: Mark, b: Mark): boolean {
  return a.uid === b.uid && a.generation === b.generation && jsonEqual(a, b)
}
