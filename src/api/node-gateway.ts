import type { Timestamp } from '../base/clock.ts'

/** An Instance as an agent knows it. */
export interface InstanceTarget {
  readonly namespace: string
  readonly name: string
}

export interface LogQuery {
  readonly tailLines?: number
  readonly since?: Timestamp
  readonly previous?: boolean
  readonly follow?: boolean
  readonly timestamps?: boolean
  readonly limitBytes?: number
  /** Go on behind the piece that had this cursor. */
  readonly cursor?: string
}

export interface LogPiece {
  readonly bytes: Uint8Array
  /** The place behind these bytes, to go on from later. Opaque. */
  readonly cursor: string
  /** So many bytes before these were rotated away before they could be read. */
  readonly skipped: number
}

export interface ActionResult {
  /** Exit code of the command; 128 + number when a signal ended it, 124 when it ran into its timeout. */
  readonly exitCode: number
}

export interface InstanceUsage {
  readonly namespace: string
  readonly name: string
  readonly process: string
  /** Share of one core since the sample before, or since the start when there is none: 0.5 is half a core. */
  readonly cpu: number
  /** The time that `cpu` is the mean of. */
  readonly cpuWindowSeconds: number
  /** Seconds of processor time in all. */
  readonly cpuSeconds: number
  /** Bytes resident. */
  readonly memory: number
  readonly processes: number
  readonly threads: number
  readonly fds?: number
}

/**
 * What an API server asks of the agent of a Node: requests that are carried out once, and what is never stored. Failures are
 * ApiErrors: ServiceUnavailable for an Instance that the agent doesn't know yet, Conflict when the program doesn't run.
 */
export interface NodeGateway {
  /** The first piece is empty: it has the cursor of the beginning. BadRequest for a cursor that is none. */
  logs(target: InstanceTarget, query: LogQuery, signal: AbortSignal): AsyncIterable<LogPiece>
  /** To the main process. */
  signal(target: InstanceTarget, signal: string): Promise<void>
  reload(target: InstanceTarget, signal: AbortSignal): Promise<ActionResult & { readonly output: string }>
  /**
   * Freezes the program's processes, or lets them go on. BadRequest on a host that can freeze none. One that doesn't run can't be
   * paused, and isn't.
   */
  pause(target: InstanceTarget, paused: boolean): Promise<void>
  /** Output is given to `onOutput` as it comes. BadRequest names the actions there are when there is none of that name. */
  action(target: InstanceTarget, action: string, onOutput: (chunk: Uint8Array) => void, signal: AbortSignal): Promise<ActionResult>
  usage(target: InstanceTarget): Promise<InstanceUsage>
  usageOfAll(): Promise<readonly InstanceUsage[]>
}

/** Finds the agent of a Node. Throws ApiError(ServiceUnavailable) when it can't be reached. */
export type NodeGateways = (nodeName: string) => NodeGateway
