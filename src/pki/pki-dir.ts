import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../base/log.ts'

/** The directory of a server's keys, for its user alone. */
export interface PkiDir {
  readonly path: string
  /** The file of one pair of certificate and key. */
  file(name: string): string
}

export function pkiDirAt(path: string): PkiDir {
  return { path, file: (name) => join(path, `${name}.pem`) }
}

/** Undefined when there is none. Closes a file that others could read, and says so. */
export async function readPkiFile(dir: PkiDir, name: string, log: Logger): Promise<string | undefined> {
  const file = dir.file(name)
  try {
    const text = await readFile(file, 'utf8')
    if (((await stat(file)).mode & 0o077) !== 0) {
      await chmod(file, 0o600)
      log.warn({ file }, 'A private key could be read by others; it can no more. If somebody has, remove the file for a new one')
    }
    return text
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw err
  }
}

/** Whole or not at all, and on the disk when this resolves. */
export async function writePkiFile(dir: PkiDir, name: string, text: string): Promise<void> {
  await mkdir(dir.path, { recursive: true, mode: 0o700 })
  await chmod(dir.path, 0o700)
  await writeSecretFile(dir.file(name), text)
}

/** Replaces a file in one step by one that only its owner may read. */
export async function writeSecretFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.new`
  // A left-over of a writer that died may have other permissions.
  await rm(temporary, { force: true })
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (err) {
    await rm(temporary, { force: true })
    throw err
  }
  await syncDirectory(join(file, '..'))
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
