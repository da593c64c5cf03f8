import assert from 'node:assert/strict'

/** Asserts that `actual` has everything that `expected` has; it may have more. Lists have to be equal. */
export function assertPartly(actual: unknown, expected: object): void {
  assert.deepEqual(pick(actual, expected), expected)
}

function pick(actual: unknown, expected: object): unknown {
  if (typeof actual !== 'object' || actual === null || Array.isArray(expected)) return actual
  const fields = actual as Readonly<Record<string, unknown>>
  return Object.fromEntries(
    Object.entries(expected)
      .filter(([name]) => name in fields)
      .map(([name, value]) => [name, typeof value === 'object' && value !== null ? pick(fields[name], value) : fields[name]]),
  )
}
