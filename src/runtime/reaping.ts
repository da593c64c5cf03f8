import type { Clock, Millis } from '../base/clock.ts'
import { runTool, type SpawnChild } from './child.ts'
import type { HostTools } from './host.ts'
import { readStat } from './proc-stat.ts'
import { pause } from './process-tree.ts'
import type { HostGap } from './runtime.ts'

/** Init processes of small machines look for the dead from time to time only. */
const PATIENCE: Millis = 10_000

/** Its parent is gone when it ends. The parent's number stays readable as $$ in a subshell. */
const ORPHAN = '( while kill -0 $$; do :; done ) 2>/dev/null & echo $!'

const MESSAGE =
  'reaping: nobody waits for orphaned processes here, so they stay as zombies: give the container an init (docker run --init, or tini in front), or install perl or python3 in it'

export interface ReapingOptions {
  readonly spawn: SpawnChild
  readonly host: HostTools
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Called when it is found that nobody reaps, and again, with undefined, should somebody do it after all. */
  readonly onChange: (gap: HostGap | undefined) => void
}

/**
 * Makes an orphan and looks whether anybody waits for it when it has ended. Where nobody does, each process that outlives its
 * parent leaves a zombie, until the process table is full. Resolves when it has been reaped, or at the signal.
 */
export async function watchReaping({ spawn, host, clock, signal, onChange }: ReapingOptions): Promise<void> {
  const { stdout } = await runTool(spawn, host.shell, ['-c', ORPHAN])
  const orphan = Number(stdout.toString())
  const startTime = readStat(orphan)?.startTime
  if (startTime === undefined) return
  const end = clock.monotonic() + PATIENCE
  let isReported = false
  for (let wait = 10; !signal.aborted; wait = Math.min(wait * 2, PATIENCE / 4)) {
    if (readStat(orphan)?.startTime !== startTime) {
      if (isReported) onChange(undefined)
      return
    }
    if (!isReported && clock.monotonic() > end) {
      isReported = true
      onChange({ field: 'reaping', message: MESSAGE })
    }
    await pause(clock, wait)
  }
}
