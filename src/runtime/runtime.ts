import type { Millis, Timestamp } from '../base/clock.ts'

declare const instanceIdBrand: unique symbol
/** The uid of an Instance: what directories, cgroups and logs are named by. */
export type InstanceId = string & { readonly [instanceIdBrand]: true }

declare const runIdBrand: unique symbol
/** One attempt to run one Instance: `<instance id>.<attempt>`. The caller chooses it, so `start` is idempotent. */
export type RunId = string & { readonly [runIdBrand]: true }

/** A signal's name without `SIG`: `TERM`, `HUP`, `RTMIN+1`. */
export type SignalName = string

export interface Rlimit {
  readonly soft: number | 'unlimited'
  readonly hard: number | 'unlimited'
}

/** Who runs a program, in numbers: names are looked up by `resolveIdentity`. */
export interface Identity {
  readonly uid: number
  readonly gid: number
  readonly supplementalGroups: readonly number[]
  /** Name of `uid` in the user database, or the number as text. */
  readonly user: string
  readonly home: string
  readonly shell: string
}

/** All that shapes how a program is launched. The environment is complete: nothing else is passed on. */
export interface LaunchConfig {
  /** argv. The first word has a slash, or is looked up in `searchPath`. */
  readonly command: readonly [string, ...string[]]
  readonly searchPath: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly workingDir?: string
  /** Absent: the server's own user. */
  readonly identity?: Identity
  /** Octal digits, as `0027`. */
  readonly umask?: string
  readonly rlimits?: Readonly<Record<string, Rlimit>>
  readonly nice?: number
  readonly ioPriority?: { readonly class: 'RealTime' | 'BestEffort' | 'Idle'; readonly level?: number }
  readonly oomScoreAdj?: number
  /** A list of CPUs as `taskset -c` takes it: `0-3,6`. */
  readonly cpuAffinity?: string
  readonly noNewPrivileges?: boolean
  readonly capabilities?: { readonly add: readonly string[]; readonly drop: readonly string[] }
  readonly stdinFile?: string
  /** What the program can't write to, with all below; of two paths the deeper one decides. Absolute, like all of these. */
  readonly readOnlyPaths?: readonly string[]
  readonly writablePaths?: readonly string[]
  /** Files and directories in whose places it sees empty ones that can't be read. */
  readonly hiddenPaths?: readonly string[]
  /** `/tmp` and `/var/tmp` are the Instance's own, until it is removed. */
  readonly privateTmp?: boolean
}

export interface LogConfig {
  /** Bytes of the live file at which it is rotated. */
  readonly maxSize: number
  /** How many archives are kept beside the live file. */
  readonly maxFiles: number
  readonly compress: boolean
  /** False: standard error goes to a file of its own, `log.err`. */
  readonly mergeStderr: boolean
}

/** What the program of an Instance may use, all its processes and the commands run beside it together. Absent: no limit. */
export interface Limits {
  /** Cores: 1.5 is one and a half. */
  readonly cpu?: number
  /** Bytes. */
  readonly memory?: number
  /** Processes and threads. */
  readonly pids?: number
}

export interface RunConfig extends LaunchConfig {
  readonly id: RunId
  readonly instance: InstanceId
  /** For people: the link to the log directory is `logs/<namespace>/<name>`. */
  readonly namespace: string
  readonly name: string
  /** A daemon that insists on forking: after the first process has ended with 0, the main process is the one named here. */
  readonly forking?: { readonly pidFile: string }
  readonly logs: LogConfig
  readonly limits?: Limits
  /** True for one that has waited already, as after a row of failures: when there are many, others start first. */
  readonly patient?: boolean
  /** A few words of the caller's that the run tells for ever, also when `saveNote` found no room on the disk. No secrets. */
  readonly memo?: string
}

/** `oomKills`: how many processes of the run the kernel killed for want of memory; absent: none, or nobody counted. */
export type Exit =
  | { readonly by: 'code'; readonly code: number; readonly at: Timestamp; readonly oomKills?: number }
  | { readonly by: 'signal'; readonly signal: SignalName; readonly at: Timestamp; readonly oomKills?: number }
  /** The exit can't be known: the shim was killed, the machine was restarted, the daemon had forked away. */
  | { readonly by: 'unknown'; readonly reason: 'ShimLost' | 'Reboot' | 'Forked'; readonly at: Timestamp }

