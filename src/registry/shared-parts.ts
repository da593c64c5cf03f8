import type { ApiObject } from '../api/object.ts'
import { deepFreeze, isJsonObject, type JsonObject } from '../base/json.ts'

/** How many different parts are remembered: a few dozen sorts of objects, each with a few parts of its own. */
const REMEMBERED = 2_048
/** Longer ones are hardly ever the same twice. */
const LONGEST = 2_048

/**
 * Makes equal parts of different objects one: thousands of objects from the same few manifests have the same owners of
 * fields and the same defaults, which are most of what an object takes in memory.
 */
export class SharedParts {
  readonly #byText = new Map<string, object>()
  readonly #shared = new WeakSet<object>()

  /** The object with the sets of fields that its managers own replaced by shared ones. */
  shareOwners<T extends ApiObject>(object: T): T {
    const entries = object.metadata.managedFields
    if (entries === undefined || entries.every(({ fieldsV1 }) => fieldsV1 === undefined || this.#shared.has(fieldsV1))) return object
    const managedFields = entries.map((entry) =>
      entry.fieldsV1 === undefined ? entry : { ...entry, fieldsV1: this.#share(entry.fieldsV1) },
    )
    return { ...object, metadata: { ...object.metadata, managedFields } }
  }

  /** The same for all parts of an object that was just parsed, of which nothing is shared yet. */
  shareAll(object: ApiObject): ApiObject {
    const owned: ApiObject & { readonly spec?: unknown } = this.shareOwners(object)
    if (!isJsonObject(owned.spec)) return owned
    const shared: typeof owned = { ...owned, spec: this.#shareFields(owned.spec) }
    return shared
  }

  #shareFields(fields: JsonObject): JsonObject {
    return Object.fromEntries(
      Object.entries(fields).map(([name, value]) => {
        if (typeof value !== 'object' || value === null) return [name, value]
        // A template is as large as a spec, and equal in parts only.
        return [name, name === 'template' && isJsonObject(value) ? this.#shareFields(value) : this.#share(value)]
      }),
    )
  }

  #share<T extends object>(part: T): T {
    const text = JSON.stringify(part)
    if (text.length > LONGEST) return part
    const known = this.#byText.get(text)
    // Equal texts are equal JSON, with equal types.
    if (known !== undefined) return known as T
    this.#shared.add(deepFreeze(part))
    this.#byText.set(text, part)
    if (this.#byText.size > REMEMBERED) {
      for (const oldest of this.#byText.keys()) {
        this.#byText.delete(oldest)
        break
      }
    }
    return part
  }
}
