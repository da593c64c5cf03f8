import { definitionOf } from '../api/scheme.ts'
import { hasReason } from '../api/status.ts'
import { isAbort } from '../base/abort.ts'
import { type Clock, type Millis, sleep } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import type { HttpClient } from '../client/http-client.ts'
import { linesOf } from '../client/watch-decoder.ts'
import type { Instance } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
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
 * The output as it comes, until the Instance is gone. When the server goes away it waits for the next one, and goes on behind the
 * last piece it had, without losing or doubling a byte. What was rotated away before it could be read is told to `onNote`.
 */
export async function* followLog(source: LogSource, onNote: (text: string) => void): AsyncGenerator<Uint8Array, void, undefined> {
  const { client, clock, signal } = source
  const { limitBytes, ...parameters } = source.parameters
  let left = limitBytes ?? Number.POSITIVE_INFINITY
  let cursor: string | undefined
  for (;;) {
    const { timestamps = false } = parameters
    const query = cursor === undefined ? parameters : { timestamps, cursor }
    try {
      for await (const frame of frames(source, query)) {
        cursor = frame.cursor
        if (frame.skipped > 0) onNote(`${frame.skipped} bytes were rotated away before they could be read`)
        const bytes = frame.output.subarray(0, left)
        left -= bytes.length
        if (bytes.length > 0) yield bytes
        if (left <= 0) return
      }
    } catch (err) {
      if (isAbort(err, signal)) throw err
      // An agent that has just come up doesn't know its Instances yet: whether this one is gone its object tells.
      if (!hasReason(err, 'ServiceUnavailable') && !hasReason(err, 'NotFound')) throw err
    }
    const instance = await whenBack(client, clock, source.instance, signal)
    const { uid } = source.instance.metadata
    if (instance === undefined || instance.metadata.uid !== uid || instance.metadata.deletionTimestamp !== undefined) return
  }
}

interface Frame {
  readonly cursor: string
  readonly output: Buffer
  readonly skipped: number
}

async function* frames(
  { client, instance, signal }: LogSource,
  query: LogParameters & { readonly cursor?: string },
): AsyncGenerator<Frame, void, undefined> {
  const response = await client.request({
    method: 'GET',
    path: logPath(instance),
    query: { ...query, follow: true, frames: true },
    signal,
  })
  try {
    for await (const line of linesOf(response.body)) {
      const frame: unknown = JSON.parse(line)
      if (!isJsonObject(frame) || typeof frame.cursor !== 'string') throw new CliError('the server sent something that is no log')
      const { cursor, output, skipped } = frame
      yield {
        cursor,
        output: Buffer.from(typeof output === 'string' ? output : '', 'base64'),
        skipped: typeof skipped === 'number' ? skipped : 0,
      }
    }
  } finally {
    response.cancel()
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

function logPath({ metadata }: Instance): string {
  return `${pathOf(definitionOf('Instance'), metadata.namespace, metadata.name)}/log`
}
