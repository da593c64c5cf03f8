import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../base/log.ts'
import { runTool, type SpawnChild } from './child.ts'
import type { HostTools } from './host.ts'
import { hasCode, isMissing } from './state-dir.ts'

/** Directories handed to one `rm`. */
const BATCH = 200

/**
 * Where directories go to be deleted. One rename takes a directory away for good; its files are deleted in the background by
 * a process of their own, since each of them may wait for the file system's journal.
 */
export class Trash {
  readonly #directory: string
  readonly #host: HostTools
  readonly #spawn: SpawnChild
  readonly #log: Logger
  #waiting: string[] = []
  #emptying: Promise<void> | undefined
  #closed = false

  constructor(options: { readonly directory: string; readonly host: HostTools; readonly spawn: SpawnChild; readonly log: Logger }) {
    this.#directory = options.directory
    this.#host = options.host
    this.#spawn = options.spawn
    this.#log = options.log
  }

  /** What an earlier server had no time to delete is deleted too. */
  open(): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    this.#waiting.push(...readdirSync(this.#directory))
    this.#empty()
  }

  /** When it resolves there is nothing at this path, now and after a crash. Nothing there before is no error. */
  async discard(path: string): Promise<void> {
    const name = randomUUID()
    try {
      await rename(path, join(this.#directory, name))
    } catch (err) {
      if (isMissing(err)) return
      if (!hasCode(err, 'EXDEV')) throw err
      await rm(path, { recursive: true, force: true })
      return
    }
    this.#waiting.push(name)
    this.#empty()
  }

  /** What waits still is left to the next server. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#emptying
  }

  #empty(): void {
    if (this.#closed || this.#waiting.length === 0) return
    this.#emptying ??= this.#emptyNow()
      .catch((err: unknown) => this.#log.warn({ err }, 'Could not delete what was removed'))
      .finally(() => {
        this.#emptying = undefined
        this.#empty()
      })
  }

  async #emptyNow(): Promise<void> {
    const tool = this.#host.tools.get('rm')
    const paths = this.#waiting.splice(0, BATCH).map((name) => join(this.#directory, name))
    if (tool === undefined) {
      for (const path of paths) await rm(path, { recursive: true, force: true })
      return
    }
    const { code, stderr } = await runTool(this.#spawn, tool, ['-rf', '--', ...paths])
    if (code !== 0) throw new Error(`rm: ${stderr}`)
  }
}
