import type { ApiObject } from '../api/object.ts'
import { BoundedMap } from '../base/bounded-map.ts'
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
  readonly #byText = new BoundedMap<string, object>(REMEMBERED)

  /** An object that was just parsed, with shared parts where others have equal ones: the sets of fields that managers own, and what its spec consists of. */
  shareAll(object: ApiObject): ApiObject {
    const owned: ApiObject & { readonly spec?: unknown } = this.#shareOwners(object)
    if (!isJsonObject(owned.spec)) return owned
    const shared: typeof owned = { ...owned, spec: this.#shareFields(owned.spec) }
    return shared
  }

  #shareOwners(object: ApiObject): ApiObject {
    const entries = object.metadata.managedFields
    if (entries === undefined) return object
    const managedFields = entries.map((entry) =>
      entry.fieldsV1 === undefined ? entry : { ...entry, fieldsV1: this.#share(entry.fieldsV1) },
    )
    return { ...object, metadata: { ...object.metadata, managedFields } }
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
    deepFreeze(part)
    this.#byText.set(text, part)
    return part
  }
}
