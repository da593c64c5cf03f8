/** Writes under way for one object at the same time: enough to share the store's syncs, few enough to leave room for others. */
export const WRITES = 16

/**
 * Does `work` for each item, at most `limit` at the same time, begun in order. All are tried; then the first failure is
 * thrown, so that one object in the way doesn't keep the others waiting for its retry.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, at: number) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = []
  const failures: unknown[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) {
      try {
        results[at] = await work(items[at] as T, at)
      } catch (err) {
        failures.push(err)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  if (failures.length > 0) throw failures[0]
  return results
}
