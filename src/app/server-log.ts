import { renameSync, statSync } from 'node:fs'

/** From this size on a log is put aside when the next server starts. */
const FULL = 16 * 2 ** 20

/** Puts a full log of the server aside as `FILE.1`, in place of the one before. To be called while no server writes to it. */
export function putFullLogAside(file: string, full: number = FULL): void {
  if (sizeOf(file) >= full) renameSync(file, `${file}.1`)
}

/** In bytes; 0 when there is none yet. */
export function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}
