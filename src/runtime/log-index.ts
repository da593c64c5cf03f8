import { appendFileSync, readFileSync, renameSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import type { Millis } from '../base/clock.ts'
import { isDiskRefusal } from '../base/disk-error.ts'
import { isMissing } from './state-dir.ts'

/** At this time the log had grown to this logical offset: what lies before was written then or earlier. */
export interface IndexEntry {
  readonly offset: number
  readonly epoch: Millis
}

const ENTRY_SIZE = 16
/** Beyond this the older half is thinned: old output is dated less exactly, and the index stays below 1 MiB. */
const MAX_ENTRIES = 60_000
const ENTRY_INTERVAL: Millis = 1_000
/** Times of files come from the kernel's coarse clock, which is behind the exact one by up to a tick; the slowest has 100 a second. */
const COARSE_CLOCK: Millis = 10

/** When the bytes of one log were written: about one entry for each second of activity, on disk. */
export class LogIndex {
  readonly path: string
  #last: IndexEntry | undefined
  #count = 0

  constructor(path: string) {
    this.path = path
  }

  open(): void {
    const size = statSync(this.path, { throwIfNoEntry: false })?.size ?? 0
    // A server killed while writing leaves part of an entry.
    if (size % ENTRY_SIZE !== 0) truncateSync(this.path, size - (size % ENTRY_SIZE))
    const entries = this.read()
    this.#count = entries.length
    this.#last = entries.at(-1)
  }

  /** Adds an entry when the log has grown, and not before a second after the last one. */
  add(entry: IndexEntry, options: { readonly force?: boolean } = {}): void {
    const last = this.#last
    if (last !== undefined && entry.offset <= last.offset) return
    const since = entry.epoch - (last?.epoch ?? Number.NEGATIVE_INFINITY)
    if (options.force !== true && since >= 0 && since < ENTRY_INTERVAL) return
    if (!this.#append(entry)) return
    this.#last = entry
    this.#count += 1
    if (this.#count > MAX_ENTRIES) this.#rewrite(thin(this.read()))
  }

  read(): readonly IndexEntry[] {
    let bytes: Buffer
    try {
      bytes = readFileSync(this.path)
    } catch (err) {
      if (isMissing(err)) return []
      throw err
    }
    return Array.from({ length: Math.floor(bytes.length / ENTRY_SIZE) }, (_, index) => ({
      offset: bytes.readDoubleLE(index * ENTRY_SIZE),
      epoch: bytes.readDoubleLE(index * ENTRY_SIZE + 8),
    }))
  }

  /** Drops entries about bytes that are no longer kept, once that is worth rewriting the file. */
  prune(oldest: number): void {
    const entries = this.read()
    const first = entries.findIndex((entry) => entry.offset > oldest)
    // The one before says when the oldest byte can have been written at the earliest.
    const start = Math.max(0, (first < 0 ? entries.length : first) - 1)
    if (start > entries.length / 2) this.#rewrite(entries.slice(start))
  }

  /** False on a disk that refuses: output is dated less exactly then. */
  #append(entry: IndexEntry): boolean {
    try {
      appendFileSync(this.path, encode([entry]), { mode: 0o600 })
      return true
    } catch (err) {
      if (!isDiskRefusal(err)) throw err
      // There may have been room for a part of it.
      if (statSync(this.path, { throwIfNoEntry: false }) !== undefined) truncateUnlessRefused(this.path, this.#count * ENTRY_SIZE)
      return false
    }
  }

  #rewrite(entries: readonly IndexEntry[]): void {
    writeFileSync(`${this.path}.tmp`, encode(entries), { mode: 0o600 })
    renameSync(`${this.path}.tmp`, this.path)
    this.#count = entries.length
    this.#last = entries.at(-1)
  }
}

function truncateUnlessRefused(path: string, size: number): void {
  try {
    truncateSync(path, size)
  } catch (err) {
    if (!isDiskRefusal(err)) throw err
  }
}

/** Where to begin reading for all that was written at or after `epoch`; what lies before is surely older. */
export function offsetSince(entries: readonly IndexEntry[], epoch: Millis): number {
  const earliest = epoch - COARSE_CLOCK
  let [low, high] = [0, entries.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((entries[middle]?.epoch ?? 0) < earliest) low = middle + 1
    else high = middle
  }
  return entries[low - 1]?.offset ?? 0
}

/** When the byte at `offset` was written, at the latest; undefined: after the last entry. */
export function timeOf(entries: readonly IndexEntry[], offset: number): Millis | undefined {
  let [low, high] = [0, entries.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((entries[middle]?.offset ?? 0) <= offset) low = middle + 1
    else high = middle
  }
  return entries[low]?.epoch
}

function thin(entries: readonly IndexEntry[]): IndexEntry[] {
  const half = entries.length >> 1
  return entries.filter((_, index) => index >= half || index % 2 === 1)
}

function encode(entries: readonly IndexEntry[]): Buffer {
  const bytes = Buffer.alloc(entries.length * ENTRY_SIZE)
  for (const [index, { offset, epoch }] of entries.entries()) {
    bytes.writeDoubleLE(offset, index * ENTRY_SIZE)
    bytes.writeDoubleLE(epoch, index * ENTRY_SIZE + 8)
  }
  return bytes
}
