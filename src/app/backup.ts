import { existsSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import nodeProcess from 'node:process'
import type { Clock } from '../base/clock.ts'
import { version } from '../base/version.ts'
import { type BackupHeader, backupOf, isHeader, readBackup } from '../storage/backup.ts'
import { openLevelStore } from '../storage/level-store.ts'
import type { Revision } from '../storage/store.ts'
import type { DataDir } from './data-dir.ts'

export interface BackupSummary {
  readonly revision: Revision
  readonly objects: number
  readonly bytes: number
}

/** Takes the chunks of a backup one after the other. */
export type Sink = (chunk: Uint8Array) => Promise<void>

/** The backup of a store that no server uses, chunk by chunk. Throws a sentence for people when there is none. */
export async function* offlineBackup(dir: DataDir, clock: Clock): AsyncGenerator<Uint8Array, void, undefined> {
  if (!existsSync(join(dir.db, 'CURRENT'))) throw new Error(`There is no store in ${dir.db}, and no server answers at ${dir.socket}.`)
  const store = await openLevelStore({ path: dir.db, clock })
  try {
    yield* (await backupOf(store, { createdAt: clock.now(), writtenBy: version })).chunks
  } finally {
    await store.close()
  }
}

/** Hands a backup on and checks it on the way. Rejects when it is not whole, which is known only at its end. */
export async function passOn(chunks: AsyncIterable<Uint8Array>, sink: Sink): Promise<BackupSummary> {
  let bytes = 0
  let header: BackupHeader | undefined
  let objects = 0
  const passing = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      await sink(chunk)
      bytes += chunk.length
      yield chunk
    }
  }
  for await (const item of readBackup(passing())) {
    if (isHeader(item)) header = item
    else objects += 1
  }
  return { revision: header?.revision ?? 0, objects, bytes }
}

/** Writes a backup to a file that only this user can read: whole, or not at all and then what was there before stays. */
export async function writeBackupFile(path: string, chunks: AsyncIterable<Uint8Array>): Promise<BackupSummary> {
  const temporary = `${path}.${nodeProcess.pid}.tmp`
  const file = await open(temporary, 'wx', 0o600)
  try {
    const summary = await passOn(chunks, async (chunk) => {
      await file.writeFile(chunk)
    })
    await file.sync()
    await file.close()
    await rename(temporary, path)
    await syncDirectory(dirname(path))
    return summary
  } catch (err) {
    await file.close()
    await rm(temporary, { force: true })
    throw err
  }
}

/** Makes renames in a directory last. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
