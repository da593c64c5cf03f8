import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { offlineBackup, writeBackupFile } from '../../src/app/backup.ts'
import { type DataDir, dataDirAt } from '../../src/app/data-dir.ts'
import { restoreBackup } from '../../src/app/restore.ts'
import { openLevelStore } from '../../src/storage/level-store.ts'
import type { Revision } from '../../src/storage/store.ts'
import { fill, firstEvents, rejectsWith } from '../conformance/store.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { tempDir } from '../support/temp-dir.ts'

interface Context {
  readonly dir: DataDir
  readonly clock: FakeClock
  readonly file: string
  readonly path: string
}

function it(title: string, fn: (context: Context) => Promise<void>): void {
  test(title, async () => {
    const { path, remove } = await tempDir()
    try {
      const dir = dataDirAt(join(path, 'data'))
      await mkdir(dir.path, { mode: 0o700 })
      await fn({ dir, clock: new FakeClock(), file: join(path, 'backup.gz'), path })
    } finally {
      await remove()
    }
  })
}

async function written({ dir, clock }: Context, prefix: string, count: number): Promise<Revision> {
  const store = await openLevelStore({ path: dir.db, clock })
  await fill(store, prefix, count)
  await store.close()
  return store.revision()
}

async function* chunksOf(file: string): AsyncGenerator<Uint8Array> {
  yield await readFile(file)
}

it('what was backed up is there again, and no revision is given twice', async (context) => {
  const { dir, clock, file } = context
  const backedUp = await written(context, 'p/', 700)
  const summary = await writeBackupFile(file, offlineBackup(dir, clock))
  assert.deepEqual([summary.objects, summary.revision], [700, backedUp])
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  const latest = await written(context, 'later/', 10)

  await assert.rejects(restoreBackup(dir, chunksOf(file), { force: false, clock }), /--force/)
  const restored = await restoreBackup(dir, chunksOf(file), { force: true, clock })
  assert.equal(restored.objects, 700)
  assert.ok(restored.revision > latest, `${restored.revision} is beyond ${latest}`)
  assert.deepEqual((await readdir(dir.path)).sort(), ['db', restored.before?.split('/').at(-1)].sort())

  const store = await openLevelStore({ path: dir.db, clock })
  assert.equal(store.revision(), restored.revision)
  const { items } = await store.range('')
  assert.equal(items.length, 700)
  const [first] = items
  assert.deepEqual(first, { key: 'p/000', value: 'value 0', createRevision: 2, modRevision: 2 })
  for (const revision of [1, backedUp, latest, restored.revision - 1]) {
    await rejectsWith(firstEvents(store, '', revision, 1), 'Compacted', restored.revision)
    await rejectsWith(store.range('', { revision }), 'Compacted', restored.revision)
  }
  assert.equal((await store.put('p/000', 'new', 2)).modRevision, restored.revision + 1)
  await store.close()
  const kept = await openLevelStore({ path: restored.before ?? '', clock })
  assert.equal(kept.revision(), latest)
  await kept.close()
})

it('restored into an empty place again and again, the same backup never goes on at the same revision', async (context) => {
  const { dir, clock, file } = context
  await written(context, 'p/', 3)
  await writeBackupFile(file, offlineBackup(dir, clock))
  const revisions: Revision[] = []
  for (let round = 0; round < 3; round++) {
    await rm(dir.db, { recursive: true })
    revisions.push((await restoreBackup(dir, chunksOf(file), { force: false, clock })).revision)
    await clock.advance(60_000)
  }
  assert.ok((revisions[1] ?? 0) - (revisions[0] ?? 0) >= 600_000, String(revisions))
  assert.ok((revisions[2] ?? 0) - (revisions[1] ?? 0) >= 600_000, String(revisions))
})

it('a backup that is cut off or is none changes nothing, and the file of a backup is replaced only by a whole one', async (context) => {
  const { dir, clock, file, path } = context
  const revision = await written(context, 'p/', 5)
  await writeBackupFile(file, offlineBackup(dir, clock))
  const before = await readdir(dir.path)
  async function* cut(): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunksOf(file)) yield chunk.subarray(0, chunk.length - 20)
  }
  await assert.rejects(restoreBackup(dir, cut(), { force: true, clock }), /damaged|cut off/)
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield* cut()
    throw new Error('connection lost')
  }
  await assert.rejects(restoreBackup(dir, broken(), { force: true, clock }), /connection lost/)
  assert.deepEqual(await readdir(dir.path), before)
  const store = await openLevelStore({ path: dir.db, clock })
  assert.equal(store.revision(), revision)
  await store.close()

  await writeFile(join(path, 'kept.gz'), 'the last good one')
  await assert.rejects(writeBackupFile(join(path, 'kept.gz'), cut()), /damaged|cut off/)
  assert.deepEqual((await readdir(path)).sort(), ['backup.gz', 'data', 'kept.gz'])
  assert.equal((await stat(join(path, 'kept.gz'))).size, 17)
})

it('a store that is damaged can be replaced, one that is in use cannot', async (context) => {
  const { dir, clock, file } = context
  await written(context, 'p/', 5)
  await writeBackupFile(file, offlineBackup(dir, clock))
  const store = await openLevelStore({ path: dir.db, clock })
  await assert.rejects(restoreBackup(dir, chunksOf(file), { force: true, clock }), /Another server/)
  await store.close()
  await rename(join(dir.db, 'CURRENT'), join(dir.db, 'elsewhere'))
  await assert.rejects(restoreBackup(dir, chunksOf(file), { force: false, clock }), /--force/)
  const { before } = await restoreBackup(dir, chunksOf(file), { force: true, clock })
  assert.ok((await readdir(before ?? '')).includes('elsewhere'), 'the damaged one is kept')
})

it('there is nothing to back up where no store is', async ({ dir, clock, file, path }) => {
  await assert.rejects(writeBackupFile(file, offlineBackup(dir, clock)), /no store/)
  assert.deepEqual(await readdir(path), ['data'])
  assert.deepEqual(await readdir(dir.path), [])
})
