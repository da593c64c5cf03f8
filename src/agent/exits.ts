import type { Millis, Timestamp } from '../base/clock.ts'
import { formatDuration } from '../base/duration.ts'
import { plainSignalName, signalNumberOf } from '../base/signals.ts'
import type { Termination } from '../generated/types.ts'
import type { Exit } from '../runtime/runtime.ts'
import type { Cause, StopReason } from './memory.ts'

/** Signals that a program brings on itself, by a fault or by a limit of its own. */
const OWN_FAULTS: ReadonlySet<string> = new Set(['SEGV', 'ABRT', 'BUS', 'FPE', 'ILL', 'SYS', 'TRAP', 'PIPE', 'XCPU', 'XFSZ', 'STKFLT'])

/** Whether an end counts as good. An unknown one doesn't. */
export function isSuccess(exit: Exit, successExitCodes: readonly (number | string)[]): boolean {
  switch (exit.by) {
    case 'code':
      return successExitCodes.some((code) => Number(code) === exit.code)
    case 'signal':
      return successExitCodes.some((code) => typeof code === 'string' && plainSignalName(code) === exit.signal)
    case 'unknown':
      return false
  }
}

/** Why a run that nobody asked to stop has ended. `requested`: the signal that somebody sent through pmk. */
export function causeOfDeath(exit: Exit, lived: Millis | undefined, requested: string | undefined): Cause {
  const after = lived === undefined ? '' : ` after ${formatLife(lived)}`
  switch (exit.by) {
    case 'code':
      return { cause: 'Exit', message: `Exited with code ${exit.code}${after}${oomText(exit)}` }
    case 'signal':
      if (requested === exit.signal) {
        return { cause: 'SignalRequested', message: `Ended by ${exit.signal}${after}, which was sent through pmk` }
      }
      if (exit.signal === 'KILL' && exit.oomKills !== undefined) {
        return { cause: OOM_KILLED, message: `Killed by the kernel${after}, for want of memory` }
      }
      if (OWN_FAULTS.has(exit.signal)) return { cause: 'Crash', message: `Crashed with ${exit.signal}${after}` }
      return {
        cause: 'SignalFromOutside',
        message: `Ended by ${exit.signal}${after}, which pmk did not send${exit.signal === 'KILL' ? '; the kernel sends it when memory runs out' : ''}`,
      }
    case 'unknown':
      return { cause: exit.reason === 'Reboot' ? 'Reboot' : 'ExitUnknown', message: unknownMessage(exit.reason) }
  }
}

/** The cause, and reason, of a death that the kernel brought about because memory had run out. */
export const OOM_KILLED = 'OOMKilled'

function oomText({ oomKills }: Exit & { readonly by: 'code' }): string {
  if (oomKills === undefined) return ''
  const what = oomKills === 1 ? 'one of its processes' : `${oomKills} of its processes`
  return `; the kernel had killed ${what} for want of memory`
}

/** The end of a run as status shows it. */
export function terminationOf(options: {
  readonly exit: Exit
  readonly startedAt: Timestamp
  readonly stop: { readonly reason: StopReason; readonly killed: boolean } | undefined
  readonly ok: boolean
  /** What it is put down to. */
  readonly cause: string
  readonly message: string
  readonly tail: string | undefined
}): Termination {
  const { startedAt, stop, ok, cause, message, tail } = options
  // A shim killed together with its program leaves no record, but then it was our own KILL.
  const exit: Exit =
    options.exit.by === 'unknown' && options.exit.reason === 'ShimLost' && stop?.killed === true
      ? { by: 'signal', signal: 'KILL', at: options.exit.at }
      : options.exit
  return {
    ...(exit.by === 'code' ? { exitCode: exit.code } : {}),
    ...(exit.by === 'signal' ? { exitCode: 128 + (signalNumberOf(exit.signal) ?? 0), signal: exit.signal } : {}),
    reason: stop === undefined && !ok && cause === OOM_KILLED ? OOM_KILLED : reasonOf(exit, stop?.reason, ok),
    message,
    startedAt,
    finishedAt: exit.at,
    ...(tail === undefined || tail === '' ? {} : { tail }),
  }
}

function reasonOf(exit: Exit, stopped: StopReason | undefined, ok: boolean): string {
  switch (stopped) {
    case 'Deleted':
    case 'StopRequested':
      return 'Stopped'
    case 'Rollout':
      return 'RolledOut'
    case 'RestartRequested':
    case 'DependencyRestarted':
      return 'Restarted'
    case 'LivenessProbeFailed':
    case 'StartupProbeFailed':
      return stopped
    case undefined:
      if (exit.by === 'unknown') return exit.reason === 'Reboot' ? 'Reboot' : 'Unknown'
      if (ok) return 'Completed'
      return exit.by === 'signal' ? 'Signaled' : 'Error'
  }
}

function unknownMessage(reason: 'ShimLost' | 'Reboot' | 'Forked'): string {
  switch (reason) {
    case 'Reboot':
      return 'Ended because the machine was restarted'
    case 'ShimLost':
      return 'Ended with an unknown exit code: its shim was killed before it'
    case 'Forked':
      return 'Ended with an unknown exit code, as a program that forks to the background does'
  }
}

/** Length of a life, in words that don't pretend more precision than people want. */
export function formatLife(lived: Millis): string {
  return formatDuration(lived < 10_000 ? Math.max(0, Math.round(lived)) : Math.round(lived / 1000) * 1000)
}
