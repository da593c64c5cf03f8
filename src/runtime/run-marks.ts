/** Where the output of one attempt begins, in each file. */
export interface RunMark {
  readonly attempt: number
  readonly out: number
  readonly err: number
}

const KEPT = 8
/** Where the only run of a log begins that has no marks on disk. */
const FIRST: RunMark = { attempt: 0, out: 0, err: 0 }

/** With nothing written before it there is nothing to tell the run apart from. */
export function isFirstMark({ out, err }: RunMark): boolean {
  return out === 0 && err === 0
}

/** The marks of the newest runs, this one the last. */
export function withMark(marks: readonly RunMark[], mark: RunMark): readonly RunMark[] {
  return isFirstMark(mark) ? [mark] : [...marks.filter(({ attempt }) => attempt !== mark.attempt), mark].slice(-KEPT)
}

/** The marks of a log that an earlier server tended. `stored`: those on disk; `newest`: where it is known that a run began. */
export function adoptedMarks(stored: readonly RunMark[] | undefined, newest: RunMark | undefined): readonly RunMark[] {
  const marks = stored ?? [FIRST]
  // A log with nothing in it before has no marks on disk.
  return newest !== undefined && newest.attempt > (marks.at(-1)?.attempt ?? 0) ? withMark(marks, newest) : marks
}
