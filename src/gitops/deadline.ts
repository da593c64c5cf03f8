import { onAbort } from '../base/abort.ts'
import type { Clock, Millis } from '../base/clock.ts'

/** What the work came to, or `late` when it was ended for taking longer than it may. Rejects as the work does otherwise. */
export async function withinDeadline<T>(
  { clock, timeout, signal }: { readonly clock: Clock; readonly timeout: Millis; readonly signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | 'late'> {
  const deadline = new AbortController()
  const cancel = clock.schedule(timeout, () => deadline.abort(new Error('timed out')))
  const stop = onAbort(signal, () => deadline.abort(signal.reason))
  try {
    return await work(deadline.signal)
  } catch (err) {
    if (!deadline.signal.aborted || signal.aborted) throw err
    return 'late'
  } finally {
    cancel()
    stop()
  }
}
