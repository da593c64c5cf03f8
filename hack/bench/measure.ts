/** Milliseconds of a clock that only goes forward. */
export function now(): number {
  return performance.now()
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

export async function timed(work: () => unknown): Promise<number> {
  const start = now()
  await work()
  return now() - start
}

/** `times` measurements one after the other. */
export async function repeated(times: number, work: (round: number) => Promise<number>): Promise<number[]> {
  const took: number[] = []
  for (let round = 0; round < times; round++) took.push(await work(round))
  return took
}

/** The value that the given share of all is not above; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export function p50(values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function p99(values: readonly number[]): number {
  return quantile(values, 0.99)
}

/** The promise's result, or an Error that names what took too long: nothing here may wait for ever. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not after ${ms / 1_000} s`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Waits until `test` holds; an Error when that takes longer than `ms`. */
export async function until(ms: number, what: string, test: () => boolean | Promise<boolean>, every = 5): Promise<void> {
  const end = now() + ms
  while (!(await test())) {
    if (now() > end) throw new Error(`${what}: not after ${ms / 1_000} s`)
    await sleep(every)
  }
}

export interface Load {
  readonly count: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
}

/** Runs `work` from so many loops at once for `ms`. */
export async function load(loops: number, ms: number, work: (loop: number) => Promise<unknown>): Promise<Load> {
  const took: number[] = []
  const start = now()
  const loop = async (n: number): Promise<void> => {
    for (let begin = now(); begin - start < ms; ) {
      await work(n)
      const end = now()
      took.push(end - begin)
      begin = end
    }
  }
  await Promise.all(Array.from({ length: loops }, (_, n) => loop(n)))
  return { count: took.length, perSecond: (took.length / (now() - start)) * 1_000, p50: p50(took), p99: p99(took) }
}
