import { readFileSync, renameSync } from 'node:fs'
import { appendFile, writeFile } from 'node:fs/promises'
import type { Millis } from '../base/clock.ts'
import type { InstanceId } from './runtime.ts'
import { isMissing } from './state-dir.ts'

/** Logs whose Instance is gone, and since when. */
export interface RetiredLog {
  readonly instance: InstanceId
  readonly epoch: Millis
  /** Its name under `by-name`. */
  readonly link?: string
}

/**
 * The book of logs that are kept for a while after their Instance: one file, a line for each, appended to. A line that a killed
 * server didn't write is made up for at the next opening, when a log has no Instance and no line.
 */
export class RetiredLogs {
  readonly #path: string
  readonly #entries = new Map<InstanceId, RetiredLog>()
  #lines: string[] = []
  #writing: Promise<void> = Promise.resolve()

  constructor(path: string) {
    this.#path = path
  }

  open(): void {
    for (const entry of readLines(this.#path)) {
      // Taken back: the Instance was started again.
      if (entry.epoch === 0) this.#entries.delete(entry.instance)
      else this.#entries.set(entry.instance, entry)
    }
  }

  has(instance: InstanceId): boolean {
    return this.#entries.has(instance)
  }

  add(entry: RetiredLog): Promise<void> {
    this.#entries.set(entry.instance, entry)
    return this.#append(entry)
  }

  /** The log has an Instance again. */
  async revoke(instance: InstanceId): Promise<void> {
    if (this.#entries.delete(instance)) await this.#append({ instance, epoch: 0 })
  }

  /** Those retired before `epoch`. */
  before(epoch: Millis): readonly RetiredLog[] {
    return [...this.#entries.values()].filter((entry) => entry.epoch <= epoch)
  }

  /** They are deleted: the book is written anew without them. */
  async drop(gone: readonly RetiredLog[]): Promise<void> {
    for (const entry of gone) if (this.#entries.get(entry.instance) === entry) this.#entries.delete(entry.instance)
    await this.#inTurn(async () => {
      this.#lines = []
      await writeFile(`${this.#path}.tmp`, [...this.#entries.values()].map(lineOf).join(''), { mode: 0o600 })
      // What was added meanwhile: entries are appended behind, once more at worst.
      renameSync(`${this.#path}.tmp`, this.#path)
    })
  }

  close(): Promise<void> {
    return this.#writing
  }

  #append(entry: RetiredLog): Promise<void> {
    this.#lines.push(lineOf(entry))
    return this.#inTurn(async () => {
      // The first of many that came at once writes for all.
      const lines = this.#lines.join('')
      this.#lines = []
      if (lines !== '') await appendFile(this.#path, lines, { mode: 0o600 })
    })
  }

  #inTurn(task: () => Promise<void>): Promise<void> {
    const result = this.#writing.then(task)
    this.#writing = result.catch(() => {
      // The caller of this task has it; the next one isn't concerned.
    })
    return result
  }
}

function lineOf(entry: RetiredLog): string {
  return `${JSON.stringify(entry)}\n`
}

function readLines(path: string): RetiredLog[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (err) {
    if (isMissing(err)) return []
    throw err
  }
  return text.split('\n').flatMap((line) => {
    try {
      // Written by this class alone.
      return line === '' ? [] : [JSON.parse(line) as RetiredLog]
    } catch {
      // Half a line, of a server killed while writing it: its log is found without one.
      return []
    }
  })
}
