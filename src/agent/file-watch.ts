import { stat } from 'node:fs/promises'
import { type Clock, type Millis, sleep } from '../base/clock.ts'

/** How often files are looked at. Polling misses nothing on any file system, and costs a stat each. */
const PERIOD: Millis = 2_000

/** A file as far as a change of it can be told. */
type Look = (path: string) => Promise<string>

/** What to watch for one Instance: only while its program runs. */
export interface WatchedFiles {
  readonly uid: string
  /** Another run starts from what the files are then. */
  readonly attempt: number
  readonly paths: readonly string[]
}

/** Tells when a file that a program has read at its start is another one: changed, replaced, removed or there anew. */
export class FileWatch {
  readonly #options: {
    readonly clock: Clock
    readonly watched: () => readonly WatchedFiles[]
    readonly onChange: (uid: string, path: string, signal: AbortSignal) => Promise<void>
    readonly look?: Look
  }
  readonly #seen = new Map<string, { readonly attempt: number; readonly looks: Map<string, string> }>()

  constructor(options: {
    readonly clock: Clock
    readonly watched: () => readonly WatchedFiles[]
    /** Called once for each Instance and look, with one of the files that changed. */
    readonly onChange: (uid: string, path: string, signal: AbortSignal) => Promise<void>
    readonly look?: Look
  }) {
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#lookAtAll(signal)
      await sleep(this.#options.clock, PERIOD, signal).catch(() => {
        // Only the abort ends this sleep early; the loop's condition sees it.
      })
    }
  }

  async #lookAtAll(signal: AbortSignal): Promise<void> {
    const watched = this.#options.watched()
    const uids = new Set(watched.map(({ uid }) => uid))
    for (const uid of this.#seen.keys()) if (!uids.has(uid)) this.#seen.delete(uid)
    for (const files of watched) {
      const changed = await this.#changedOf(files)
      if (changed !== undefined && !signal.aborted) await this.#options.onChange(files.uid, changed, signal)
    }
  }

  async #changedOf({ uid, attempt, paths }: WatchedFiles): Promise<string | undefined> {
    const look = this.#options.look ?? lookAt
    const before = this.#seen.get(uid)
    const looks = new Map<string, string>()
    for (const path of paths) looks.set(path, await look(path))
    this.#seen.set(uid, { attempt, looks })
    if (before === undefined || before.attempt !== attempt) return undefined
    return paths.find((path) => before.looks.has(path) && before.looks.get(path) !== looks.get(path))
  }
}

async function lookAt(path: string): Promise<string> {
  try {
    const { ino, dev, size, mtimeMs } = await stat(path)
    return `${dev}:${ino}:${size}:${mtimeMs}`
  } catch (err) {
    return (err as NodeJS.ErrnoException).code ?? 'unknown'
  }
}
