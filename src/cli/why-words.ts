import { sourceOfManager } from './source-words.ts'

/** Causes of transitions in words that follow `because of`. */
const CAUSES: Readonly<Record<string, string>> = {
  Adopted: 'a program that was found running',
  Backoff: 'the backoff',
  Crash: 'a crash',
  Created: 'its creation',
  Deleted: 'its deletion',
  DependantsFirst: 'others that depend on it and stop first',
  DependencyNotReady: 'a dependency that is not ready',
  DependencyRestarted: 'a dependency that was restarted',
  Exit: 'its own exit',
  ExitUnknown: 'an end that nobody saw',
  GaveUp: 'too many restarts',
  LivenessProbeFailed: 'a failed liveness probe',
  OOMKilled: 'the kernel, which killed it for want of memory',
  Paused: 'a pause that was asked for',
  PreStartHookFailed: 'a failed preStart hook',
  ReadinessProbeFailed: 'a failed readiness probe',
  Ready: 'its readiness probe, which passes',
  Reboot: 'a reboot of the machine',
  RestartRequested: 'a restart that was asked for',
  Resumed: 'the end of a suspension',
  Retry: 'another try after a failed start',
  RetryAfterGivingUp: 'another try after giving up',
  Rollout: 'a rollout',
  RunLost: 'a lost record of its run',
  ServerDrained: 'the stop of the server',
  SignalFromOutside: 'a signal from outside pmk',
  SignalRequested: 'a signal that was sent through pmk',
  StartRequested: 'a start that was asked for',
  StartupProbeFailed: 'a failed startup probe',
  StartupProbePassed: 'its startup probe, which passed',
  StopRequested: 'a stop that was asked for',
  Stopped: 'the end of its stop',
  Suspended: 'a suspension',
  Unpaused: 'the end of a pause',
}

export function causeText(cause: string): string {
  return Object.hasOwn(CAUSES, cause) ? (CAUSES[cause] ?? cause) : `a failed start (${cause})`
}

/** Causes that say something of a program that runs already, and not why it was started. */
export const NO_START: ReadonlySet<string> = new Set([
  'Ready',
  'ReadinessProbeFailed',
  'StartupProbePassed',
  'DependantsFirst',
  'Suspended',
  'Resumed',
  'Paused',
  'Unpaused',
])

/** Whoever wrote a field, as people know them: `pmk restart` for the manager `pmk-restart`. */
export function actorText(manager: string): string {
  if (manager === 'pmk') return 'pmk apply'
  const source = sourceOfManager(manager)
  if (source !== undefined) return `ManifestSource ${source.namespace}/${source.name}`
  return manager.startsWith('pmk-') ? `pmk ${manager.slice('pmk-'.length).replace('-', ' ')}` : manager
}

/** What to do about a start that failed, by its reason. */
export function startAdvice(reason: string, process: string): string {
  switch (reason) {
    case 'CommandNotFound':
      return 'Install the program, give its full path in spec.command, or name its directory in spec.searchPath.'
    case 'CommandNotExecutable':
      return 'Make the file executable (chmod +x), or run it through its interpreter in spec.command.'
    case 'WorkingDirMissing':
      return 'Make the directory, or correct spec.workingDir.'
    case 'StdinMissing':
      return 'Make the file, or correct spec.stdin.file.'
    case 'UserNotFound':
      return 'Make the user or group on this host, or correct spec.securityContext.'
    case 'NotPermitted':
      return 'Run the server as root (pmk server install), or take the field away that needs it.'
    case 'PreStartHookFailed':
      return `Its output tells more: pmk logs ${process}. The hooks are in spec.lifecycle.preStart.`
    case 'HostFailure':
      return 'It is the host that fails: see its memory, its number of processes, and the log of the server.'
    default:
      return `Correct what it names, then: pmk apply. The next try comes by itself, or now by: pmk start ${process}`
  }
}
