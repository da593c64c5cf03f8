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
  /** resourceVersion of an object that had the mark: most looks find the very same one. */
  version: string
}

/**
 * Objects that were as their manifests say, and how to see that neither has changed: so that a pass over ten thousand of them
 * asks the server for none.
 */
export class Verified {
  readonly #entries = new Map<string, Entry>()

  /** The object is as the manifest says. */
  add({ id, placed }: Desired, object: ApiObject): void {
    this.#entries.set(id, { value: placed.value, mark: markOf(object), version: object.metadata.resourceVersion })
  }

  /** Whether it still is, as far as `present` shows. */
  holds({ id, placed }: Desired, present: ApiObject | undefined): boolean {
    const entry = this.#entries.get(id)
    if (entry === undefined || present === undefined || !hasMark(entry, present)) return false
    if (entry.value === placed.value) return true
    if (!jsonEqual(entry.value, placed.value)) return false
    // The same, from a file that was read anew.
    entry.value = placed.value
    return true
  }

  /** Whether an object is as it was left. */
  isAsLeft(id: string, present: ApiObject): boolean {
    const entry = this.#entries.get(id)
    return entry !== undefined && hasMark(entry, present)
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

function hasMark(entry: Entry, present: ApiObject): boolean {
  const { uid, generation, resourceVersion } = present.metadata
  if (uid !== entry.mark.uid || generation !== entry.mark.generation) return false
  if (resourceVersion === entry.version) return true
  if (!jsonEqual(entry.mark, markOf(present))) return false
  entry.version = resourceVersion
  return true
}
