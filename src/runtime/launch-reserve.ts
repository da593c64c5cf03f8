import { closeSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '../base/log.ts'

/** So many launches can be on their way at once while the disk is full; each is for a few milliseconds. */
const FILES = 8
/** The longest launch text that such a file takes. */
const SIZE = 64 * 1024

const NEWLINE = 10

export interface LaunchReserveOptions {
  readonly directory: string
  readonly log: Logger
}

/**
 * A few files whose blocks are allocated already, so that programs can be started again while the disk is full: a launch
 * text is written into one of them in place, and it is moved to where the shell looks for it, and back.
 */
export class LaunchReserve {
  readonly #options: LaunchReserveOptions
  readonly #free: string[] = []
  /** Where those in use are, and where they belong. */
  readonly #lent = new Map<string, string>()

  constructor(options: LaunchReserveOptions) {
    this.#options = options
  }

  /** Takes over what an earlier server made and makes what is missing. On a full disk there are fewer. */
  open(): void {
    const { directory, log } = this.#options
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    for (const name of readdirSync(directory)) {
      const path = join(directory, name)
      if (statSync(path).size === SIZE && this.#free.length < FILES) this.#free.push(path)
      else rmSync(path)
    }
    const names = Array.from({ length: FILES }, (_, n) => join(directory, String(n)))
    for (const path of names.filter((each) => !this.#free.includes(each))) {
      try {
        fill(path, Buffer.alloc(0), 'w')
        this.#free.push(path)
      } catch (err) {
        rmSync(path, { force: true })
        log.warn({ err }, 'No space can be set aside for starts on a full disk')
        return
      }
    }
  }

  /** Puts a launch text at this path. False when none is left, or the text is too long for one. */
  lend(path: string, text: Buffer): boolean {
    const file = text.length > SIZE ? undefined : this.#free.pop()
    if (file === undefined) return false
    try {
      fill(file, text, 'r+')
      renameSync(file, path)
    } catch (err) {
      this.#free.push(file)
      throw err
    }
    this.#lent.set(path, file)
    return true
  }

  has(path: string): boolean {
    return this.#lent.has(path)
  }

  /** Takes the file at this path back and wipes it. False when it is none of these. */
  takeBack(path: string): boolean {
    const file = this.#lent.get(path)
    if (file === undefined) return false
    this.#lent.delete(path)
    fill(path, Buffer.alloc(0), 'r+')
    renameSync(path, file)
    this.#free.push(file)
    return true
  }
}

/** The whole file is written, in place where there is one: shells pass over empty lines. */
function fill(path: string, text: Buffer, mode: 'w' | 'r+'): void {
  const bytes = Buffer.alloc(SIZE, NEWLINE)
  text.copy(bytes)
  const fd = openSync(path, mode, 0o600)
  try {
    for (let written = 0; written < SIZE; ) written += writeSync(fd, bytes, written, SIZE - written, written)
  } finally {
    closeSync(fd)
  }
}
