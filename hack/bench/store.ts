/**
 * What the store costs on this machine: durable writes with 1, 16 and 128 writers beside the disk's own append and
 * fdatasync of the same run, lists of 10,000 keys, and the start. Prints, and asserts nothing.
 */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { type Millis, systemClock } from '../../src/base/clock.ts'
import { openLevelStore } from '../../src/storage/level-store.ts'
import type { Store } from '../../src/storage/store.ts'

const VALUE = JSON.stringify({ spec: 'x'.repeat(1_500) })
const PERIOD: Millis = 3_000

interface Sample {
  readonly perSecond: number
  readonly p50: Millis
  readonly p99: Millis
}

const path = await mkdtemp(join(tmpdir(), 'pmk-bench-'))
try {
  const floor = await measureFloor(join(path, 'floor'))
  print('append + fdatasync, 1 writer', floor, floor)
  let store = await openLevelStore({ path: join(path, 'store'), clock: systemClock })
  for (const writers of [1, 16, 128]) print(`store, ${writers} writers`, await measure(writers, writer(store, writers)), floor)
  const again = await measureFloor(join(path, 'floor'))
  print('append + fdatasync, at the end', again, floor)

  for (const watchers of [1, 100, 1_000]) {
    const { beyond, every } = await watched(store, watchers)
    say(
      `write → ${watchers} watchers of its prefix`.padEnd(42) +
        ` p50 ${every.toFixed(2)} ms for the last of them, ${beyond.toFixed(2)} ms after the ack`,
    )
  }
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => store.put(`list/${round}/${n}`, VALUE, 0)))
  }
  await show('list of 10,000 keys', () => store.range('list/'))
  await show('list of 500 of 10,000 keys', () => store.range('list/', { limit: 500 }))
  await show('list of 10,000 keys 5,000 revisions ago', () => store.range('list/', { revision: store.revision() - 5_000 }))
  await store.close()
  await show(
    'open',
    async () => {
      store = await openLevelStore({ path: join(path, 'store'), clock: systemClock })
    },
    1,
  )
  say(`at revision ${store.revision()}; ${Math.round(nodeProcess.memoryUsage().rss / 2 ** 20)} MiB resident`)
  await store.close()
} finally {
  await rm(path, { recursive: true, force: true })
}

/** Runs `work` from so many loops for a while. */
async function measure(writers: number, work: (writer: number) => Promise<unknown>): Promise<Sample> {
  const took: Millis[] = []
  const start = systemClock.monotonic()
  const loop = async (writer: number): Promise<void> => {
    for (let now = systemClock.monotonic(); now - start < PERIOD; ) {
      await work(writer)
      const end = systemClock.monotonic()
      took.push(end - now)
      now = end
    }
  }
  await Promise.all(Array.from({ length: writers }, (_, n) => loop(n)))
  const elapsed = systemClock.monotonic() - start
  took.sort((a, b) => a - b)
  const at = (share: number): Millis => took[Math.floor(took.length * share)] ?? Number.NaN
  return { perSecond: (took.length / elapsed) * 1_000, p50: at(0.5), p99: at(0.99) }
}

async function measureFloor(file: string): Promise<Sample> {
  const handle = await open(file, 'a')
  try {
    return await measure(1, async () => {
      await handle.write(VALUE)
      await handle.datasync()
    })
  } finally {
    await handle.close()
  }
}

/** Each writer changes ten keys of its own in turn. */
function writer(store: Store, writers: number): (writer: number) => Promise<void> {
  const revisions = new Map<string, number>()
  let count = 0
  return async (n) => {
    count += 1
    const key = `bench/${writers}/${n}/${count % 10}`
    revisions.set(key, (await store.put(key, VALUE, revisions.get(key) ?? 0)).modRevision)
  }
}

/** From the start of a write, and from its acknowledgement, until the last watcher has it. */
async function watched(store: Store, watchers: number): Promise<{ readonly every: Millis; readonly beyond: Millis }> {
  const end = new AbortController()
  const after = store.revision()
  let missing = 0
  let last = (): void => {}
  const follow = async (): Promise<void> => {
    for await (const event of store.watch('watched/', after, end.signal)) {
      if (event.type === 'progress') continue
      missing -= 1
      if (missing === 0) last()
    }
  }
  const following = Array.from({ length: watchers }, follow)
  const every: Millis[] = []
  const beyond: Millis[] = []
  for (let n = 0; n < 200; n++) {
    missing = watchers
    const seen = new Promise<void>((resolve) => {
      last = resolve
    })
    const start = systemClock.monotonic()
    await store.put(`watched/${watchers}/${n}`, VALUE, 0)
    const acknowledged = systemClock.monotonic()
    await seen
    every.push(systemClock.monotonic() - start)
    beyond.push(systemClock.monotonic() - acknowledged)
  }
  end.abort()
  await Promise.all(following)
  return { every: median(every), beyond: median(beyond) }
}

function median(took: readonly Millis[]): Millis {
  return took.toSorted((a, b) => a - b)[took.length >>> 1] ?? Number.NaN
}

async function show(title: string, work: () => Promise<unknown>, times = 20): Promise<void> {
  const took: Millis[] = []
  for (let n = 0; n < times; n++) {
    const start = systemClock.monotonic()
    await work()
    took.push(systemClock.monotonic() - start)
  }
  say(`${title.padEnd(42)} p50 ${median(took).toFixed(1)} ms`)
}

function print(title: string, sample: Sample, floor: Sample): void {
  const { perSecond, p50, p99 } = sample
  const ratio = `p50 ${(p50 / floor.p50).toFixed(2)} × floor, rate ${(perSecond / floor.perSecond).toFixed(2)} × floor`
  say(`${title.padEnd(32)} ${perSecond.toFixed(0).padStart(7)}/s  p50 ${p50.toFixed(2)} ms  p99 ${p99.toFixed(2)} ms  ${ratio}`)
}

function say(line: string): void {
  nodeProcess.stdout.write(`${line}\n`)
}
