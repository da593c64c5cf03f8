import { parseQuantity } from '../base/quantity.ts'
import { compilePath } from './jsonpath.ts'

/** Orders objects by the first value that a path leads to: numbers and quantities by size, what has none first. */
export function comparatorOf(path: string): (a: unknown, b: unknown) => number {
  const read = compilePath(path)
  return (a, b) => compare(read(a)[0], read(b)[0])
}

function compare(a: unknown, b: unknown): number {
  if (a === undefined || b === undefined) return (a === undefined ? 0 : 1) - (b === undefined ? 0 : 1)
  const x = numberOf(a)
  const y = numberOf(b)
  if (x !== undefined && y !== undefined) return x - y
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : typeof value === 'string' ? parseQuantity(value) : undefined
}
