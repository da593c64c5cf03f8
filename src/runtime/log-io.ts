import { createHash } from 'node:crypto'
import { chownSync, closeSync, fsyncSync, openSync, readFileSync, readSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { isMissing } from './state-dir.ts'

/** At most `max` bytes of a file from `offset` on; fewer at its end, none when there is no file. */
export function readAt(path: string, offset: number, max: number): Buffer {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (err) {
    if (isMissing(err)) return Buffer.alloc(0)
    throw err
  }
  try {
    const buffer = Buffer.allocUnsafe(max)
    return buffer.subarray(0, readSync(fd, buffer, 0, max, offset))
  } finally {
    closeSync(fd)
  }
}

/** Bytes in a file; none when there is no file. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

export function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64')
}

export function writeSynced(path: string, text: string): void {
  const fd = openSync(path, 'w', 0o600)
  try {
    writeFileSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Puts an empty file in the place of one, with its owner and rights. Until then it is called `.new`. */
export function replaceByEmpty(path: string): void {
  const { mode, uid, gid } = statSync(path)
  const fresh = `${path}.new`
  writeFileSync(fresh, '', { mode })
  chownSync(fresh, uid, gid)
  renameSync(fresh, path)
}

/** Waits until what was written to a file is on the disk; others go on writing meanwhile. */
export async function syncData(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.datasync()
  } finally {
    await file.close()
  }
}

/** JSON that this program wrote. Undefined when missing or half written: both mean that it doesn't count yet. */
export function readJson<T>(path: string): T | undefined {
  try {
    // Written by this class alone.
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch (err) {
    if (isMissing(err) || err instanceof SyntaxError) return undefined
    throw err
  }
}
