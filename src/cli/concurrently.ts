/** Runs `work` for all items, at most `limit` at a time; the answers are in the order of the items. The first failure is thrown. */
export async function concurrently<T, R>(items: readonly T[], limit: number, work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = []
  const queue = items.entries()
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) results[index] = await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  return results
}

/** Requests that one command has under way at the same time: enough to share syncs of the store, too few to crowd others out. */
export const PARALLEL_REQUESTS = 32
