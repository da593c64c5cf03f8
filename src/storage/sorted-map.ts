/**
 * A map in the order of its keys' UTF-16 code units, kept as a list of short sorted chunks: an insert moves at most one
 * chunk's entries, a look-up is two binary searches, and counting a range adds up chunk lengths.
 */
export class SortedMap<V> {
  readonly #chunks: Chunk<V>[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  get(key: string): V | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)]
    if (chunk === undefined) return undefined
    const index = lowerBound(chunk.keys, key)
    return chunk.keys[index] === key ? chunk.values[index] : undefined
  }

  set(key: string, value: V): void {
    // A key behind all others goes to the end of the last chunk.
    const at = Math.min(this.#chunkOf(key), Math.max(0, this.#chunks.length - 1))
    const chunk = this.#chunks[at]
    if (chunk === undefined) {
      this.#chunks.push({ keys: [key], values: [value] })
      this.#size = 1
      return
    }
    const index = lowerBound(chunk.keys, key)
    if (chunk.keys[index] === key) {
      chunk.values[index] = value
      return
    }
    chunk.keys.splice(index, 0, key)
    chunk.values.splice(index, 0, value)
    this.#size += 1
    if (chunk.keys.length > LONGEST_CHUNK) this.#split(at, chunk)
  }

  delete(key: string): boolean {
    const at = this.#chunkOf(key)
    const chunk = this.#chunks[at]
    if (chunk === undefined) return false
    const index = lowerBound(chunk.keys, key)
    if (chunk.keys[index] !== key) return false
    chunk.keys.splice(index, 1)
    chunk.values.splice(index, 1)
    this.#size -= 1
    this.#mend(at, chunk)
    return true
  }

  /** How many keys are smaller than `key`. */
  rank(key: string): number {
    const at = this.#chunkOf(key)
    let count = 0
    for (const chunk of this.#chunks.slice(0, at)) count += chunk.keys.length
    const chunk = this.#chunks[at]
    return chunk === undefined ? count : count + lowerBound(chunk.keys, key)
  }

  /** Keys at or behind `from`, in order. The map must not change before the iteration ends. */
  *entriesFrom(from: string): Generator<readonly [key: string, value: V], void, undefined> {
    const first = this.#chunkOf(from)
    for (let at = first; at < this.#chunks.length; at++) {
      const { keys, values } = this.#chunks[at] as Chunk<V> // `at` is below the length
      for (let index = at === first ? lowerBound(keys, from) : 0; index < keys.length; index++) {
        yield [keys[index] as string, values[index] as V] // `index` is below both lengths, which are equal
      }
    }
  }

  /** Index of the first chunk that ends at or behind `key`; the number of chunks when all end before it. */
  #chunkOf(key: string): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const last = this.#chunks[middle]?.keys.at(-1)
      if (last !== undefined && last < key) low = middle + 1
      else high = middle
    }
    return low
  }

  #split(at: number, chunk: Chunk<V>): void {
    // Keys that come in order, as on loading, fill chunks instead of leaving each one half empty.
    const appended = at === this.#chunks.length - 1
    const middle = appended ? chunk.keys.length - 1 : chunk.keys.length >>> 1
    this.#chunks.splice(at + 1, 0, { keys: chunk.keys.splice(middle), values: chunk.values.splice(middle) })
  }

  /** Drops an empty chunk and joins two short neighbours, so that the number of chunks follows the size down. */
  #mend(at: number, chunk: Chunk<V>): void {
    if (chunk.keys.length === 0) {
      this.#chunks.splice(at, 1)
      return
    }
    const next = this.#chunks[at + 1]
    if (next === undefined || chunk.keys.length + next.keys.length > LONGEST_CHUNK / 2) return
    chunk.keys.push(...next.keys)
    chunk.values.push(...next.values)
    this.#chunks.splice(at + 1, 1)
  }
}

interface Chunk<V> {
  readonly keys: string[]
  readonly values: V[]
}

/** Moving this many pointers costs about as much as the search for the place. */
const LONGEST_CHUNK = 256

/** Index of the first key that is not smaller than `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] as string) < key) low = middle + 1
    else high = middle
  }
  return low
}
