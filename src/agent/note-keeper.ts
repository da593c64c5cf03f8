import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { InstanceId, ProcessRuntime } from '../runtime/runtime.ts'
import type { Memory } from './memory.ts'

/** What nothing has been done about yet may wait so long for the disk: from an older note the same follows once more. */
const LATER: Millis = 250

export interface NoteKeeperOptions {
  readonly runtime: Pick<ProcessRuntime, 'saveNote'>
  readonly clock: Clock
  readonly log: Logger
}

/** Keeps the memories on disk: at once where an effect follows that they must survive, and otherwise soon, many changes in one write. */
export class NoteKeeper {
  readonly #options: NoteKeeperOptions
  readonly #saved = new Map<string, string>()
  readonly #waiting = new Map<string, { readonly memory: Memory; readonly cancel: () => void }>()

  constructor(options: NoteKeeperOptions) {
    this.#options = options
  }

  /** What is on disk, as it was found. */
  found(uid: string, note: string | undefined): void {
    if (note !== undefined) this.#saved.set(uid, note)
  }

  async save(uid: string, memory: Memory): Promise<void> {
    this.#waiting.get(uid)?.cancel()
    this.#waiting.delete(uid)
    const note = JSON.stringify(memory)
    if (note === this.#saved.get(uid)) return
    await this.#options.runtime.saveNote(uid as InstanceId, note)
    this.#saved.set(uid, note)
  }

  saveSoon(uid: string, memory: Memory): void {
    const { clock, log } = this.#options
    const cancel =
      this.#waiting.get(uid)?.cancel ??
      clock.schedule(LATER, () => {
        const last = this.#waiting.get(uid)?.memory ?? memory
        this.save(uid, last).catch((err: unknown) => log.warn({ uid, err }, 'Note could not be saved'))
      })
    this.#waiting.set(uid, { memory, cancel })
  }

  /** The Instance is gone, and its note with it. */
  forget(uid: string): void {
    this.#waiting.get(uid)?.cancel()
    this.#waiting.delete(uid)
    this.#saved.delete(uid)
  }

  /** Writes all that waits. */
  async flush(): Promise<void> {
    for (const [uid, { memory }] of [...this.#waiting]) await this.save(uid, memory)
  }
}
