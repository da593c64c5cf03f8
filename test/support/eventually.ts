/**
 * Calls `fn` until it no longer throws and gives its answer. When the time is over, throws the last failure. The bound is
 * there to end a broken test, not to measure: it is far above what the thing takes. Give an `assert.ok` in `fn` a message: without
 * one Node reads the source anew for each failure to make one up.
 */
export async function eventually<T>(
  fn: () => T | Promise<T>,
  options: { readonly within?: number; readonly every?: number } = {},
): Promise<T> {
  const { within = 20_000, every = 20 } = options
  const end = performance.now() + within
  for (;;) {
    try {
      return await fn()
    } catch (err) {
      if (performance.now() > end) throw err
    }
    await new Promise((resolve) => setTimeout(resolve, every))
  }
}
