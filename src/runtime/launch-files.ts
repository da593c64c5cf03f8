import { writeFileSync } from 'node:fs'
import { unlink, writeFile } from 'node:fs/promises'
import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Instance } from './instance.ts'
import type { LaunchText } from './launch-chain.ts'
import { commandLineOf, isAlive } from './proc-stat.ts'
import { isMissing, type StateDir } from './state-dir.ts'

const LONGEST_WAIT: Millis = 1_000

export interface LaunchFilesOptions {
  readonly dir: StateDir
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
}

/** The texts that shells read to become a program. They hold secrets, so they are deleted as soon as they have been read. */
export class LaunchFiles {
  readonly #options: LaunchFilesOptions
  /** Written by this server and not deleted yet. */
  readonly #written = new Set<string>()

  constructor(options: LaunchFilesOptions) {
    this.#options = options
  }

  /** Where the second shell finds its text. */
  secondPath(entry: Instance, attempt: number): string {
    return this.#options.dir.file(entry.id, `${attempt}.env`)
  }

  write(entry: Instance, attempt: number, text: LaunchText): void {
    const { dir } = this.#options
    // Whole or not is no matter: nobody reads them before the run is noted, which comes after.
    writeFileSync(dir.file(entry.id, `${attempt}.sh`), text.main, { mode: 0o600 })
    if (text.second !== undefined) writeFileSync(this.secondPath(entry, attempt), text.second, { mode: 0o600 })
    this.#note(entry, attempt, text)
  }

  /** The same without holding anybody up. */
  async prepare(entry: Instance, attempt: number, text: LaunchText): Promise<void> {
    await writeFile(this.#options.dir.file(entry.id, `${attempt}.sh`), text.main, { mode: 0o600 })
    if (text.second !== undefined) await writeFile(this.secondPath(entry, attempt), text.second, { mode: 0o600 })
    this.#note(entry, attempt, text)
  }

  /** Deletes them once the process shows another command line than its shim's, or is gone. */
  drop(entry: Instance, attempt: number, wait: Millis = 1): void {
    const { dir, clock, log, signal } = this.#options
    const isNewest = entry.file?.attempt === attempt && entry.run?.state === 'running'
    if (isNewest && entry.main !== undefined && isAlive(entry.main) && isShell(entry.main.pid) && !signal.aborted) {
      clock.schedule(wait, () => this.drop(entry, attempt, Math.min(wait * 2, LONGEST_WAIT)))
      return
    }
    const paths = ['sh', 'env'].map((kind) => dir.file(entry.id, `${attempt}.${kind}`))
    // Those of an earlier server are nowhere noted.
    const isOurs = paths.some((path) => this.#written.has(path))
    for (const path of paths) {
      if (!this.#written.delete(path) && isOurs) continue
      unlink(path).catch((err: unknown) => {
        if (!isMissing(err)) log.warn({ instance: entry.id, err }, 'Could not delete a launch file')
      })
    }
  }

  #note(entry: Instance, attempt: number, text: LaunchText): void {
    this.#written.add(this.#options.dir.file(entry.id, `${attempt}.sh`))
    if (text.second !== undefined) this.#written.add(this.secondPath(entry, attempt))
  }
}

/** True while the attempt is still the shim's own fork. The file it sources is open then, or about to be. */
function isShell(pid: number): boolean {
  return commandLineOf(pid)?.includes('/pmk-launcher\0') ?? false
}
