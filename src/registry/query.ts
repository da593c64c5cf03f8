import { invalidObject } from '../api/field-errors.ts'
import type { Cause } from '../api/status.ts'
import { onAbort } from '../base/abort.ts'
import type { Clock, Millis } from '../base/clock.ts'
import type { Revision, Store } from '../storage/store.ts'
import { badRequest, tooLargeResourceVersion } from './errors.ts'

/** How long a read waits for a resourceVersion that another server may have given out already. */
const WAIT_FOR_REVISION: Millis = 3_000

/** The revision that a client means; undefined when it says nothing. */
export function parseResourceVersion(text: string | undefined): Revision | undefined {
  if (text === undefined || text === '') return undefined
  const revision = Number(text)
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text) || !Number.isSafeInteger(revision)) {
    throw badRequest(`Invalid value: ${JSON.stringify(text)}: resourceVersion must be a number that the server gave out`)
  }
  return revision
}

/** Refuses query parameters that contradict each other, as Kubernetes does. */
export function refuseOptions(causes: readonly Cause[]): void {
  if (causes.length > 0) throw invalidObject(LIST_OPTIONS, '', causes)
}

/** Of this kind, as messages name it, are the parameters of lists and watches. */
const LIST_OPTIONS = { group: 'meta.k8s.io', kind: 'ListOptions' as never }

/** Waits until the store has reached `revision`; ApiError(Timeout) when it hasn't after some seconds. Ends quietly with the signal. */
export async function waitForRevision(store: Store, clock: Clock, revision: Revision, signal: AbortSignal | undefined): Promise<void> {
  if (revision <= store.revision()) return
  const stop = new AbortController()
  const cancelTimer = clock.schedule(WAIT_FOR_REVISION, () => stop.abort())
  const cancelSignal = signal === undefined ? (): void => {} : onAbort(signal, () => stop.abort())
  try {
    for await (const event of store.watch('', store.revision(), stop.signal)) if (event.revision >= revision) return
  } finally {
    cancelTimer()
    cancelSignal()
    stop.abort()
  }
  if (signal?.aborted !== true) throw tooLargeResourceVersion(revision, store.revision())
}
