import type { ObjectKey } from '../api/object.ts'
import type { Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'

export interface ReconcileContext {
  readonly signal: AbortSignal
  readonly log: Logger
}

export interface Result {
  /** Look again then, whatever happens. Errors are retried with backoff without being asked. */
  readonly requeueAfter?: Millis
}

export interface Reconciler {
  /** Idempotent; reads everything it needs; gets a key and no event. Returning `{}` means: nothing to do until something changes. */
  reconcile(key: ObjectKey, context: ReconcileContext): Promise<Result>
}

/** Trying again cannot help: logged and shown in status, not retried. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError'
}
