import { findCondition } from '../api/conditions.ts'
import type { ProcessStatus } from '../generated/types.ts'

export interface Happening {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}

/** What a change of status tells people: told from the two states, so that it is the same however they came about. Pure. */
export function happenings(prev: ProcessStatus | undefined, next: ProcessStatus): readonly Happening[] {
  if (prev === undefined) return []
  const told: Happening[] = []
  if (next.updateRevision !== prev.updateRevision) {
    told.push({ type: 'Normal', reason: 'NewRevision', message: `rolling to revision ${next.updateRevision}, from ${prev.updateRevision}` })
  }
  const before = findCondition(prev.conditions, 'Progressing')
  const after = findCondition(next.conditions, 'Progressing')
  if (after?.reason === 'ProgressDeadlineExceeded' && before?.reason !== after.reason) {
    told.push({ type: 'Warning', reason: 'ProgressDeadlineExceeded', message: after.message ?? '' })
  }
  if (next.currentRevision !== prev.currentRevision && prev.currentRevision !== undefined) {
    told.push({ type: 'Normal', reason: 'RolloutComplete', message: `all Instances run revision ${next.currentRevision}` })
  }
  if (next.reason === 'Blocked' && prev.reason !== 'Blocked') told.push({ type: 'Warning', reason: 'Blocked', message: next.message ?? '' })
  return told
}
