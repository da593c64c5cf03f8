import type { Revision, StoreEvent } from './store.ts'

/** One acknowledged write. */
export type Change = Exclude<StoreEvent, { readonly type: 'progress' }>

export function keyOfChange(change: Change): string {
  return change.type === 'put' ? change.kv.key : change.prev.key
}

export interface WindowBounds {
  readonly changes: number
  /** In UTF-16 units of the values. */
  readonly units: number
}

/** The newest changes, in memory and in order: all of those behind `start`. */
export class ChangeWindow {
  readonly #bounds: WindowBounds
  #start: Revision
  /** Entries before `#head` are dropped; they are cut off the array now and then, in one move. */
  #changes: Change[] = []
  #head = 0
  #units = 0

  constructor(start: Revision, bounds: WindowBounds) {
    this.#start = start
    this.#bounds = bounds
  }

  get start(): Revision {
    return this.#start
  }

  get length(): number {
    return this.#changes.length - this.#head
  }

  /** Adds the next change and lets go of the oldest ones that are beyond the bounds. */
  append(change: Change): void {
    this.#changes.push(change)
    this.#units += unitsOf(change)
    while (this.length > this.#bounds.changes || (this.#units > this.#bounds.units && this.length > 1)) this.#dropFirst()
    this.#cut()
  }

  /** Forgets the changes up to and with `revision`. */
  dropTo(revision: Revision): void {
    while (this.length > 0 && (this.#changes[this.#head] as Change).revision <= revision) this.#dropFirst()
    this.#start = Math.max(this.#start, revision)
    this.#cut()
  }

  /** The first changes behind `after`, at most `limit`; fewer than that means that there are no more. `after` is not below `start`. */
  read(after: Revision, prefix: string, limit: number = Number.POSITIVE_INFINITY): Change[] {
    const found: Change[] = []
    for (let index = this.#indexAfter(after); index < this.#changes.length && found.length < limit; index++) {
      const change = this.#changes[index] as Change
      if (keyOfChange(change).startsWith(prefix)) found.push(change)
    }
    return found
  }

  #indexAfter(revision: Revision): number {
    let low = this.#head
    let high = this.#changes.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#changes[middle] as Change).revision <= revision) low = middle + 1
      else high = middle
    }
    return low
  }

  #dropFirst(): void {
    const change = this.#changes[this.#head] as Change
    this.#head += 1
    this.#start = change.revision
    this.#units -= unitsOf(change)
  }

  #cut(): void {
    if (this.#head < CUT_AT || this.#head < this.#changes.length / 8) return
    this.#changes = this.#changes.slice(this.#head)
    this.#head = 0
  }
}

/** Dropped changes stay referenced until the cut, so not too many; each cut copies the rest, so not too few. */
const CUT_AT = 64

/** A value that was put is counted with its change; as the `prev` of a later one it is the same string. */
function unitsOf(change: Change): number {
  return change.type === 'put' ? change.kv.value.length : change.prev.value.length
}
