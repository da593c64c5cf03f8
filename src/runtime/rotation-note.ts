import { BLOCK, type CutMode, type CutTools, cut } from './log-cut.ts'
import { digest, readAt } from './log-io.ts'
import type { Place } from './log-place.ts'

/** What a rotation is about to do, written down before it does it. */
export interface RotationNote {
  readonly mode: CutMode
  readonly place: Place
  readonly length: number
  /** Size of the live file at that moment: smaller later means that it was cut. */
  readonly size: number
  /** Digests of the first and last block of the piece, and of the block behind it. */
  readonly first: string
  readonly last: string
  readonly behind: string
  /** Name of its file. Absent: the piece is dropped without a copy. */
  readonly archive?: string
}

/** The note about the piece that begins at `offset` of the live file, the place's head. */
export function describePiece(path: string, piece: Pick<RotationNote, 'mode' | 'place' | 'length' | 'size'>): RotationNote {
  const offset = piece.place.head - piece.place.base
  return {
    ...piece,
    first: digest(readAt(path, offset, BLOCK)),
    last: digest(readAt(path, offset + piece.length - BLOCK, BLOCK)),
    behind: digest(readAt(path, offset + piece.length, BLOCK)),
  }
}

/**
 * Whether the piece is still to be cut off the live file, which has this size now. A log of constant bytes looks the same either way and
 * counts as cut: a piece doubled is better than a piece lost.
 */
export function isUncut(path: string, size: number, note: RotationNote): boolean {
  // To punch twice does no harm.
  if (note.mode === 'punch') return true
  const isConstant = note.first === note.last && (note.mode === 'truncate' || note.first === note.behind)
  if (isConstant || size < note.size) return false
  const now = describePiece(path, note)
  return now.first === note.first && now.last === note.last
}

/** Where the live file lies once the piece is cut off. */
export function placeAfter({ mode, place, length }: RotationNote): Place {
  const head = place.head + length
  return { base: mode === 'punch' ? place.base : head, head }
}

/** Cuts the piece off, if the note is there. The next server can wait for it, also when this one is killed meanwhile. */
export function cutPiece(path: string, note: RotationNote, notePath: string, tools: CutTools): Promise<void> {
  const { mode, place, length } = note
  return cut(mode, { file: path, lock: lockOf(path), note: notePath, offset: place.head - place.base, length }, tools)
}

/** The file under whose lock the live file is cut. */
export function lockOf(path: string): string {
  return `${path}.lock`
}
