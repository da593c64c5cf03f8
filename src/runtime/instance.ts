import type { FSWatcher } from 'node:fs'
import type { Clock, Millis } from '../base/clock.ts'
import type { ProcessIdentity } from './proc-stat.ts'
import { RUN_GROUP, type TreeRoot } from './process-tree.ts'
import type { InstanceId, InstanceRecord, Run, RunId } from './runtime.ts'
import { RUN_FORMAT } from './shim.ts'
import type { ExtraFile, RunFile } from './state-dir.ts'

/**
 * Between two looks without a file event. Events are what one waits for; looking by the clock is for those that get lost,
 * and hundreds may wait at once.
 */
const FIRST_WAIT: Millis = 2
const LONGEST_WAIT: Millis = 500

/** What one runtime keeps in memory of one Instance. The directory is the truth; this is what was read of it last. */
export class Instance {
  readonly id: InstanceId
  file: RunFile | undefined
  extra: ExtraFile | undefined
  note: string | undefined
  /** Number of the newest note on disk. */
  noteSequence = 0
  /** Which text its shim has. */
  format: string = RUN_FORMAT
  /** Names what a launch needs and that was found on this machine's own disks: to look again waits for nobody. */
  localFiles: string | undefined
  /** The directory is known to be complete. */
  laidOut = false
  /** Its place is being made ready for a shim. */
  expected: Promise<void> | undefined
  /** It is being removed. */
  leaving = false
  run: Run | undefined
  /** Time of the exit record that was there when the run was last looked at. */
  checkedRecord: number | undefined
  shim: ProcessIdentity | undefined
  main: ProcessIdentity | undefined
  watcher: FSWatcher | undefined
  /** The newest run has ended and nothing of its tree is left: it need not be looked at again. */
  settled = false
  /** A SIGKILL was sent to this run by us. */
  killed: RunId | undefined
  /** The Instance was removed: what still runs on its behalf ends. */
  removed = false
  /** Its processes are frozen because somebody asked for it. */
  paused = false
  /** The limits that it is known to have, as JSON. */
  limits: string | undefined
  /** A task follows a daemon or an orphan. */
  followed = false
  readonly #wakes = new Set<() => void>()
  #tail: Promise<unknown> = Promise.resolve()

  constructor(id: InstanceId) {
    this.id = id
  }

  get root(): TreeRoot {
    return { instance: this.id, marker: this.file?.id ?? this.id, group: RUN_GROUP, leader: this.main, shim: this.shim }
  }

  get record(): InstanceRecord {
    return { instance: this.id, run: this.run, note: this.note }
  }

  /** One at a time, in order of asking. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task, task)
    this.#tail = result.catch(() => {
      // The caller of this task has it; the next one isn't concerned.
    })
    return result
  }

  /** A file of the run directory was written. */
  wake(): void {
    for (const wake of [...this.#wakes]) wake()
  }

  /** Waits for `probe` to give something, asked again at each file event and from time to time. Undefined at the timeout or abort. */
  async until<T>(
    options: { readonly clock: Clock; readonly timeout: Millis; readonly signal: AbortSignal },
    probe: () => Promise<T | undefined> | T | undefined,
  ): Promise<T | undefined> {
    const { clock, timeout, signal } = options
    const end = clock.monotonic() + timeout
    for (let wait = FIRST_WAIT; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
      let isWoken = false
      let resume = (): void => {
        isWoken = true
      }
      const wake = (): void => resume()
      this.#wakes.add(wake)
      try {
        const found = await probe()
        if (found !== undefined) return found
        if (clock.monotonic() > end || signal.aborted) return undefined
        if (isWoken) continue
        await new Promise<void>((resolve) => {
          const cancel = clock.schedule(wait, resolve)
          resume = () => {
            cancel()
            resolve()
          }
        })
      } finally {
        this.#wakes.delete(wake)
      }
    }
  }
}
