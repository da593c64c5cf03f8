import type { Millis } from '../base/clock.ts'
import { decodeMarksRecord, encodeMarksRecord } from './level-records.ts'
import type { Revision } from './store.ts'

/** At `at`, by the monotonic clock, the store was at `revision`: what is not above it is at least that old. */
export interface Mark {
  readonly at: Millis
  readonly revision: Revision
}

/** By which clock marks are read and written. */
export interface Era {
  readonly now: Millis
  /** Of the machine: its monotonic clock begins anew with each. */
  readonly boot: string
}

/** Marks for a later server; no wall clock, which may jump, has a part in them. */
export function encodeMarks(marks: readonly Mark[], era: Era): string {
  return encodeMarksRecord({
    boot: era.boot,
    now: Math.floor(era.now),
    // Rounded to the younger side.
    marks: marks.map(({ at, revision }) => [Math.min(Math.ceil(at), Math.floor(era.now)), revision]),
  })
}

/**
 * The marks by the clock of `era`, oldest first. Of another boot it is only known how old they were when they were written: they
 * count as no older now, so history is kept longer and never shorter. Throws DamagedRecord.
 */
export function decodeMarks(record: string, era: Era): readonly Mark[] {
  const { boot, now, marks } = decodeMarksRecord(record)
  const isSameClock = boot === era.boot && now <= era.now
  return marks.map(([at, revision]) => ({ at: isSameClock ? at : era.now - (now - at), revision }))
}