interface RunBase {
  readonly id: RunId
  readonly instance: InstanceId
  readonly startedAt: Timestamp
  /** `startedAt` on the monotonic clock of this boot; 0 for a run of an earlier boot. */
  readonly startedAtMonotonic: Millis
  /** As it was given to `start`. */
  readonly memo?: string
}
export type Run =
  | (RunBase & {
      readonly state: 'running'
      readonly pid: number
      /** False: the shim is gone, the program runs on, its exit code will be unknown. */
      readonly supervised: boolean
      /** Its processes are frozen because `pause` was asked for. */
      readonly paused: boolean
    })
  | (RunBase & {
      readonly state: 'exited'
      readonly exit: Exit
      /** The end on the monotonic clock of this boot; 0 for a run of an earlier boot. */
      readonly exitedAtMonotonic: Millis
      /** Processes of the run's tree that are still there although the main process has ended. */
      readonly leftovers: boolean
    })

/** What the runtime knows of one Instance: its newest run and the caller's own note. */
export interface InstanceRecord {
  readonly instance: InstanceId
  /** Absent: nothing was ever started. */
  readonly run: Run | undefined
  /** What `saveNote` stored last; absent: nothing. */
  readonly note: string | undefined
}

/** A launch that cannot work, found before anything ran. `reason` is a CamelCase token for status, the message is for people. */
export class StartError extends Error {
  override readonly name = 'StartError'
  readonly reason:
    | 'CommandNotFound'
    | 'CommandNotExecutable'
    | 'WorkingDirMissing'
    | 'StdinMissing'
    | 'PathMissing'
    | 'UserNotFound'
    | 'NotPermitted'
    | 'ArgumentTooLong'
    | 'InvalidEnvironment'
    | 'HostFailure'

