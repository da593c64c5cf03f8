import { onAbort } from '../base/abort.ts'
import type { Clock, Millis } from '../base/clock.ts'

/** What ends an attempt early: its own timeout, or whoever asked for it. */
export interface Deadline {
  /** Fires for either. */
  readonly signal: AbortSignal
  /** True once the time is over, and the caller has not given up before. */
  isOver(): boolean
}

/** Calls `fn` with a deadline and takes the timer back when it is done. */
export async function withDeadline<T>(
  clock: Clock,
  timeout: Millis,
  signal: AbortSignal,
  fn: (deadline: Deadline) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  let over = false
  const cancel = clock.schedule(timeout, () => {
    over = true
    controller.abort()
  })
  const release = onAbort(signal, () => controller.abort(signal.reason))
  try {
    return await fn({ signal: controller.signal, isOver: () => over })
  } finally {
    cancel()
    release()
  }
}
