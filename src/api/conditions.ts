import { jsonEqual } from '../base/json.ts'
import type { Condition } from '../generated/types.ts'

export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type)
}

/**
 * The conditions with this one put in place of the one of its type, or at the end. lastTransitionTime is `now` only if the
 * status changed. Gives back the very same list when nothing changed, so that `===` tells whether there is something to write.
 */
export function setCondition(
  conditions: readonly Condition[] | undefined,
  next: Omit<Condition, 'lastTransitionTime'>,
  now: string,
): readonly Condition[] {
  const present = findCondition(conditions, next.type)
  if (conditions === undefined || present === undefined) return [...(conditions ?? []), { ...next, lastTransitionTime: now }]
  const lastTransitionTime = present.status === next.status ? (present.lastTransitionTime ?? now) : now
  const condition = { ...next, lastTransitionTime }
  return jsonEqual(condition, present) ? conditions : conditions.map((other) => (other === present ? condition : other))
}