  constructor(reason: StartError['reason'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** Which processes a signal reaches: the main process, its process group, or all of the run's tree. */
export type SignalScope = 'Main' | 'Group' | 'Tree'

export interface ExecConfig extends LaunchConfig {
  /** The Instance on whose behalf it runs: its tree is accounted there where cgroups exist, and `remove` ends it. */
  readonly instance: InstanceId
  /** The command and all it started are killed then. */
  readonly timeout: Millis
  /** True for one of a crowd, such as a probe: it starts when others of its sort have, and the timeout counts from there. */
  readonly patient?: boolean
  /** Bytes of output kept, the last ones; more is dropped. */
  readonly maxOutput?: number
  /** Called with each piece of output (standard output and error together) as it comes. */
  readonly onOutput?: (chunk: Uint8Array) => void
}
export type ExecResult =
  | { readonly by: 'code'; readonly code: number; readonly output: string }
  | { readonly by: 'signal'; readonly signal: SignalName; readonly output: string }
  | { readonly by: 'timeout'; readonly output: string }

/** What a run's tree uses at this moment. */
export interface Usage {
  readonly processes: number
  readonly threads: number
  /** Seconds of processor time since the run began, of the processes alive or, with a cgroup, of all. */
  readonly cpuSeconds: number
  /**
   * Bytes: resident, added up over the processes or, where a cgroup counts them, all that the kernel has on their account
   * but for file pages that it could drop.
   */
  readonly memory: number
  readonly fds: number | undefined
}

export interface LogOptions {
  /** Only the last so many lines. */
  readonly tailLines?: number
  /** Only what was written at or after this time; as precise as the time index, about a second. */
  readonly since?: Timestamp
  /** The run before the present one instead. */
  readonly previous?: boolean
  /** Go on with what is written later, across rotations and restarts, until the signal. */
  readonly follow?: boolean
  /** Put the time in front of each line, RFC 3339 and a space. */
  readonly timestamps?: boolean
  readonly limitBytes?: number
  /** Go on behind the piece that had this cursor; then `tailLines`, `since` and `previous` don't matter. */
  readonly cursor?: string
  readonly signal: AbortSignal
}

/** Some output, and the place behind it. */
export interface LogPiece {
  readonly bytes: Uint8Array
  /**
   * Pass it back to go on behind these bytes, without losing or doubling one: it holds as long as the Instance does, over rotations
   * and over restarts of the program and of the caller. Opaque.
   */
  readonly cursor: string
  /** So many bytes before these were rotated away before they could be read. */
  readonly skipped: number
}

/** Something that happened to an Instance beside its life and death, for people. */
export interface Notice {
  readonly instance: InstanceId
  /** LogDropped: it wrote faster than its log can be kept. LogTruncated: it emptied its log itself. */
  readonly reason: 'LogDropped' | 'LogTruncated'
  readonly message: string
}

/**
 * What this host can't do, each with a sentence and the field of LaunchConfig it concerns, `limits.cpu` and so on, `processTree`
 * for tracking trees, or `pause`.
 */
export interface HostGap {
  readonly field: string
  /** Only values below this one are concerned. */
  readonly below?: number
  readonly message: string
}

/**
 * Runs what it is told and says what is there: no policy, no timers of policy, no restart. Processes live on when the
 * caller ends; a new runtime on the same directory finds them again.
 */
export interface ProcessRuntime {
  /**
   * Takes over what earlier runtimes left on this directory. Called once, before all else. Afterwards `list` is complete.
   */
  open(): Promise<void>
  /**
   * Starts the program, or gives the run that already has this id. Resolves once the program's pid is known, or it has
   * ended. StartError when it can't be launched. A run of the same Instance that still lives is an error of the caller.
   */
  start(config: RunConfig): Promise<Run>
  /**
   * Sends a signal after checking that the process is still the same one. A run that is gone already is no error; answers how
   * many processes were reached.
   */
  signal(id: RunId, signal: SignalName, scope: SignalScope): Promise<number>
  /** Kills every process of the run's tree, those that fork meanwhile included. Resolves when none is left; throws when that can't be had. */
  killTree(id: RunId): Promise<void>
  /**
   * Freezes all processes of the run's tree, or lets them go on. A run that is gone already is no error. Idempotent; survives the
   * caller. Killing the tree ends it. Only where `hostGaps` has no `pause`.
   */
  pause(id: RunId, paused: boolean): Promise<void>
  /** True while a process of the run's tree is alive, main process or not. */
  treeAlive(id: RunId): Promise<boolean>
  /** Ends the Instance's shim and forgets its runs. Nothing of it may be alive. Its logs stay for `logRetention`. Idempotent. */
  remove(instance: InstanceId): Promise<void>
  /** The truth: every Instance started and not removed, dead ones and those from before a restart included. */
  list(): Promise<readonly InstanceRecord[]>
  get(instance: InstanceId): Promise<InstanceRecord | undefined>
  /** Keeps a few KiB of the caller's beside the Instance, durably against a crash of the caller, also before the first start. */
  saveNote(instance: InstanceId, note: string): Promise<void>
  /** A hint to look again sooner. May drop, double or come late. */
  changes(signal: AbortSignal): AsyncIterable<InstanceId>
  /** What somebody should know of Instances. Nothing is kept for those who come later. */
  notices(signal: AbortSignal): AsyncIterable<Notice>
  /** Bounds the Instance's program from now on; those limits that are in `hostGaps` aren't enforced. */
  setLimits(instance: InstanceId, limits: Limits): Promise<void>
  /** New limits of log size and number, taken up by the running program's log. */
  configureLogs(instance: InstanceId, logs: LogConfig): void
  /**
   * What the newest run wrote; `follow` goes on over later runs. Where standard error has a file of its own, it comes
   * behind standard output, or, when followed, as it is written. The first piece is empty: it has the cursor of the beginning.
   */
  logs(instance: InstanceId, options: LogOptions): AsyncIterable<LogPiece>
  /**
   * The last bytes of the newest run's output, at most `bytes`, from the start of a line where possible. Where standard error has a
   * file of its own and something is in it, that.
   */
  tail(instance: InstanceId, bytes: number): Promise<string>
  usage(id: RunId): Promise<Usage | undefined>
  /**
   * Runs a command to its end, in a session and a tree of its own that is no part of the run's; PMK_RUN in its environment is
   * set to a mark of its own. The whole tree is killed at the timeout or the signal, and what is left of it when the
   * command ends by itself. Rejects with the signal's reason when that ended it, with StartError when it can't be launched.
   */
  exec(config: ExecConfig, signal: AbortSignal): Promise<ExecResult>
  /** Reads a file as the user would. Throws an Error with a clear message when that user can't. At most 1 MiB. */
  readFileAs(path: string, identity: Identity | undefined): Promise<string>
  /** Looks users and groups up, by name or number. StartError(UserNotFound) with the name that is missing. */
  resolveIdentity(options: {
    readonly user?: string | number
    readonly group?: string | number
    readonly supplementalGroups?: readonly (string | number)[]
  }): Promise<Identity>
  /** The absolute path of a command. StartError(CommandNotFound) names the directories searched. */
  resolveCommand(command: string, searchPath: readonly string[], workingDir: string | undefined): Promise<string>
  /** As of now: that a limit can't be enforced may turn out when it is first asked for. */
  hostGaps(): readonly HostGap[]
  /** Stops watching and tending. Programs, shims and logs live on. */
  close(): Promise<void>
}

export function runId(instance: InstanceId, attempt: number): RunId {
  return `${instance}.${attempt}` as RunId
}

/** The attempt number of a run, counted from 1. */
export function attemptOf(id: RunId): number {
  return Number(id.slice(id.lastIndexOf('.') + 1))
}
