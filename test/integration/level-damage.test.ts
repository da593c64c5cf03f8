import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { openLevelStore } from '../../src/storage/level-store.ts'
import type { KeyValue, Revision } from '../../src/storage/store.ts'
import { isStoreError } from '../../src/storage/store-error.ts'
import { fill, rejectsWith } from '../conformance/store.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { tempDir } from '../support/temp-dir.ts'

const clock = new FakeClock()

/** A database of which part is in a table and part in the log, and copies of it to be damaged. */
describe('a database whose files are damaged', () => {
  let place: string
  let whole: string
  let copy: string
  let remove: () => Promise<void>
  let items: readonly KeyValue[]
  let revision: Revision
  /** Size of the log when each revision was acknowledged. */
  const sizes = new Map<Revision, number>()

  before(async () => {
    ;({ path: place, remove } = await tempDir())
    whole = join(place, 'whole')
    copy = join(place, 'copy')
    const first = await openLevelStore({ path: whole, clock })
    await fill(first, 'table/', 30)
    await first.close()
    const second = await openLevelStore({ path: whole, clock })
    for (let n = 0; n < 8; n++) {
      const { modRevision } = await second.put(`log/${n}`, `value ${n} ${'x'.repeat(10 * n)}`, 0)
      sizes.set(modRevision, readFileSync(join(whole, the('log'))).length)
    }
    items = (await second.range('')).items
    revision = second.revision()
    await second.close()
  })
  after(() => remove())

  function the(kind: 'log' | 'ldb' | 'MANIFEST' | 'CURRENT'): string {
    const [name, ...more] = readdirSync(whole).filter((each) => (kind.length === 3 ? each.endsWith(`.${kind}`) : each.startsWith(kind)))
    assert.deepEqual(more, [], `one ${kind}`)
    return name ?? ''
  }

  /** What opening a damaged copy comes to: the revision and keys found, or the message. */
  async function opened(damage: (path: string) => void): Promise<{ readonly revision: Revision; readonly keys: string } | string> {
    rmSync(copy, { recursive: true, force: true })
    cpSync(whole, copy, { recursive: true })
    damage(copy)
    const files = filesOf(copy)
    try {
      const store = await openLevelStore({ path: copy, clock })
      const found = { revision: store.revision(), keys: JSON.stringify((await store.range('')).items) }
      await store.close()
      return found
    } catch (err) {
      assert.ok(isStoreError(err, 'Corrupt'), String(err))
      assert.deepEqual(filesOf(copy), files, 'nothing was changed')
      assert.match(err.message, /pmk server restore FILE/)
      return err.message
    }
  }

  test('a log that ends in the middle of a write keeps all that was acknowledged before, wherever it was cut', async () => {
    const log = the('log')
    const { length } = readFileSync(join(whole, log))
    const cuts = [...sizes.values()].flatMap((size) => [size - 20, size - 1, size, size + 1, size + 6, size + 8])
    for (const size of [0, 1, ...cuts.filter((each) => each <= length)]) {
      const found = await opened((path) => truncateSync(join(path, log), size))
      const kept = Math.max(31, ...[...sizes].filter(([, needed]) => needed <= size).map(([acknowledged]) => acknowledged))
      const expected = items.filter(({ modRevision }) => modRevision <= kept)
      assert.deepEqual(found, { revision: kept, keys: JSON.stringify(expected) }, `cut to ${size} of ${length} bytes`)
    }
  })

  test('a log that was cut short may have empty ones behind it, left by openings on a full disk, but none with writes', async () => {
    const log = the('log')
    const cut = (path: string): void => truncateSync(join(path, log), (sizes.get(revision) ?? 0) - 1)
    const found = await opened((path) => {
      cut(path)
      for (const name of ['000997.log', '000998.log']) writeFileSync(join(path, name), '')
    })
    const expected = items.filter(({ modRevision }) => modRevision < revision)
    assert.deepEqual(found, { revision: revision - 1, keys: JSON.stringify(expected) })
    const later = await opened((path) => {
      writeFileSync(join(path, '000998.log'), readFileSync(join(path, log)))
      cut(path)
    })
    assert.ok(typeof later === 'string' && later.includes(log), JSON.stringify(later))
  })

  test('rubbish and zeros behind the last write of a log are left out', async () => {
    for (const rubbish of [Buffer.alloc(5_000), Buffer.alloc(300, 'rubbish'), Buffer.alloc(70_000, 1)]) {
      const found = await opened((path) => writeFileSync(join(path, the('log')), rubbish, { flag: 'a' }))
      assert.deepEqual(found, { revision, keys: JSON.stringify(items) })
    }
  })

  test('a flipped bit stops the start with the name of the file, or is in no use; only the last write may be taken for one cut short', async () => {
    for (const name of [the('log'), the('ldb'), the('MANIFEST'), the('CURRENT')]) {
      const bytes = readFileSync(join(whole, name))
      const step = Math.max(1, Math.floor(bytes.length / 15))
      for (let at = 0; at < bytes.length; at += step) {
        const flipped = Buffer.from(bytes)
        flipped[at] = (flipped[at] ?? 0) ^ 0x04
        const found = await opened((path) => writeFileSync(join(path, name), flipped))
        const where = `byte ${at} of ${name}: ${JSON.stringify(found)}`
        if (typeof found === 'string') assert.ok(found.includes(name), where)
        else if (name === the('log')) assert.ok(at >= (sizes.get(revision - 1) ?? 0) && found.revision === revision - 1, where)
        else assert.deepEqual(found, { revision, keys: JSON.stringify(items) }, where)
      }
    }
  })

  test('a file that is missing or empty stops the start with its name', async () => {
    for (const kind of ['ldb', 'MANIFEST', 'CURRENT'] as const) {
      const name = the(kind)
      for (const damage of [(file: string) => rmSync(file), (file: string) => writeFileSync(file, '')]) {
        const found = await opened((path) => damage(join(path, name)))
        assert.ok(typeof found === 'string' && found.includes(name), `${name}: ${JSON.stringify(found)}`)
      }
    }
  })
})

