/**
 * A frozen tree equal to `value`, without members that are undefined. Parts that are frozen already are shared, which is
 * what makes a write of one field cheap; the rest is copied, so that whoever gave it may go on changing what is theirs.
 */
export function frozenCopy<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  if (Array.isArray(value)) return Object.freeze(value.map(frozenCopy)) as T
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const child = (value as Record<string, unknown>)[key]
    if (child === undefined) continue
    // A key called __proto__ is data like any other, and must not become the prototype.
    if (key === '__proto__') Object.defineProperty(copy, key, { value: frozenCopy(child), enumerable: true })
    else copy[key] = frozenCopy(child)
  }
  return Object.freeze(copy) as T
}
