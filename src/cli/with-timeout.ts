import { setMaxListeners } from 'node:events'
import { onAbort } from '../base/abort.ts'
import type { Millis } from '../base/clock.ts'
import { CliError } from './cli-error.ts'
import type { Context } from './verb.ts'

/** Runs `work` with a signal that fires after `timeout` (0: never) or on Ctrl-C; too late is a CliError with `message`. */
export async function withTimeout<T>(
  ctx: Pick<Context, 'clock' | 'signal'>,
  timeout: Millis,
  message: string | (() => string),
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const end = new AbortController()
  // Many requests at once may listen to it.
  setMaxListeners(0, end.signal)
  const late = new Error('too late')
  const release = onAbort(ctx.signal, () => end.abort(ctx.signal.reason))
  const cancel = timeout > 0 ? ctx.clock.schedule(timeout, () => end.abort(late)) : undefined
  try {
    return await work(end.signal)
  } catch (err) {
    if (end.signal.reason !== late) throw err
    throw new CliError(typeof message === 'string' ? message : message(), { cause: err })
  } finally {
    cancel?.()
    release()
  }
}
