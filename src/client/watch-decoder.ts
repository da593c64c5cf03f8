import type { ApiObject } from '../api/object.ts'
import { ApiError, apiError, type Status } from '../api/status.ts'
import type { WatchEvent } from '../api/watch-event.ts'
import { isJsonObject } from '../base/json.ts'

const NEWLINE = 0x0a

/** No object is nearly as large; more without an end of line is no watch. */
const MAX_LINE: number = 16 * 1024 * 1024

/**
 * The events of a watch's body. Returns when the body ends cleanly. An ERROR event is thrown as the ApiError it holds, and a
 * line that is none is an ApiError, too: nothing is left out in silence.
 */
export async function* decodeWatch<T extends ApiObject>(body: AsyncIterable<Uint8Array>): AsyncGenerator<WatchEvent<T>, void, undefined> {
  for await (const line of linesOf(body)) yield decodeEvent<T>(line)
}

/** The lines of a body, without their ends. Text after the last one means that something was cut off: an ApiError. */
export async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  let parts: Uint8Array[] = []
  let held = 0
  for await (const chunk of body) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield textOf([...parts, chunk.subarray(start, end)])
      parts = []
      held = 0
      start = end + 1
    }
    if (start < chunk.length) parts.push(chunk.subarray(start))
    held += chunk.length - start
    if (held > MAX_LINE) throw apiError('InternalError', `the server sent more than ${MAX_LINE} bytes without an end of line`)
  }
  if (held > 0) throw apiError('ServiceUnavailable', 'the connection was lost in the middle of a line')
}

function textOf(parts: readonly Uint8Array[]): string {
  return Buffer.concat(parts).toString('utf8')
}

function decodeEvent<T extends ApiObject>(line: string): WatchEvent<T> {
  const event = parse(line)
  if (isJsonObject(event) && isJsonObject(event.object)) {
    const { type, object } = event
    switch (type) {
      case 'ADDED':
      case 'MODIFIED':
      case 'DELETED':
        // Of the kind that was asked for: the server checks what it stores.
        return { type, object: object as object as T }
      case 'BOOKMARK':
        return bookmarkOf(object)
      case 'ERROR':
        throw new ApiError(object as object as Status)
    }
  }
  throw apiError('InternalError', 'the server sent something that is no watch event')
}

function bookmarkOf(object: Readonly<Record<string, unknown>>): WatchEvent<never> {
  const metadata = isJsonObject(object.metadata) ? object.metadata : {}
  if (typeof metadata.resourceVersion !== 'string') throw apiError('InternalError', 'the server sent a bookmark without a resourceVersion')
  const annotations = isJsonObject(metadata.annotations) ? metadata.annotations : {}
  const bookmark = { type: 'BOOKMARK' as const, resourceVersion: metadata.resourceVersion }
  return annotations['k8s.io/initial-events-end'] === 'true' ? { ...bookmark, initialEventsEnd: true } : bookmark
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (err) {
    throw apiError('InternalError', 'the server sent a line that is not JSON', undefined, { cause: err })
  }
}
