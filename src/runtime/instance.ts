import type { FSWatcher } from 'node:fs'
import type { ProcessIdentity } from './proc-stat.ts'
import { RUN_GROUP, type TreeRoot } from './process-tree.ts'
import type { InstanceId, Run, RunId } from './runtime.ts'
import type { ExtraFile, RunFile } from './state-dir.ts'

/** What one runtime keeps in memory of one Instance. The directory is the truth; this is what was read of it last. */
export class Instance {
  readonly id: InstanceId
  file: RunFile | undefined
  extra: ExtraFile | undefined
  note: string | undefined
  run: Run | undefined
  shim: ProcessIdentity | undefined
  main: ProcessIdentity | undefined
  watcher: FSWatcher | undefined
  /** The newest run has ended and nothing of its tree is left: it need not be looked at again. */
  settled = false
  /** A SIGKILL was sent to this run's tree or main process by us. */
  killed: RunId | undefined
  /** A task follows a daemon or an orphan. */
  followed = false
  readonly #wakes = new Set<() => void>()
  #tail: Promise<unknown> = Promise.resolve()

  constructor(id: InstanceId) {
    this.id = id
  }

  get root(): TreeRoot {
    return {
      instance: this.id,
      marker: this.file?.id ?? this.id,
      group: RUN_GROUP,
      leader: this.main,
      shim: this.shim,
    }
  }

  /** One at a time, in order of asking. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task, task)
    this.#tail = result.catch(() => {
      // The caller of this task has it; the next one isn't concerned.
    })
    return result
  }

  wake(): void {
    for (const wake of [...this.#wakes]) wake()
  }

  onWake(fn: () => void): () => void {
    this.#wakes.add(fn)
    return () => this.#wakes.delete(fn)
  }
}
