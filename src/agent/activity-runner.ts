import { isAbort } from '../base/abort.ts'
import { lastLine } from '../probe/exec.ts'
import type { ExecResult } from '../runtime/runtime.ts'
import type { Activity, ActivityState } from './situation.ts'

/** Runs the command of an activity in the surroundings of its program. */
export type RunCommand = (activity: Activity, signal: AbortSignal) => Promise<ExecResult>

/** The one hook or stop step of an Instance that may be under way. It is started, and given up, by saying what should be. */
export class ActivityRunner {
  readonly #run: RunCommand
  readonly #onDone: () => void
  #state: ActivityState | undefined
  #controller: AbortController | undefined

  constructor(options: { readonly run: RunCommand; readonly onDone: () => void }) {
    this.#run = options.run
    this.#onDone = options.onDone
  }

  get state(): ActivityState | undefined {
    return this.#state
  }

  /** Makes this activity be the one under way. Another one is killed. */
  sync(activity: Activity | undefined): void {
    if (activity !== undefined && activity.key === this.#state?.key) return
    this.#controller?.abort()
    this.#controller = undefined
    this.#state = undefined
    if (activity === undefined) return
    const controller = new AbortController()
    this.#controller = controller
    this.#state = { key: activity.key, state: 'running' }
    // Never rejects: a failure is the outcome that the policy is told of.
    void this.#carryOut(activity, controller.signal)
  }

  async #carryOut(activity: Activity, signal: AbortSignal): Promise<void> {
    let outcome: { readonly ok: boolean; readonly message: string }
    try {
      outcome = outcomeOf(activity, await this.#run(activity, signal))
    } catch (err) {
      if (isAbort(err, signal)) return
      outcome = { ok: false, message: err instanceof Error ? err.message : String(err) }
    }
    if (signal.aborted) return
    this.#state = { key: activity.key, state: 'done', ...outcome }
    this.#onDone()
  }
}

function outcomeOf({ exec, timeout }: Activity, result: ExecResult): { readonly ok: boolean; readonly message: string } {
  const command = exec.command[0]
  switch (result.by) {
    case 'code':
      return result.code === 0
        ? { ok: true, message: '' }
        : { ok: false, message: `${command} exited with code ${result.code}${lastLine(result.output)}` }
    case 'signal':
      return { ok: false, message: `${command} was ended by ${result.signal}${lastLine(result.output)}` }
    case 'timeout':
      return { ok: false, message: `${command} did not end within ${timeout / 1000} s` }
  }
}
