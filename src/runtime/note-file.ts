import { createHash } from 'node:crypto'
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs'
import { isMissing } from './state-dir.ts'

/** A file has two places, of which the older one is overwritten: a kill at any moment leaves the other whole. */
const PLACE_SIZE = 64 * 1024
const HEADER = /^(\d+) (\d+) ([0-9a-f]{16})\n/
const HEADER_SIZE = 64
const MAX_NOTE = PLACE_SIZE - HEADER_SIZE

/**
 * Writes note number `sequence`, each one higher than that before. In place, since making a new file and renaming it waits for
 * the file system's journal, twice.
 */
export function writeNote(path: string, sequence: number, note: string): void {
  const content = Buffer.from(note)
  if (content.length > MAX_NOTE) throw new Error(`A note of ${content.length} bytes is too long: ${MAX_NOTE} is the most`)
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600)
  try {
    const header = `${sequence} ${content.length} ${checksum(sequence, content)}\n`
    const bytes = Buffer.concat([Buffer.from(header), content])
    let written = 0
    while (written < bytes.length) written += writeSync(fd, bytes, written, bytes.length - written, (sequence % 2) * PLACE_SIZE + written)
  } finally {
    closeSync(fd)
  }
}

/** The newest whole note; undefined when there is none. */
export function readNote(path: string): { readonly sequence: number; readonly note: string } | undefined {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (err) {
    if (isMissing(err)) return undefined
    throw err
  }
  const [first, second] = [0, 1].map((place) => noteAt(bytes.subarray(place * PLACE_SIZE, (place + 1) * PLACE_SIZE)))
  return (first?.sequence ?? -1) > (second?.sequence ?? -1) ? first : second
}

function noteAt(bytes: Buffer): { readonly sequence: number; readonly note: string } | undefined {
  const header = HEADER.exec(bytes.toString('latin1', 0, HEADER_SIZE))
  if (header === null) return undefined
  const [{ length: start }, sequence, length] = [header[0], Number(header[1]), Number(header[2])]
  const content = bytes.subarray(start, start + length)
  return checksum(sequence, content) === header[3] ? { sequence, note: content.toString() } : undefined
}

function checksum(sequence: number, content: Buffer): string {
  return createHash('sha256').update(`${sequence} `).update(content).digest('hex').slice(0, 16)
}
