import assert from 'node:assert/strict'
import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Level } from 'level'
import { KEEP_CHANGES, KEEP_TIME } from '../../src/storage/compactor.ts'
import { type LevelStoreOptions, openLevelStore } from '../../src/storage/level-store.ts'
import type { Store } from '../../src/storage/store.ts'
import { isStoreError, type StoreErrorCode } from '../../src/storage/store-error.ts'
import { fill, firstEvents, rejectsWith } from '../conformance/store.ts'
import { eventually } from '../support/eventually.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { tempDir } from '../support/temp-dir.ts'

type Opened = Awaited<ReturnType<typeof openLevelStore>>
interface Context {
  readonly path: string
  readonly clock: FakeClock
  readonly open: (batch?: LevelStoreOptions['batch']) => Promise<Opened>
}

function it(title: string, fn: (context: Context) => Promise<void>): void {
  test(title, async () => {
    const { path, remove } = await tempDir()
    const clock = new FakeClock()
    const opened: Store[] = []
    try {
      await fn({
        path,
        clock,
        open: async (batch) => {
          const store = await openLevelStore(batch === undefined ? { path, clock } : { path, clock, batch })
          opened.push(store)
          return store
        },
      })
    } finally {
      for (const store of opened) await store.close()
      await remove()
    }
  })
}

it('a second server on the same directory is told so, and the first goes on', async ({ path, open }) => {
  const store = await open()
  await opensWith(open(), 'Unavailable', ['Another server', path])
  await store.put('a', '1', 0)
})

it('the directory is closed to other users', async ({ path, open }) => {
  await open()
  assert.equal((await stat(path)).mode & 0o777, 0o700)
})

it('a directory that cannot be made is refused with the reason', async ({ path, clock }) => {
  await writeFile(join(path, 'file'), '')
  await opensWith(openLevelStore({ path: join(path, 'file'), clock }), 'Unavailable', ['file'])
})

interface Damage {
  readonly given: string
  readonly key: string
  readonly change: (value: string | undefined) => string | undefined
  readonly says: string
}

const damages: readonly Damage[] = [
  { given: 'a flipped bit in a value', key: 'k/p/003', change: (value) => value?.replace('value 3', 'value 2'), says: 'checksum' },
  { given: 'a value cut short', key: 'k/p/003', change: (value) => value?.slice(0, -1), says: 'checksum' },
  { given: 'an unknown format byte', key: 'k/p/003', change: (value) => `7${value?.slice(1)}`, says: 'format byte' },
  { given: 'an empty value', key: 'k/p/003', change: () => '', says: 'format byte' },
  { given: 'a value that is gone', key: 'k/p/003', change: () => undefined, says: 'r/0000000000000005/' },
  {
    given: 'a flipped bit in the log',
    key: 'r/0000000000000005/',
    change: (value) => value?.replace('value 3', 'value 2'),
    says: 'checksum',
  },
  { given: 'a log record that is gone', key: 'r/0000000000000005/', change: () => undefined, says: 'missing' },
  { given: 'the last log record gone', key: 'r/0000000000000011/', change: () => undefined, says: 'missing' },
  { given: 'a counter that is gone', key: 'm/revision', change: () => undefined, says: 'missing' },
  { given: 'a counter that is damaged', key: 'm/compacted', change: () => '1garbage', says: 'checksum' },
  { given: 'a format mark that is gone', key: 'm/format', change: () => undefined, says: 'missing' },
  { given: 'a format mark that is no number', key: 'm/format', change: () => 'one', says: 'no format' },
]

for (const { given, key, change, says } of damages) {
  it(`${given} stops the start with the record's name and the way out`, async ({ path, open }) => {
    const store = await open()
    await fill(store, 'p/', 10)
    await store.close()
    await edit(path, async (level) => {
      const value = change(await level.get(key))
      await (value === undefined ? level.del(key) : level.put(key, value))
    })
    await opensWith(open(), 'Corrupt', [key, says, path, 'backup'])
  })
}

it('a counter that has fallen behind the log stops the start', async ({ path, open }) => {
  const store = await open()
  await fill(store, 'p/', 3)
  let old: string | undefined
  await store.close()
  await edit(path, async (level) => {
    old = await level.get('m/revision')
  })
  const again = await open()
  await again.put('q', '1', 0)
  await again.close()
  await edit(path, async (level) => level.put('m/revision', old ?? ''))
  await opensWith(open(), 'Corrupt', ['k/q'])
})

