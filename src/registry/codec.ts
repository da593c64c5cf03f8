import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import { MAX_OBJECT, MAX_VALUES, requireModest } from '../api/size.ts'
import { apiError } from '../api/status.ts'
import { structure } from '../api/structure.ts'
import { BoundedMap } from '../base/bounded-map.ts'
import { deepFreeze } from '../base/json.ts'
import type { KeyValue, Revision } from '../storage/store.ts'
import { frozenCopy } from './frozen-copy.ts'
import { rememberText, rememberVersion, storedTextOf } from './object-text.ts'
import { Projections, storedDefinition, storedObject } from './projection.ts'
import { SharedParts } from './shared-parts.ts'

/** Covers watchers that are a burst of changes behind; those that are further behind parse again. */
const OLDER_KEPT = 512

/**
 * Turns objects into stored texts and back. A text is parsed once, however many lists and watchers ask for it: the newest
 * object of each key is kept, and a bounded number of older ones, for the watchers that still have to be told of them.
 * Objects given out are frozen and shared. For a kind that is a view of another, they are views of what is stored.
 */
export class Codec {
  readonly #newest = new Map<string, Decoded>()
  readonly #older = new BoundedMap<Revision, ApiObject>(OLDER_KEPT)
  readonly #deleted = new BoundedMap<Revision, ApiObject>(OLDER_KEPT)
  readonly #parts = new SharedParts()
  readonly #projections = new Projections()

  /** The text to store. It has no resourceVersion: that is the revision under which it will lie. Throws ApiError(RequestEntityTooLarge). */
  encode(definition: ResourceDefinition, object: ApiObject): string {
    const text = storedTextOf(storedObject(definition, object))
    // Each value takes two characters at least, so the usual object needn't be counted.
    if (text.length > 2 * MAX_VALUES) {
      if (Buffer.byteLength(text) > MAX_OBJECT)
        throw apiError('RequestEntityTooLarge', `the object would have more than ${MAX_OBJECT} bytes, its managedFields included`)
      requireModest(object)
    }
    return text
  }

  /** The object that has just been stored as `kv`, without parsing it. */
  stored(definition: ResourceDefinition, kv: KeyValue, object: ApiObject): ApiObject {
    const content = storedObject(definition, object)
    const versioned = { ...content, metadata: { ...content.metadata, resourceVersion: String(kv.modRevision) } }
    const copy = frozenCopy(versioned)
    rememberText(copy, kv.value)
    return this.#projections.view(definition, this.#keep(kv, copy))
  }

  /** The object of a key as it is now. */
  decode(definition: ResourceDefinition, kv: KeyValue): ApiObject {
    return this.#projections.view(definition, this.#find(kv) ?? this.#keep(kv, this.#parse(definition, kv)))
  }

  /** The object of a key as it was at some time, when it may be gone by now. */
  decodePast(definition: ResourceDefinition, kv: KeyValue): ApiObject {
    return this.#projections.view(definition, this.#past(definition, kv))
  }

  /** What is said of an object that was deleted at `revision`: its last state, under the version of the deletion. */
  decodeDeleted(definition: ResourceDefinition, prev: KeyValue, revision: Revision): ApiObject {
    return this.#projections.view(definition, this.#lastOf(definition, prev, revision))
  }

  /** The key is gone; its last object is kept among the older ones. */
  forget(key: string): void {
    const newest = this.#newest.get(key)
    if (newest === undefined) return
    this.#newest.delete(key)
    this.#older.set(newest.revision, newest.object)
  }

  #past(definition: ResourceDefinition, kv: KeyValue): ApiObject {
    const known = this.#find(kv)
    if (known !== undefined) return known
    const object = this.#parse(definition, kv)
    this.#older.set(kv.modRevision, object)
    return object
  }

  #lastOf(definition: ResourceDefinition, prev: KeyValue, revision: Revision): ApiObject {
    const known = this.#deleted.get(revision)
    if (known !== undefined) return known
    const last = this.#past(definition, prev)
    const object = Object.freeze({ ...last, metadata: Object.freeze({ ...last.metadata, resourceVersion: String(revision) }) })
    rememberVersion(object, last)
    this.#deleted.set(revision, object)
    // Somebody else may have deleted it, through a server of its own.
    if ((this.#newest.get(prev.key)?.revision ?? revision) <= prev.modRevision) this.forget(prev.key)
    return object
  }

  #find(kv: KeyValue): ApiObject | undefined {
    const newest = this.#newest.get(kv.key)
    return newest?.revision === kv.modRevision ? newest.object : this.#older.get(kv.modRevision)
  }

  #parse(definition: ResourceDefinition, kv: KeyValue): ApiObject {
    const raw = JSON.parse(kv.value) as ApiObject
    // An older version may have stored it, which knew fewer fields: their defaults are those of today.
    const complete = structure(storedDefinition(definition).schema, raw, { defaults: true, nulls: 'drop' }) as ApiObject
    const versioned = { ...complete, metadata: { ...complete.metadata, resourceVersion: String(kv.modRevision) } }
    const object = deepFreeze(this.#parts.shareAll(versioned))
    if (complete === raw) rememberText(object, kv.value)
    return object
  }

  #keep(kv: KeyValue, object: ApiObject): ApiObject {
    const newest = this.#newest.get(kv.key)
    if (newest === undefined || newest.revision < kv.modRevision) {
      if (newest !== undefined) this.#older.set(newest.revision, newest.object)
      this.#newest.set(kv.key, { revision: kv.modRevision, object })
    } else {
      this.#older.set(kv.modRevision, object)
    }
    return object
  }
}

interface Decoded {
  readonly revision: Revision
  readonly object: ApiObject
}
