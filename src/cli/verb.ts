import type { Clock } from '../base/clock.ts'
import type { Connection } from './connect.ts'
import type { FlagSpecs, FlagValues } from './flags.ts'
import type { Io } from './io.ts'

/** What every verb is given. */
export interface Context {
  readonly io: Io
  readonly clock: Clock
  /** Fires on Ctrl-C and TERM. A verb that then ends, by return or by an abort error, makes exit code 130 (143). */
  readonly signal: AbortSignal
  /** Of -n, else `default`. */
  readonly namespace: string
  /** Whether -n was given. */
  readonly namespaceGiven: boolean
  readonly location: ServerLocation
  /** 0 quiet … 6 and above: requests are shown on standard error. */
  readonly verbosity: number
  /** All verbs. */
  readonly verbs: VerbTable
  /** Finds the server and checks that it is pmk's; the same connection each time. Throws CliError that says what to do. */
  connect(): Promise<Connection>
}

/** The flags about where the server is, and who asks it, as given. */
export interface ServerLocation {
  readonly dataDir?: string
  readonly server?: string
  readonly kubeconfig?: string
  /** Of the kubeconfig. */
  readonly context?: string
  readonly certificateAuthority?: string
  readonly token?: string
  readonly tokenFile?: string
  readonly clientCertificate?: string
  readonly clientKey?: string
}

export interface Invocation<F extends FlagSpecs> {
  readonly ctx: Context
  /** Words that are no flags. */
  readonly args: readonly string[]
  /** Words after `--`; undefined without one. */
  readonly rest: readonly string[] | undefined
  readonly flags: FlagValues<F>
  /** Names of the flags that were given. */
  readonly given: ReadonlySet<string>
}

/** One verb: a file that exports `verb`, entered in verbs.ts. */
export interface Verb<F extends FlagSpecs = FlagSpecs> {
  /** After `pmk`: `get KIND [NAME…]`. */
  readonly usage: string
  readonly description: string
  /** Whole command lines. */
  readonly examples?: readonly string[]
  readonly flags: F
  /** True: the verb ends by itself on ctx.signal, and its exit code stands. */
  readonly handlesSignals?: true
  /** Its exit code; nothing means 0. Failures are thrown: CliError and ApiError are printed well. */
  run(invocation: Invocation<F>): Promise<number | undefined>
}

export interface VerbEntry {
  readonly summary: string
  readonly group: VerbGroup
  /** True: not for people; not in the help. */
  readonly hidden?: true
  readonly load: () => Promise<{ readonly verb: Verb }>
}

export type VerbGroup = 'Objects' | 'Processes' | 'Server' | 'Other'

/** Verbs by the words that call them. */
export type VerbTable = Readonly<Record<string, VerbEntry>>

/** Gives `run` the types of the flags. */
export function defineVerb<const F extends FlagSpecs>(verb: Verb<F>): Verb {
  return verb as unknown as Verb
}
