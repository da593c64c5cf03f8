import type { SortedMap } from './sorted-map.ts'
import type { KeyValue, Page, Revision } from './store.ts'

export interface PageQuery {
  readonly prefix: string
  readonly revision: Revision
  /** What the keys that differ between `revision` and the view were then. */
  readonly past: ReadonlyMap<string, KeyValue | undefined>
  readonly after: string | undefined
  readonly limit: number | undefined
}

/** One page of the view as it was at `revision`. */
export function pageOf(view: SortedMap<KeyValue>, query: PageQuery): Page {
  const { prefix, revision, past } = query
  const limit = query.limit ?? Number.POSITIVE_INFINITY
  if (!(limit >= 1)) throw new RangeError(`A page's limit must be at least 1, got ${query.limit}`)
  const isAsked = (key: string): boolean => key.startsWith(prefix) && (query.after === undefined || key > query.after)

  const from = query.after !== undefined && query.after > prefix ? query.after : prefix
  const total = countOf(view, { prefix, from, past, isAsked })
  const items: KeyValue[] = []
  const found = past.size === 0 ? present(view, prefix, from, isAsked) : merged(view, { prefix, from, past, isAsked })
  for (const kv of found) {
    if (items.length >= limit) break
    items.push(kv)
  }
  const remaining = total - items.length
  const next = items.at(-1)?.key
  return remaining > 0 && next !== undefined ? { items, revision, next, remaining } : { items, revision, remaining }
}

interface Asked {
  readonly prefix: string
  readonly from: string
  readonly past: ReadonlyMap<string, KeyValue | undefined>
  readonly isAsked: (key: string) => boolean
}

function countOf(view: SortedMap<KeyValue>, { prefix, from, past, isAsked }: Asked): number {
  const end = endOfPrefix(prefix)
  let count = (end === undefined ? view.size : view.rank(end)) - view.rank(from)
  // `from` itself was counted, and is not asked for when it is the last key of the page before.
  if (view.get(from) !== undefined && !isAsked(from)) count -= 1
  count = Math.max(0, count)
  for (const [key, then] of past) {
    if (isAsked(key)) count += (then === undefined ? 0 : 1) - (view.get(key) === undefined ? 0 : 1)
  }
  return count
}

/** The view's keys as they are now. */
function* present(
  view: SortedMap<KeyValue>,
  prefix: string,
  from: string,
  isAsked: Asked['isAsked'],
): Generator<KeyValue, void, undefined> {
  for (const [key, kv] of view.entriesFrom(from)) {
    if (!key.startsWith(prefix)) return
    if (isAsked(key)) yield kv
  }
}

/** The view's keys and those of the past in one order, each as it was. */
function* merged(view: SortedMap<KeyValue>, { prefix, from, past, isAsked }: Asked): Generator<KeyValue, void, undefined> {
  const gone = [...past.keys()].filter((key) => isAsked(key) && view.get(key) === undefined).sort(byCodeUnits)
  let at = 0
  for (const [key, kv] of view.entriesFrom(from)) {
    if (!key.startsWith(prefix)) break
    if (!isAsked(key)) continue
    for (; at < gone.length && (gone[at] as string) < key; at++) yield* existing(past.get(gone[at] as string))
    yield* existing(past.has(key) ? past.get(key) : kv)
  }
  for (; at < gone.length; at++) yield* existing(past.get(gone[at] as string))
}

function existing(kv: KeyValue | undefined): readonly KeyValue[] {
  return kv === undefined ? [] : [kv]
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : 1
}

/** The smallest string that is greater than every string with this prefix; undefined when there is none. */
function endOfPrefix(prefix: string): string | undefined {
  for (let length = prefix.length; length > 0; length--) {
    const unit = prefix.charCodeAt(length - 1)
    if (unit < 0xffff) return prefix.slice(0, length - 1) + String.fromCharCode(unit + 1)
  }
  return undefined
}
