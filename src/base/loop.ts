import { isAbort } from './abort.ts'
import type { Backoff } from './backoff.ts'
import { type Clock, sleep } from './clock.ts'
import type { Logger } from './log.ts'

/**
 * Runs `body` again and again until the signal fires. When it throws, waits as the backoff says and goes on; when it
 * returns, the backoff starts over. Resolves quietly on abort, and for no other reason.
 */
export async function runForever(
  options: { readonly name: string; readonly clock: Clock; readonly log: Logger; readonly backoff: Backoff; readonly signal: AbortSignal },
  body: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { name, clock, log, backoff, signal } = options
  for (let failures = 0; !signal.aborted; ) {
    try {
      await body(signal)
      failures = 0
    } catch (err) {
      if (isAbort(err, signal)) return
      failures += 1
      const wait = backoff(failures)
      log.warn({ loop: name, err, retryInMs: wait }, 'Loop failed')
      await sleep(clock, wait, signal).catch(() => {
        // Only the abort ends this sleep early; the loop's condition sees it.
      })
    }
  }
}
