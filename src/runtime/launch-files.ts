import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, unlinkSync, writeFileSync, writeSync } from 'node:fs'
import type { Clock, Millis } from '../base/clock.ts'
import { isDiskRefusal } from '../base/disk-error.ts'
import type { Logger } from '../base/log.ts'
import type { Instance } from './instance.ts'
import type { LaunchText } from './launch-chain.ts'
import type { LaunchReserve } from './launch-reserve.ts'
import { commandLineOf, isAlive, openFilesOf } from './proc-stat.ts'
import { isMissing, type StateDir } from './state-dir.ts'

const LONGEST_WAIT: Millis = 1_000
/** A larger text gives its room back when it has been read. */
const KEPT_SIZE = 4096
const NEWLINE = 10

export interface LaunchFilesOptions {
  readonly dir: StateDir
  /** What is written to on a full disk. */
  readonly reserve: LaunchReserve
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
}

/**
 * The texts that shells read to become a program. They hold secrets, so they go as soon as they have been read: the first one is
 * written over, since making a file for each attempt would wait for the file system's journal.
 */
export class LaunchFiles {
  readonly #options: LaunchFilesOptions
  /** Second texts written by this server and not deleted yet. */
  readonly #second = new Set<string>()

  constructor(options: LaunchFilesOptions) {
    this.#options = options
  }

  /** Where the second shell finds its text. */
  secondPath(entry: Instance, attempt: number): string {
    return this.#options.dir.file(entry.id, `${attempt}.env`)
  }

  write(entry: Instance, attempt: number, text: LaunchText): void {
    // Whole or not is no matter: nobody reads them before the run is noted, which comes after.
    this.#write(this.#path(entry, attempt), text.main, writeOver)
    if (text.second === undefined) return
    const second = this.secondPath(entry, attempt)
    this.#write(second, text.second, (path, bytes) => writeFileSync(path, bytes, { mode: 0o600 }))
    this.#second.add(second)
  }

  /** Makes them unreadable once the process shows another command line than its shim's, or is gone. `found`: by an earlier server. */
  drop(entry: Instance, attempt: number, { wait = 1, found = false }: { readonly wait?: Millis; readonly found?: boolean } = {}): void {
    const { clock, log, signal } = this.#options
    // A newer attempt has written over the text of this one.
    const isNewest = entry.file?.attempt === attempt
    const reader = entry.run?.state === 'running' && entry.main !== undefined && isAlive(entry.main) ? entry.main.pid : undefined
    if (isNewest && reader !== undefined && (isShell(reader) || this.#isLentTo(reader, this.secondPath(entry, attempt)))) {
      // After the end of this server the next one does it.
      if (!signal.aborted) clock.schedule(wait, () => this.drop(entry, attempt, { wait: Math.min(wait * 2, LONGEST_WAIT), found }))
      return
    }
    try {
      const { reserve } = this.#options
      const path = this.#path(entry, attempt)
      if (entry.format === '1') unlinkIfThere(path)
      else if (isNewest && !reserve.takeBack(path)) blank(path)
      const second = this.secondPath(entry, attempt)
      if ((this.#second.delete(second) || found) && !reserve.takeBack(second)) unlinkIfThere(second)
    } catch (err) {
      log.warn({ instance: entry.id, err }, 'Could not take a launch text away')
    }
  }

  #write(path: string, text: Buffer, write: (path: string, text: Buffer) => void): void {
    try {
      write(path, text)
    } catch (err) {
      if (!(isDiskRefusal(err) && this.#options.reserve.lend(path, text))) throw err
    }
  }

  /** A file that is deleted can still be read by who has it open; one that is wiped can't. */
  #isLentTo(pid: number, path: string): boolean {
    return this.#options.reserve.has(path) && openFilesOf(pid).includes(path)
  }

  #path(entry: Instance, attempt: number): string {
    return this.#options.dir.file(entry.id, entry.format === '1' ? `${attempt}.sh` : 'launch')
  }
}

/** True while the attempt is still the shim's own fork. The text it reads is open then, or about to be. */
function isShell(pid: number): boolean {
  return commandLineOf(pid)?.includes('/pmk-launcher\0') ?? false
}

/** In place. What a longer text left behind it is written over, too. */
function writeOver(path: string, text: Buffer): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600)
  try {
    const rest = Math.max(0, fstatSync(fd).size - text.length)
    writeAll(fd, rest === 0 ? text : Buffer.concat([text, Buffer.alloc(rest, NEWLINE)]))
  } finally {
    closeSync(fd)
  }
}

function blank(path: string): void {
  let fd: number
  try {
    fd = openSync(path, 'r+')
  } catch (err) {
    if (isMissing(err)) return
    throw err
  }
  try {
    const { size } = fstatSync(fd)
    const first = Buffer.alloc(1)
    if (size === 0 || (readSync(fd, first, 0, 1, 0) === 1 && first[0] === NEWLINE)) return
    // The first byte tells that it is done: it goes in the last step.
    if (size > KEPT_SIZE) ftruncateSync(fd, KEPT_SIZE)
    writeAll(fd, Buffer.alloc(Math.min(size, KEPT_SIZE), NEWLINE))
  } finally {
    closeSync(fd)
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written, bytes.length - written, written)
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch (err) {
    if (!isMissing(err)) throw err
  }
}
