import { type ApiObject, keyOf, type ObjectKey } from '../api/object.ts'

/** The values under which an object is found in an index. No values: not in it. */
export type IndexFunction<T> = (object: T) => readonly string[]

/** Objects by key, and by the values of any number of indices. The objects are shared with everybody: never change one. */
export class Indexer<T extends ApiObject> {
  readonly #objects = new Map<ObjectKey, T>()
  readonly #indices = new Map<string, { readonly values: IndexFunction<T>; readonly keys: Map<string, Set<ObjectKey>> }>()

  /** Also for objects that are here already. A second index of a name replaces the first. */
  addIndex(name: string, values: IndexFunction<T>): void {
    const index = { values, keys: new Map<string, Set<ObjectKey>>() }
    this.#indices.set(name, index)
    for (const [key, object] of this.#objects) addKey(index.keys, values(object), key)
  }

  get size(): number {
    return this.#objects.size
  }

  get(key: ObjectKey): T | undefined {
    return this.#objects.get(key)
  }

  keys(): readonly ObjectKey[] {
    return [...this.#objects.keys()]
  }

  list(): readonly T[] {
    return [...this.#objects.values()]
  }

  byIndex(index: string, value: string): readonly T[] {
    const found = this.#indices.get(index)
    if (found === undefined) throw new Error(`no index ${index}`)
    const objects: T[] = []
    for (const key of found.keys.get(value) ?? []) {
      const object = this.#objects.get(key)
      if (object !== undefined) objects.push(object)
    }
    return objects
  }

  /** Gives what was there before. */
  set(object: T): T | undefined {
    const key = keyOf(object)
    const prev = this.#objects.get(key)
    this.#objects.set(key, object)
    for (const { values, keys } of this.#indices.values()) {
      if (prev !== undefined) removeKey(keys, values(prev), key)
      addKey(keys, values(object), key)
    }
    return prev
  }

  /** Gives what was there. */
  delete(key: ObjectKey): T | undefined {
    const prev = this.#objects.get(key)
    if (prev === undefined) return undefined
    this.#objects.delete(key)
    for (const { values, keys } of this.#indices.values()) removeKey(keys, values(prev), key)
    return prev
  }
}

function addKey(index: Map<string, Set<ObjectKey>>, values: readonly string[], key: ObjectKey): void {
  for (const value of values) {
    const keys = index.get(value)
    if (keys === undefined) index.set(value, new Set([key]))
    else keys.add(key)
  }
}

function removeKey(index: Map<string, Set<ObjectKey>>, values: readonly string[], key: ObjectKey): void {
  for (const value of values) {
    const keys = index.get(value)
    keys?.delete(key)
    if (keys?.size === 0) index.delete(value)
  }
}