it('a store of a newer version is refused and left as it was', async ({ path, open }) => {
  const store = await open()
  await store.close()
  await edit(path, (level) => level.put('m/format', '2'))
  await opensWith(open(), 'Corrupt', ['newer version', 'format 2'])
  await edit(path, async (level) => assert.equal(await level.get('m/format'), '2'))
})

it('damage of the database itself is told as such', async ({ path, open }) => {
  const store = await open()
  await store.close()
  await writeFile(join(path, 'CURRENT'), 'nonsense')
  await opensWith(open(), 'Corrupt', [path, 'backup'])
})

/** What becomes of a batch on a disk that fails: nothing is written, or all of it is and only the answer is lost. */
for (const lands of [false, true]) {
  it(`a write that fails ${lands ? 'after' : 'before'} it reached the disk is never seen, and writes work again later`, async ({
    clock,
    open,
  }) => {
    let failing = false
    const store = await open(async (write, operations) => {
      if (!failing) return write(operations)
      if (lands) await write(operations)
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
    })
    const kept = await store.put('p/kept', 'old', 0)
    const gone = await store.put('p/gone', 'old', 0)
    const before = await store.range('')

    failing = true
    const writes = [
      store.put('p/kept', 'new', kept.modRevision),
      store.delete('p/gone', gone.modRevision),
      ...Array.from({ length: 600 }, (_, n) => store.put(`p/${n}`, 'new', 0)),
    ]
    for (const result of await Promise.allSettled(writes)) {
      assert.equal(result.status, 'rejected')
      assert.ok(result.status === 'rejected' && isStoreError(result.reason, 'Unavailable'), 'each fails as Unavailable')
      assert.match(String(result.reason), /no space left/)
    }
    assert.deepEqual(await store.range(''), before)
    await rejectsWith(store.put('p/later', '1', 0), 'Unavailable')
    await rejectsWith(store.put('p/later', '1', 0), 'Unavailable')

    failing = false
    await clock.advance(1_100)
    const after = await store.put('p/kept', 'newer', kept.modRevision)
    assert.ok(after.modRevision > gone.modRevision + 602, 'the numbers of the failed writes are not given again')
    const events = [{ type: 'put', revision: after.modRevision, kv: after, prev: kept }]
    assert.deepEqual(await firstEvents(store, '', gone.modRevision, 1), events)
    assert.deepEqual((await store.range('', { revision: before.revision })).items, before.items)

    const now = await store.range('')
    await store.close()
    const reopened = await open()
    assert.deepEqual(await reopened.range(''), now)
    assert.deepEqual(await firstEvents(reopened, '', gone.modRevision, 1), events)
    assert.deepEqual((await reopened.range('', { revision: before.revision })).items, before.items)
  })
}

it('a failed write that reached the disk is undone by a close without any later write', async ({ open }) => {
  let failing = false
  const store = await open(async (write, operations) => {
    await write(operations)
    if (failing) throw new Error('EIO: i/o error')
  })
  const a = await store.put('a', '1', 0)
  failing = true
  await rejectsWith(store.put('a', '2', a.modRevision), 'Unavailable')
  failing = false
  await store.close()
  const reopened = await open()
  assert.deepEqual(await reopened.get('a'), a)
  assert.deepEqual((await reopened.put('a', '3', a.modRevision)).modRevision, a.modRevision + 2)
})

it('writers that meet a failing disk are told Unavailable and not the Conflict of a write that never was', async ({ open }) => {
  let failing = false
  const store = await open(async (write, operations) => {
    if (failing) throw new Error('EIO: i/o error')
    return write(operations)
  })
  const a = await store.put('a', '1', 0)
  failing = true
  const writes = [store.put('a', '2', a.modRevision), store.put('a', '3', a.modRevision), store.delete('a', a.modRevision)]
  for (const write of writes) await rejectsWith(write, 'Unavailable')
})

it('a store that was refused finds out by itself when its disk takes writes again, and says why until then', async ({ clock, open }) => {
  let failing = true
  const store = await open(async (write, operations) => {
    if (failing && operations.some(({ key }) => key !== 'm/format' && key.startsWith('k/'))) throw new Error('EIO: i/o error')
    return write(operations)
  })
  assert.equal(store.refusal(), undefined)
  await rejectsWith(store.put('a', '1', 0), 'Unavailable')
  assert.match(store.refusal() ?? '', /i\/o error/)
  await clock.advance(900)
  assert.match(store.refusal() ?? '', /i\/o error/)
  failing = false
  await eventually(async () => {
    await clock.advance(1_100)
    assert.equal(store.refusal(), undefined)
  })
  assert.equal((await store.put('a', '1', 0)).modRevision, 3)
  assert.equal(clock.pending, 0)
})

