import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../base/log.ts'
import { nextTurn } from '../base/turn.ts'
import { checkTable, DamagedFile, type LogContent, readLogFile, readManifest } from './level-format.ts'

/**
 * Checks the files of a closed database before LevelDB opens it. Throws DamagedFile with the name of the file. The end of the
 * newest log that holds anything may be unreadable: that is a write in which the server died or the disk was full, and which was
 * never acknowledged. An opening for which the disk had no room leaves an empty log behind it.
 */
export async function verifyDatabase(path: string, log: Logger): Promise<void> {
  const names = new Set(await readdir(path))
  const current = await readFile(join(path, 'CURRENT'), 'utf8')
  const manifest = current.slice(0, -1)
  if (!/^MANIFEST-\d+\n$/.test(current)) throw new DamagedFile(`the file CURRENT says ${JSON.stringify(current.slice(0, 40))}`)
  if (!names.has(manifest)) throw new DamagedFile(`the file CURRENT names ${manifest}, which is missing`)
  const { tables, firstLog } = await inFile(path, manifest, (bytes) => {
    const { records, tornAt, isCutOff } = readLogFile(bytes)
    if (records.length === 0 || (tornAt !== undefined && !isCutOff)) throw new DamagedFile(`it cannot be read from byte ${tornAt ?? 0} on`)
    return readManifest(records)
  })
  for (const [number, size] of tables) {
    const name = ['ldb', 'sst'].map((kind) => `${digits(number)}.${kind}`).find((each) => names.has(each))
    if (name === undefined) throw new DamagedFile(`the file ${digits(number)}.ldb is missing`)
    await inFile(path, name, (bytes) => {
      if (bytes.length !== size) throw new DamagedFile(`it has ${bytes.length} bytes and not ${size}`)
      checkTable(bytes)
    })
    await nextTurn()
  }
  const logs = [...names].filter((name) => /^\d+\.log$/.test(name) && Number.parseInt(name, 10) >= firstLog).sort()
  let torn: string | undefined
  for (const name of logs) {
    const { tornAt, records } = await inFile<LogContent>(path, name, readLogFile)
    if (torn !== undefined && records.length > 0) throw new DamagedFile(`the end of the file ${torn} cannot be read`)
    if (tornAt === undefined) continue
    torn = name
    log.warn(
      { file: join(path, name), byte: tornAt },
      'The last write to the store was cut short and is left out; nobody was told that it succeeded',
    )
  }
}

/** True when a process holds LevelDB's lock on this directory: its files may be in the middle of a change. */
export async function isInUse(path: string): Promise<boolean> {
  const lock = await stat(join(path, 'LOCK')).catch(() => undefined)
  if (lock === undefined) return false
  const locks = await readFile('/proc/locks', 'utf8').catch(() => '')
  return new RegExp(`:${lock.ino} \\d+ (\\d+|EOF)$`, 'm').test(locks)
}

async function inFile<T>(path: string, name: string, read: (bytes: Buffer) => T): Promise<T> {
  try {
    return read(await readFile(join(path, name)))
  } catch (err) {
    if (err instanceof DamagedFile || err instanceof RangeError)
      throw new DamagedFile(`the file ${name} is damaged: ${err.message}`, { cause: err })
    throw err
  }
}

function digits(number: number): string {
  return String(number).padStart(6, '0')
}
