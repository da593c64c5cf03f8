import type { Instance, InstanceStatus } from '../generated/types.ts'
import type { RunId } from '../runtime/runtime.ts'
import type { ActivityRunner } from './activity-runner.ts'
import type { Memory } from './memory.ts'
import type { ProbeWorker } from './probe-worker.ts'
import type { Observed } from './situation.ts'

/** What the agent holds in memory of one Instance. All but `memory`, which is also on disk, can be lost without harm. */
export interface TrackedInstance {
  readonly uid: string
  readonly probes: ProbeWorker
  readonly activities: ActivityRunner
  /** The last object seen: after it has vanished from the API, what to stop its program by. */
  instance: Instance | undefined
  memory: Memory | undefined
  startFailure: Observed['startFailure']
  requestedSignal: Observed['requestedSignal']
  /** The status reported last. */
  status: InstanceStatus | undefined
  /** The program's path in the present or last run. */
  command: readonly string[] | undefined
  /** Limits of logs that the runtime was told of. */
  logs: string | undefined
  /** The same of what the program may use. */
  limits: string | undefined
  /** The newest run, as seen last. */
  runId: RunId | undefined
  /** Whether it ran when last looked at. */
  running: boolean
}