it('reads and watches go on while the disk refuses writes', async ({ open }) => {
  let failing = false
  const store = await open(async (write, operations) => {
    if (failing) throw new Error('EROFS: read-only file system')
    return write(operations)
  })
  const a = await store.put('a', '1', 0)
  failing = true
  await rejectsWith(store.put('b', '1', 0), 'Unavailable')
  assert.deepEqual(await store.get('a'), a)
  assert.deepEqual(await firstEvents(store, '', 1, 2), [
    { type: 'put', revision: 2, kv: a, prev: undefined },
    { type: 'progress', revision: 2 },
  ])
})

it('history that has left the memory is read from the disk, for watches and for pages', async ({ open }) => {
  const store = await open()
  for (let round = 0; round < 12; round++) await fill(store, `p/${round}/`, 1_000)
  const events = await firstEvents(store, 'p/', 1, 12_001)
  assert.deepEqual(
    events.map((event) => event.revision),
    [...Array.from({ length: 12_000 }, (_, n) => n + 2), 12_001],
  )
  const early = await store.range('p/', { revision: 501, limit: 400 })
  assert.deepEqual([early.items.length, early.remaining], [400, 100])
  await store.close()
  const reopened = await open()
  assert.deepEqual(await firstEvents(reopened, 'p/', 1, 12_001), events)
  assert.deepEqual(await reopened.range('p/', { revision: 501, limit: 400 }), early)
})

it('compaction takes the log records off the disk, also those that a crash left over', async ({ path, open }) => {
  const store = await open()
  await fill(store, 'p/', 50)
  await store.compact(30)
  await store.close()
  assert.equal((await logKeys(path)).length, 21)
  // As if the counter had moved and the server had died before the records went.
  await edit(path, async (level) => {
    for (const revision of ['27', '28', '29', '30']) await level.put(`r/00000000000000${revision}/`, 'left over')
  })
  const again = await open()
  await again.compact(40)
  await again.close()
  assert.deepEqual((await logKeys(path))[0], 'r/0000000000000041/')
  assert.ok((await readdir(path)).length > 0, 'the directory is still there')
})

async function opensWith(opening: Promise<unknown>, code: StoreErrorCode, parts: readonly string[]): Promise<void> {
  await assert.rejects(opening, (err) => {
    assert.ok(isStoreError(err, code), `expected a StoreError(${code}), got ${err}`)
    for (const part of parts) assert.ok(err.message.includes(part), `"${part}" is missing in: ${err.message}`)
    return true
  })
}

async function edit(path: string, fn: (level: Level<string, string>) => Promise<unknown>): Promise<void> {
  const level = new Level<string, string>(path)
  try {
    await fn(level)
  } finally {
    await level.close()
  }
}

async function logKeys(path: string): Promise<string[]> {
  let keys: string[] = []
  await edit(path, async (level) => {
    keys = await level.keys({ gt: 'r/', lt: 'r0' }).all()
  })
  return keys
}

it('history counts as old by what servers before have noted, however short each of them lived', async ({ clock, open }) => {
  const first = await open()
  await fill(first, 'many/', KEEP_CHANGES + 500)
  const { modRevision: old } = await first.put('a', '1', 0)
  await first.close()
  for (let lived = 0; lived < KEEP_TIME - 20_000; lived += 20_000) {
    const store = await open()
    await store.put(`server/${lived}`, '1', 0)
    await clock.advance(20_000)
    assert.equal((await firstEvents(store, '', 1, 1)).length, 1, 'nothing is forgotten yet')
    await store.close()
  }
  await clock.advance(40_000)
  const last = await open()
  await clock.advance(2_000)
  await eventually(async () => rejectsWith(firstEvents(last, '', 1, 1), 'Compacted'))
  assert.equal((await firstEvents(last, '', old - 1, 1)).length, 1, 'the last changes are kept')
})

it('history beyond what the memory may hold is read from the disk after a start, without a gap', async ({ open }) => {
  const store = await open()
  let revision = 0
  for (let n = 0; n < 40; n++) revision = (await store.put('big', String(n % 10).repeat(400_000), revision)).modRevision
  await store.close()
  const events = await firstEvents(await open(), '', 1, 40)
  for (const [n, event] of events.entries()) {
    assert.equal(event.revision, n + 2)
    assert.ok(event.type === 'put' && event.kv.value === String(n % 10).repeat(400_000), `the value of change ${n}`)
    assert.equal(event.prev?.value[0], n === 0 ? undefined : String((n - 1) % 10))
  }
})
