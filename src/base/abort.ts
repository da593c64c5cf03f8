import { setMaxListeners } from 'node:events'

/** True for the error that an aborted wait throws: the end that its owner asked for, not a failure. */
export function isAbort(err: unknown, signal: AbortSignal): boolean {
  return signal.aborted && (err === signal.reason || (err instanceof Error && err.name === 'AbortError'))
}

/** Resolves once the signal has fired. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** Calls `fn` when the signal fires, or at once if it has; the returned function takes it back. */
export function onAbort(signal: AbortSignal, fn: () => void): () => void {
  if (signal.aborted) {
    fn()
    return () => {}
  }
  // One signal ends hundreds of watches at a shutdown; Node takes more than ten listeners for a leak and warns.
  setMaxListeners(0, signal)
  signal.addEventListener('abort', fn, { once: true })
  return () => signal.removeEventListener('abort', fn)
}
