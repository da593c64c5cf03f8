import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { type Clock, epochOf } from '../base/clock.ts'
import { type BackupHeader, isHeader, readBackup } from '../storage/backup.ts'
import { createLevelStore } from '../storage/level-restore.ts'
import { isLocked, openLevelStore } from '../storage/level-store.ts'
import type { KeyValue, Revision } from '../storage/store.ts'
import { syncDirectory } from './backup.ts'
import { type DataDir, prepareDataDir } from './data-dir.ts'
import { runningServer } from './server-file.ts'

/**
 * How far the counter jumps: more than a store can have counted since the backup, so that no revision is ever given twice, not
 * even where the store of today is lost. The second part makes a later restore of the same backup jump further than an earlier one.
 */
const JUMP = 1_000_000_000
const JUMP_PER_SECOND = 10_000

export interface RestoreSummary {
  /** What the backup says of itself. */
  readonly header: BackupHeader
  readonly objects: number
  /** Where the store goes on. */
  readonly revision: Revision
  /** Where the store that was there before is now. */
  readonly before?: string
}

/**
 * Makes the state of a backup the store of a data directory. The backup is checked to its end before anything is touched; the
 * store that is there is kept beside. Throws BackupError, or a sentence for people.
 */
export async function restoreBackup(
  dir: DataDir,
  chunks: AsyncIterable<Uint8Array>,
  options: { readonly force: boolean; readonly clock: Clock },
): Promise<RestoreSummary> {
  const { clock, force } = options
  prepareDataDir(dir)
  const server = runningServer(dir.serverFile)
  if (server !== undefined) throw new Error(`A server (pid ${server.pid}) runs on ${dir.path}. Stop it first: pmk server stop.`)
  const present = await presentStore(dir, clock)
  const restored = join(dir.path, `db.restoring-${nodeProcess.pid}`)
  try {
    if (present.isUsed && !force) {
      throw new Error(`There is a store in ${dir.db} already. With --force it is kept beside and the backup takes its place.`)
    }
    await mkdir(restored, { mode: 0o700 })
    const { header, objects, revision } = await write(restored, chunks, { clock, present: present.revision })
    const before = existsSync(dir.db) ? join(dir.path, `db.before-restore-${clock.now().replaceAll(/[:.]/g, '-')}`) : undefined
    await present.close()
    if (before !== undefined) await rename(dir.db, before)
    await rename(restored, dir.db)
    await syncDirectory(dir.path)
    return { header, objects, revision, ...(before === undefined ? {} : { before }) }
  } finally {
    await present.close()
    await rm(restored, { recursive: true, force: true })
  }
}

interface Present {
  /** True when something would be replaced. */
  readonly isUsed: boolean
  /** 0 when it is not known. */
  readonly revision: Revision
  /** Lets go of it. May be called again. */
  readonly close: () => Promise<void>
}

/** The store that is there now, held so that no server takes it meanwhile. One that is damaged can be replaced, too. */
async function presentStore(dir: DataDir, clock: Clock): Promise<Present> {
  if (!existsSync(dir.db)) return { isUsed: false, revision: 0, close: async () => {} }
  try {
    const store = await openLevelStore({ path: dir.db, clock })
    return { isUsed: store.revision() > 1, revision: store.revision(), close: () => store.close() }
  } catch (err) {
    if (isLocked(err)) throw err
    return { isUsed: true, revision: 0, close: async () => {} }
  }
}

async function write(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  { clock, present }: { readonly clock: Clock; readonly present: Revision },
): Promise<Pick<RestoreSummary, 'header' | 'objects' | 'revision'>> {
  const items = readBackup(chunks)
  const first = await items.next()
  const header = first.value as BackupHeader
  if (first.done === true || !isHeader(header)) throw new Error('The backup has no header')
  const age = Math.max(0, epochOf(clock.now()) - epochOf(header.createdAt)) / 1_000
  const revision = Math.max(header.revision, present) + JUMP + Math.floor(age * JUMP_PER_SECOND)
  const objects = await createLevelStore(path, items as AsyncGenerator<KeyValue>, revision)
  return { header, objects, revision }
}