/** Names and sizes, LevelDB's own notes left out. */
function filesOf(path: string): readonly string[] {
  const names = readdirSync(path).filter((name) => !name.startsWith('LOG'))
  return names.map((name) => `${name} ${readFileSync(join(path, name)).length}`)
}

test('files of a database that a server is using are not taken for damaged ones', async () => {
  const { path, remove } = await tempDir()
  try {
    const store = await openLevelStore({ path, clock })
    const current = readFileSync(join(path, 'CURRENT'))
    writeFileSync(join(path, 'CURRENT'), 'in the middle of a change')
    await assert.rejects(
      openLevelStore({ path, clock }),
      (err) => isStoreError(err, 'Unavailable') && err.message.includes('Another server'),
    )
    writeFileSync(join(path, 'CURRENT'), current)
    await store.close()
  } finally {
    await remove()
  }
})

test('a database that is deleted under a running server is told of, can be read on, and comes back only as it was', async () => {
  const { path, remove } = await tempDir()
  const fake = new FakeClock()
  const [db, aside] = [join(path, 'db'), join(path, 'aside')]
  const store = await openLevelStore({ path: db, clock: fake })
  try {
    const kept = await store.put('a', '1', 0)
    renameSync(db, aside)
    await rejectsWith(store.put('a', '2', kept.modRevision), 'Unavailable')
    assert.match(store.refusal() ?? '', /was deleted.*pmk server backup FILE/)
    assert.deepEqual(await store.get('a'), kept)
    for (let n = 0; n < 3; n++) await fake.advance(1_100)
    await rejectsWith(store.put('a', '2', kept.modRevision), 'Unavailable')
    // Another database in its place is not taken for it.
    mkdirSync(db)
    const other = await openLevelStore({ path: db, clock })
    await other.close()
    await fake.advance(1_100)
    await rejectsWith(store.put('a', '2', kept.modRevision), 'Unavailable')
    rmSync(db, { recursive: true })
    renameSync(aside, db)
    await fake.advance(1_100)
    assert.ok((await store.put('a', '3', kept.modRevision)).modRevision > kept.modRevision + 1)
  } finally {
    await store.close()
    await remove()
  }
})
