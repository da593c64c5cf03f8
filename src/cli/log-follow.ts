import { definitionOf } from '../api/scheme.ts'
import { hasReason } from '../api/status.ts'
import { isAbort } from '../base/abort.ts'
import { type Clock, epochOf, type Millis, sleep, timestampOf } from '../base/clock.ts'
import type { HttpClient } from '../client/http-client.ts'
import type { Instance } from '../generated/types.ts'
import { LogWindow } from './log-seam.ts'
import { pathOf } from './resources.ts'

/** Parameters of a log, as the server takes them. */
export interface LogParameters {
  readonly previous?: boolean
  readonly timestamps?: boolean
  readonly sinceSeconds?: number
  readonly sinceTime?: string
  readonly tailLines?: number
  readonly limitBytes?: number
}

export interface LogSource {
  readonly client: HttpClient
  readonly clock: Clock
  readonly instance: Instance
  readonly parameters: LogParameters
  readonly signal: AbortSignal
}

/** How long to wait before a server that is gone is asked again. */
const RETRY: Millis = 250
/** What is read anew begins so long before the last output: times of lines are good to a second, and clocks differ. */
const OVERLAP: Millis = 10_000

/** The output as it is now. */
export async function* readLog({ client, instance, parameters, signal }: LogSource): AsyncGenerator<Uint8Array, void, undefined> {
  const response = await client.request({ method: 'GET', path: logPath(instance), query: { ...parameters }, signal })
  try {
    yield* response.body
  } finally {
    response.cancel()
  }
}

/**
 * The output as it comes, until the Instance is gone. When the server goes away it waits for the next one, and goes on where
 * it was: the end of what was shown is looked for in what is read anew. Only output that is not to be found there (stdout and
 * stderr in files of their own, or rotated away) is told from the last seconds on, with a word to `onNote`.
 */
export async function* followLog(source: LogSource, onNote: (text: string) => void): AsyncGenerator<Uint8Array, void, undefined> {
  const { client, clock, parameters, signal } = source
  const { metadata } = source.instance
  const window = new LogWindow({ stamped: parameters.timestamps === true })
  let left = parameters.limitBytes ?? Number.POSITIVE_INFINITY
  let lastHeard = clock.now()
  let next: AsyncIterable<Uint8Array> = stream(source, parameters)
  for (;;) {
    try {
      for await (const bytes of next) {
        if (bytes.length === 0) continue
        const kept = bytes.subarray(0, left)
        left -= kept.length
        lastHeard = clock.now()
        window.add(kept, epochOf(lastHeard))
        yield kept
        if (left <= 0) return
      }
    } catch (err) {
      if (isAbort(err, signal)) throw err
      // An agent that has just come up doesn't know its Instances yet: whether this one is gone its object tells.
      if (!hasReason(err, 'ServiceUnavailable') && !hasReason(err, 'NotFound')) throw err
    }
    const instance = await whenBack(client, clock, source.instance, signal)
    if (instance === undefined || instance.metadata.uid !== metadata.uid || instance.metadata.deletionTimestamp !== undefined) return
    next = window.isEmpty
      ? stream(source, parametersWithout(parameters, lastHeard))
      : resumed(source, window, epochOf(lastHeard) - OVERLAP, onNote)
  }
}

async function* stream({ client, instance, signal }: LogSource, parameters: LogParameters): AsyncGenerator<Uint8Array, void, undefined> {
  const { limitBytes: _, ...query } = parameters
  const response = await client.request({ method: 'GET', path: logPath(instance), query: { ...query, follow: true }, signal })
  try {
    yield* response.body
  } finally {
    response.cancel()
  }
}

/** What comes after the end of the window. Runs that ended while nobody was connected are read first. */
async function* resumed(
  source: LogSource,
  window: LogWindow,
  since: Millis,
  onNote: (text: string) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const parameters = { sinceTime: timestampOf(since), ...(source.parameters.timestamps === true && { timestamps: true }) }
  const seam = window.seam(since)
  for await (const bytes of readLog({ ...source, parameters: { ...parameters, previous: true } })) yield seam.feed(bytes)
  let known = 0
  for await (const bytes of readLog({ ...source, parameters })) {
    known += bytes.length
    yield seam.feed(bytes)
  }
  yield seam.end()
  if (seam.isLost) onNote('the connection was lost, and the place is not to be found again: some lines may be missing or told twice')
  // The same beginning gives the same bytes: now with what is yet to come.
  for await (const bytes of stream(source, parameters)) {
    const fresh = bytes.subarray(known)
    known = Math.max(0, known - bytes.length)
    yield fresh
  }
}

/** The Instance once a server answers; undefined when it is gone. */
async function whenBack(client: HttpClient, clock: Clock, { metadata }: Instance, signal: AbortSignal): Promise<Instance | undefined> {
  const { name, namespace } = metadata
  for (;;) {
    // Also after an end without a failure: a server that says goodbye properly must not be asked again at once.
    await sleep(clock, RETRY, signal)
    try {
      return await client.for('Instance').get(namespace === undefined ? { name } : { name, namespace }, { signal })
    } catch (err) {
      if (hasReason(err, 'NotFound')) return undefined
      if (!hasReason(err, 'ServiceUnavailable')) throw err
    }
  }
}

/** Nothing was there to be told when it was asked for, so all there is now is new. */
function parametersWithout({ tailLines, ...parameters }: LogParameters, since: string): LogParameters {
  return tailLines === undefined ? parameters : { ...(parameters.timestamps === true && { timestamps: true }), sinceTime: since }
}

function logPath({ metadata }: Instance): string {
  return `${pathOf(definitionOf('Instance'), metadata.namespace, metadata.name)}/log`
}
