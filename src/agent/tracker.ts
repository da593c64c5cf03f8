import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Instance } from '../generated/types.ts'
import { probeOnce } from '../probe/probe.ts'
import type { ExecResult, InstanceId, ProcessRuntime } from '../runtime/runtime.ts'
import { ActivityRunner } from './activity-runner.ts'
import type { Launcher } from './launch.ts'
import { ProbeWorker } from './probe-worker.ts'
import type { TrackedInstance } from './tracked-instance.ts'

/** Of the output of a hook or probe, what can go into a message. */
const KEPT_OUTPUT = 4096

export interface TrackerOptions {
  readonly runtime: Pick<ProcessRuntime, 'exec'>
  readonly launcher: Launcher
  readonly instance: (uid: string) => Instance | undefined
  /** Something has come to an end that the policy should know of. */
  readonly enqueue: (uid: string) => void
  readonly clock: Clock
  readonly log: Logger
}

/** What the agent holds of each Instance, with the probes and hooks that go on for it. */
export class Tracker {
  readonly #options: TrackerOptions
  readonly #tracked = new Map<string, TrackedInstance>()

  constructor(options: TrackerOptions) {
    this.#options = options
  }

  get(uid: string): TrackedInstance | undefined {
    return this.#tracked.get(uid)
  }

  track(uid: string): TrackedInstance {
    const known = this.#tracked.get(uid)
    if (known !== undefined) return known
    const tracked: TrackedInstance = {
      uid,
      instance: undefined,
      memory: undefined,
      status: undefined,
      startFailure: undefined,
      requestedSignal: undefined,
      command: undefined,
      logs: undefined,
      limits: undefined,
      runId: undefined,
      running: false,
      probes: this.#probesOf(uid),
      activities: new ActivityRunner({
        run: ({ exec, timeout }, signal) => this.#exec(uid, exec.command, timeout, signal),
        onDone: () => this.#options.enqueue(uid),
      }),
    }
    this.#tracked.set(uid, tracked)
    return tracked
  }

  untrack(uid: string): void {
    this.#tracked.delete(uid)
  }

  /** Ends all probes and hooks. */
  stop(): void {
    for (const { probes, activities } of this.#tracked.values()) {
      probes.stop()
      activities.sync(undefined)
    }
  }

  #probesOf(uid: string): ProbeWorker {
    const { clock, log, enqueue } = this.#options
    return new ProbeWorker({
      uid,
      clock,
      log,
      attempt: (probe, signal) => {
        const exec = (command: readonly [string, ...string[]], timeout: Millis, stop: AbortSignal): Promise<ExecResult> =>
          this.#exec(uid, command, timeout, stop, { patient: true })
        return probeOnce(probe, { clock, exec, signal })
      },
      onVerdict: () => enqueue(uid),
    })
  }

  /** In the surroundings of the Instance's program, with what it was started with. */
  async #exec(
    uid: string,
    command: readonly [string, ...string[]],
    timeout: Millis,
    signal: AbortSignal,
    { patient = false }: { readonly patient?: boolean } = {},
  ): Promise<ExecResult> {
    const tracked = this.#tracked.get(uid)
    const instance = this.#options.instance(uid) ?? tracked?.instance
    if (instance === undefined) throw new Error('The Instance is gone')
    const launch = await this.#options.launcher.surroundings(instance, tracked?.memory?.attempt ?? 0, signal)
    return this.#options.runtime.exec({ ...launch, command, instance: uid as InstanceId, timeout, patient, maxOutput: KEPT_OUTPUT }, signal)
  }
}
