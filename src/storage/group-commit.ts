export interface GroupCommitOptions<T> {
  /** Makes the entries durable, all or none. */
  readonly write: (entries: readonly T[]) => Promise<void>
  /** Called once they are, before anybody who waits for them is told. */
  readonly committed: (entries: readonly T[]) => void
  /** Called once when `write` failed; gives the error for all who wait. */
  readonly failed: (entries: readonly T[], cause: unknown) => Error
}

/** The longest batch: long enough that the sync's cost is spread thin, short enough that a newcomer waits for one short write. */
const LONGEST_BATCH = 512

interface Waiting<T> {
  readonly entry: T
  readonly resolve: () => void
  readonly reject: (err: Error) => void
}

/**
 * One write at a time; entries that arrive meanwhile share the next one, in their order. When a write fails, every entry
 * that waits fails with it, since it may build on what failed.
 */
export class GroupCommit<T> {
  readonly #options: GroupCommitOptions<T>
  #queue: Waiting<T>[] = []
  #running: Promise<void> | undefined

  constructor(options: GroupCommitOptions<T>) {
    this.#options = options
  }

  submit(entry: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ entry, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Resolves once nothing is queued or under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      // Whatever else this turn of the event loop brings, such as other requests just read, joins the batch.
      await new Promise<void>((resolve) => setImmediate(resolve))
      const batch = this.#queue.slice(0, LONGEST_BATCH)
      this.#queue = this.#queue.slice(LONGEST_BATCH)
      await this.#write(batch)
    }
    this.#running = undefined
  }

  async #write(batch: readonly Waiting<T>[]): Promise<void> {
    const entries = batch.map(({ entry }) => entry)
    try {
      await this.#options.write(entries)
    } catch (err) {
      const failure = this.#options.failed(entries, err)
      const behind = this.#queue
      this.#queue = []
      for (const { reject } of [...batch, ...behind]) reject(failure)
      return
    }
    this.#options.committed(entries)
    for (const { resolve } of batch) resolve()
  }
}
