import type { ApiObject } from '../api/object.ts'
import { BoundedMap } from '../base/bounded-map.ts'
import { jsonOf } from '../registry/object-text.ts'

/** The object without all but its metadata. */
export function metadataJsonOf(object: ApiObject): string {
  return `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":${JSON.stringify(object.metadata)}}`
}

export interface ListHead {
  readonly resourceVersion: string
  readonly continue?: string
  readonly remainingItemCount?: number
}

/** Objects in one piece of a list: about half a megabyte, which takes a few milliseconds. */
const ITEMS_A_PIECE = 128

/** A list, each item as `render` gives it; a long one in pieces. */
export function listJson<T>(
  type: { readonly kind: string; readonly apiVersion: string },
  head: ListHead,
  items: readonly T[],
  render: (item: T) => string,
): string | Iterable<string> {
  const { kind, apiVersion } = type
  const start = `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":${JSON.stringify(listMetadata(head))},"items":[`
  return inPieces(start, items, render, ']}')
}

/** JSON that ends in a list; a long one in pieces. */
export function inPieces<T>(start: string, items: readonly T[], render: (item: T) => string, end: string): string | Iterable<string> {
  return items.length <= ITEMS_A_PIECE ? `${start}${items.map(render).join(',')}${end}` : pieces(start, items, render, end)
}

function* pieces<T>(start: string, items: readonly T[], render: (item: T) => string, end: string): Generator<string, void, undefined> {
  yield start
  for (let from = 0; from < items.length; from += ITEMS_A_PIECE) {
    const piece = items
      .slice(from, from + ITEMS_A_PIECE)
      .map(render)
      .join(',')
    yield from === 0 ? piece : `,${piece}`
  }
  yield end
}

export function listMetadata({ resourceVersion, continue: next, remainingItemCount }: ListHead): object {
  return {
    resourceVersion,
    ...(next === undefined ? {} : { continue: next }),
    ...(remainingItemCount === undefined ? {} : { remainingItemCount }),
  }
}

type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED'

/** Newest lines of watches: as many as a burst of changes that reaches all watchers of a kind. */
const LINES_KEPT = 256
const lines = new BoundedMap<ApiObject, { readonly type: ChangeType; readonly bytes: Buffer }>(LINES_KEPT)

/** The line of an event in a watch: made once for all watchers, who get the event at about the same time. */
export function eventLine(type: ChangeType, object: ApiObject): Buffer {
  const known = lines.get(object)
  if (known?.type === type) return known.bytes
  const bytes = Buffer.from(`{"type":"${type}","object":${jsonOf(object)}}\n`)
  lines.set(object, { type, bytes })
  return bytes
}
