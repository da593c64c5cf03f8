import { createHash } from 'node:crypto'
import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { Millis } from '../base/clock.ts'
import { printable } from '../base/printable.ts'
import { wordsFor } from './directory-walk.ts'
import type { SourceFile } from './snapshot.ts'

/** A file that changed while it was read is read again after this. */
const AGAIN: Millis = 50

/** A file that was read whole. */
export interface Known {
  readonly fingerprint: string
  readonly digest: string
  readonly file: SourceFile
}

/** What of a file could not be had. */
export type Unread = { readonly type: 'unsettled'; readonly retryAfter: Millis } | { readonly type: 'problem'; readonly message: string }

/** Its text, if it was the same file, unchanged, before and after. */
export async function readWhole(path: string, name: string, fingerprint: string, before: Known | undefined): Promise<Known | Unread> {
  try {
    // Without waiting: what has come in its place may be a pipe that nobody writes to.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    try {
      if ((await fingerprintNow(handle)) !== fingerprint) return { type: 'unsettled', retryAfter: AGAIN }
      const bytes = await handle.readFile()
      if ((await fingerprintNow(handle)) !== fingerprint) return { type: 'unsettled', retryAfter: AGAIN }
      return knownAs(name, fingerprint, new TextDecoder('utf-8', { fatal: true }).decode(bytes), before)
    } finally {
      await handle.close()
    }
  } catch (err) {
    if (err instanceof TypeError) return { type: 'problem', message: 'is not UTF-8 text' }
    const { code } = err as NodeJS.ErrnoException
    if (code === undefined) throw err
    // It has gone since the directory was looked at: look again.
    if (code === 'ENOENT') return { type: 'unsettled', retryAfter: AGAIN }
    return { type: 'problem', message: wordsFor(err as NodeJS.ErrnoException) }
  }
}

async function fingerprintNow(handle: FileHandle): Promise<string> {
  return fingerprintOf(await handle.stat({ bigint: true }))
}

/** The file that was known before, if its text is the same. */
export function knownAs(path: string, fingerprint: string, text: string, before: Known | undefined): Known {
  const digest = digestOf(text)
  return { fingerprint, digest, file: before?.digest === digest ? before.file : { path: printable(path), text } }
}

/** Changes with each write, rename over and move. */
export function fingerprintOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`
}

export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
