import { closeSync, constants, openSync, statSync, writeSync } from 'node:fs'
import { readJson } from './log-io.ts'

/** Logical positions: `base` is that of the live file's first byte, `head` that of the first byte in it that is still kept. */
export interface Place {
  readonly base: number
  readonly head: number
}

/** Room for two numbers of any size, so that each place is written over the one before. */
const SIZE = 64

/** Where the live file of one log lies in the whole of it, kept in a file for the next server. */
export class LogPlace {
  readonly path: string
  #now: Place = { base: 0, head: 0 }

  /** `log`: path of the live file. */
  constructor(log: string) {
    this.path = `${log}.place`
  }

  get now(): Place {
    return this.#now
  }

  /** Takes over what an earlier server wrote, if there is something. */
  open(): void {
    this.#now = readJson<Place>(this.path) ?? this.#now
  }

  /** Takes the space on disk that `set` needs, so that it finds some when the disk is full. */
  reserve(): void {
    if (statSync(this.path, { throwIfNoEntry: false })?.size !== SIZE) this.set(this.#now)
  }

  /** In memory only: what is on disk is about to be made to agree. */
  assume(place: Place): void {
    this.#now = place
  }

  /** In memory first, which is right whatever becomes of the disk; then over what stands there, which needs no space. */
  set(place: Place): void {
    this.#now = place
    const fd = openSync(this.path, constants.O_WRONLY | constants.O_CREAT, 0o600)
    try {
      writeSync(fd, JSON.stringify(place).padEnd(SIZE), 0)
    } finally {
      closeSync(fd)
    }
  }
}
