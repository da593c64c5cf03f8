import type { Millis, Timestamp } from '../base/clock.ts'
import type { Termination, Transition } from '../generated/types.ts'

/** A moment in both senses: `now` for people, `monotonic` with the boot it belongs to for reckoning. */
export interface Time {
  readonly now: Timestamp
  readonly monotonic: Millis
  readonly bootId: string
}

/** Why a program is started or stopped, and who asked for it where somebody did. */
export interface Cause {
  readonly cause: string
  readonly message: string
  readonly actor?: string
}

export type StopReason =
  | 'Deleted'
  | 'StopRequested'
  | 'Rollout'
  | 'RestartRequested'
  | 'DependencyRestarted'
  | 'LivenessProbeFailed'
  | 'StartupProbeFailed'

export interface Flag {
  readonly value: boolean
  /** When it last changed. */
  readonly at: Timestamp
  readonly message?: string
}

/** The spec fields that, once changed, ask for a new start: as they were at the last one. */
export interface Launched {
  readonly revision: string
  readonly restartedAt?: string
  readonly rolloutRestartedAt?: string
}

/** A start that is decided; on disk before the program runs, so that no attempt is made twice under two numbers. */
export interface StartIntent {
  readonly attempt: number
  readonly cause: Cause
  /** The next preStart hook. */
  readonly hook: number
  /** Not after a death: what it refers to is read anew before. */
  readonly fresh: boolean
}

export interface RunMemory {
  readonly attempt: number
  readonly startedAt: Timestamp
  readonly started: Flag
  readonly ready: Flag
  /** Its processes were frozen when last looked at. */
  readonly paused?: boolean
  /** The next postStart hook. */
  readonly postStart: number
  /** Its end has been counted. */
  readonly over: boolean
  /** The next postStop hook. */
  readonly postStop: number
  /** Nothing of it is left and its postStop hooks are done: the next start may come. */
  readonly cleaned: boolean
  /** When its tree was last killed because it had left processes behind. */
  readonly sweptAt?: Millis
  /** For each dependency the attempts that its Instances were at: a higher number later means that it was restarted. */
  readonly dependencies: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** How far a stop has come. */
export interface StopMemory {
  readonly attempt: number
  readonly reason: StopReason
  readonly cause: Cause
  readonly askedAt: Millis
  readonly stage: 'hooks' | 'steps' | 'kill'
  /** The next hook, or the present step. */
  readonly index: number
  /** When the present step began; absent: it has not. */
  readonly since?: Millis
}

/**
 * What the agent must not forget of one Instance. It lies beside the run as JSON and is saved before the effects that it
 * explains. All monotonic times belong to the boot `bootId`.
 */
export interface Memory {
  readonly format: 1
  readonly bootId: string
  /** The highest attempt number given out. */
  readonly attempt: number
  readonly restartCount: number
  /** Whether it was wanted when last looked at; a change to true is a request to start. */
  readonly wanted: boolean
  readonly suspended: boolean
  /** When it became wanted; absent once started. */
  readonly wantedAt?: Millis
  /** Since when dependencies hold it back. */
  readonly blockedAt?: Millis
  readonly launched?: Launched
  readonly starting?: StartIntent
  readonly run?: RunMemory
  readonly stop?: StopMemory
  /** Why the next start comes. `unasked`: it follows a death and counts as a restart. */
  readonly next?: Cause & { readonly unasked: boolean }
  /** Deaths in a row without a long enough life between them. */
  readonly failures: number
  /** When the backoff began. */
  readonly diedAt?: Millis
  /** The last failure was one to launch at all. */
  readonly startError?: { readonly reason: string; readonly message: string }
  /** How the last run ended by itself, until something asks for a new start. */
  readonly ended?: 'well' | 'badly'
  /** Starts after deaths, for restartLimit; newest last. */
  readonly restarts: readonly Millis[]
  readonly gaveUpAt?: Millis
  readonly lastTermination?: Termination
  readonly transitions: readonly Transition[]
}

/** An Instance never seen before. */
export function newMemory(time: Time): Memory {
  return {
    format: 1,
    bootId: time.bootId,
    attempt: 0,
    restartCount: 0,
    wanted: false,
    suspended: false,
    failures: 0,
    restarts: [],
    transitions: [],
  }
}

/** Undefined for a note of an unknown format or one that is damaged: the caller then starts from what it observes. */
export function parseMemory(note: string | undefined): Memory | undefined {
  if (note === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(note)
  } catch (err) {
    if (err instanceof SyntaxError) return undefined
    throw err
  }
  if (typeof value !== 'object' || value === null) return undefined
  const memory = value as Partial<Memory>
  const sound =
    memory.format === 1 &&
    typeof memory.bootId === 'string' &&
    Number.isInteger(memory.attempt) &&
    Number.isInteger(memory.failures) &&
    Array.isArray(memory.transitions) &&
    Array.isArray(memory.restarts)
  // Only this file's own serialisation has format 1, so the fields checked stand for all.
  return sound ? (memory as Memory) : undefined
}

/** What a run carries itself of the memory it was started from: a note may find no room on the disk. */
export type Memo = Pick<Memory, 'restartCount' | 'launched' | 'lastTermination'>

/** What a memo tells of an end at most, in characters: it is rewritten in place, in the room that its file has. */
const MEMO_MESSAGE = 256

export function memoOf({ restartCount, launched, lastTermination }: Memory): string {
  const memo: Memo = {
    restartCount,
    ...(launched === undefined ? {} : { launched }),
    ...(lastTermination === undefined ? {} : { lastTermination: inBrief(lastTermination) }),
  }
  return JSON.stringify(memo)
}

/** Without the program's last words, which are still in its log. */
function inBrief(termination: Termination): Termination {
  return change(termination, { tail: undefined, message: termination.message?.slice(0, MEMO_MESSAGE) })
}

/** Of a run that an earlier version started: undefined. */
export function parseMemo(memo: string | undefined): Memo | undefined {
  // Only memoOf makes them, and their file is read whole or not at all.
  return memo === undefined ? undefined : (JSON.parse(memo) as Memo)
}

/** Sets fields and takes away those given as undefined. */
export function change<T extends object>(base: T, changes: { readonly [K in keyof T]?: T[K] | undefined }): T {
  const entries = Object.entries({ ...base, ...changes }).filter(([, value]) => value !== undefined)
  // Every field of T is either as it was, set to its own type, or an optional one taken away.
  return Object.fromEntries(entries) as T
}
