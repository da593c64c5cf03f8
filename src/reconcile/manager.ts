import { onAbort } from '../base/abort.ts'

/** Something that lives until its signal. */
export interface Runnable {
  run(signal: AbortSignal): Promise<void>
}

/**
 * Runs groups of things until the signal: later groups are stopped before earlier ones, so that whatever a part stands on is
 * there until that part has ended. When one part fails, all are stopped and its failure is passed on.
 */
export async function runAll(groups: readonly (readonly Runnable[])[], signal: AbortSignal): Promise<void> {
  const failure = new AbortController()
  const stop = AbortSignal.any([signal, failure.signal])
  const scopes = groups.map((group) => ({ group, controller: new AbortController() }))
  const failures: unknown[] = []
  const ends = scopes.map(({ group, controller }) =>
    Promise.all(
      group.map((part) =>
        part.run(controller.signal).catch((err: unknown) => {
          failures.push(err)
          failure.abort()
        }),
      ),
    ),
  )
  await new Promise<void>((resolve) => onAbort(stop, resolve))
  for (let at = scopes.length - 1; at >= 0; at--) {
    scopes[at]?.controller.abort(signal.reason)
    await ends[at]
  }
  if (failures.length > 0) throw failures[0]
}
