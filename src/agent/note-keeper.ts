import type { Clock, Millis } from '../base/clock.ts'
import { isDiskRefusal } from '../base/disk-error.ts'
import type { Logger } from '../base/log.ts'
import type { InstanceId, ProcessRuntime } from '../runtime/runtime.ts'
import type { Memory } from './memory.ts'

/** What nothing has been done about yet may wait so long for the disk: from an older note the same follows once more. */
const LATER: Millis = 250
/** A disk that refused a note is asked again after this long. */
const TRY_AGAIN: Millis = 2_000

export interface NoteKeeperOptions {
  readonly runtime: Pick<ProcessRuntime, 'saveNote'>
  readonly clock: Clock
  readonly log: Logger
}

/** Keeps the memories on disk: at once where an effect follows that they must survive, and otherwise soon, many changes in one write. */
export class NoteKeeper {
  readonly #options: NoteKeeperOptions
  readonly #saved = new Map<string, string>()
  /** Those whose newest note the disk did not take. */
  readonly #refusing = new Set<string>()
  #flushed = false
  readonly #waiting = new Map<string, { readonly memory: Memory; readonly cancel: () => void }>()

  constructor(options: NoteKeeperOptions) {
    this.#options = options
  }

  /** What is on disk, as it was found. */
  found(uid: string, note: string | undefined): void {
    if (note !== undefined) this.#saved.set(uid, note)
  }

  /**
   * Resolves when it is on disk, or when the disk refuses: supervision must not end with the room for it. What a server that
   * dies meanwhile can't read in the note, the next one finds out from the run itself and its memo.
   */
  async save(uid: string, memory: Memory): Promise<void> {
    this.#waiting.get(uid)?.cancel()
    this.#waiting.delete(uid)
    const note = JSON.stringify(memory)
    if (note === this.#saved.get(uid)) return
    try {
      await this.#options.runtime.saveNote(uid as InstanceId, note)
    } catch (err) {
      if (!isDiskRefusal(err)) throw err
      this.#refused(uid, memory, err)
      return
    }
    this.#saved.set(uid, note)
    this.#refusing.delete(uid)
  }

  saveSoon(uid: string, memory: Memory): void {
    this.#schedule(uid, memory, LATER)
  }

  /** The Instance is gone, and its note with it. */
  forget(uid: string): void {
    this.#waiting.get(uid)?.cancel()
    this.#waiting.delete(uid)
    this.#saved.delete(uid)
    this.#refusing.delete(uid)
  }

  /** Writes all that waits. */
  async flush(): Promise<void> {
    this.#flushed = true
    for (const [uid, { memory }] of [...this.#waiting]) await this.save(uid, memory)
  }

  #schedule(uid: string, memory: Memory, delay: Millis): void {
    const { clock, log } = this.#options
    const cancel =
      this.#waiting.get(uid)?.cancel ??
      clock.schedule(delay, () => {
        const last = this.#waiting.get(uid)?.memory ?? memory
        this.save(uid, last).catch((err: unknown) => log.warn({ uid, err }, 'Note could not be saved'))
      })
    this.#waiting.set(uid, { memory, cancel })
  }

  #refused(uid: string, memory: Memory, err: unknown): void {
    const { log } = this.#options
    if (this.#refusing.size === 0) log.error({ uid, err }, 'The disk takes no notes of Instances; supervision goes on without them')
    this.#refusing.add(uid)
    if (!this.#flushed) this.#schedule(uid, memory, TRY_AGAIN)
  }
}
