import { existsSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { LogArchives } from './log-archives.ts'
import { awaitCuts, type CutMode, type CutTools } from './log-cut.ts'
import { readJson, sizeOf } from './log-io.ts'
import type { LogPlace } from './log-place.ts'
import { cutPiece, isUncut, lockOf, placeAfter, type RotationNote } from './rotation-note.ts'

/** A log as the files of it lie there. */
export interface LogParts {
  readonly path: string
  readonly mode: CutMode
  readonly tools: CutTools
  readonly place: LogPlace
  readonly archives: LogArchives
}

/**
 * Finishes the rotation or renewal in which an earlier server was killed, without losing or doubling a byte. `beside`: names of the files
 * that belong to the log. When it resolves, place, live file and archives agree.
 */
export async function recoverLog(log: LogParts, beside: readonly string[]): Promise<void> {
  for (const name of beside) if (/\.(tmp|new)$/.test(name)) rmSync(join(dirname(log.path), name), { force: true })
  const prefix = `${basename(log.path)}.rotate.`
  const notes = beside.filter((name) => name.startsWith(prefix))
  for (const name of notes) {
    const found = join(dirname(log.path), name)
    const note = readJson<RotationNote>(found)
    const renamed = `${log.path}.rotate.${Math.max(0, ...notes.map((each) => Number(each.slice(prefix.length)) || 0)) + 1}`
    renameSync(found, renamed)
    // The dead server's child may be about to cut: from here on it finds no note under the old name.
    await awaitCuts(lockOf(log.path), log.tools)
    const archive = note?.archive === undefined ? undefined : join(dirname(log.path), note.archive)
    if (note !== undefined && (archive === undefined || existsSync(archive))) await finishRotation(log, note, renamed, archive)
    rmSync(renamed, { force: true })
  }
  if (log.mode === 'punch') finishRenewal(log)
}

async function finishRotation(log: LogParts, note: RotationNote, notePath: string, archive: string | undefined): Promise<void> {
  const { path, place, tools } = log
  // The books were written already: the note outlived them by a moment.
  if (place.now.head >= note.place.head + note.length) return
  place.assume(note.place)
  if (isUncut(path, sizeOf(path), note)) {
    if (note.mode === 'truncate') {
      // More may have been written behind the copy: that goes rather than a line.
      if (archive !== undefined) rmSync(archive, { force: true })
      return
    }
    await cutPiece(path, note, notePath, tools)
  }
  place.set(placeAfter(note))
}

/** An archive that reaches beyond the place is all there is to see of an unfinished renewal. */
function finishRenewal({ path, place, archives }: LogParts): void {
  const last = archives.list().at(-1)
  const { base, head } = place.now
  if (last === undefined || last.end <= head) return
  const live = sizeOf(path) - (head - base)
  // Not yet renewed: the bytes are in the live file, too.
  if (live >= last.end - head) rmSync(last.path)
  else place.set({ base: last.end, head: last.end })
}
