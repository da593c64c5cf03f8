import { forbiddenField, invalidField } from '../api/field-errors.ts'
import type { Cause } from '../api/status.ts'
import { epochOf } from '../base/clock.ts'
import { jsonEqual } from '../base/json.ts'
import type { Token } from '../generated/types.ts'
import type { Strategy } from './strategy.ts'

export const tokenStrategy: Strategy<Token> = {
  /** Who may have it is checked when it is made, and never again. */
  validate(next, prev) {
    if (prev === undefined) return checkExpiry(next)
    if (jsonEqual(next.spec, prev.spec)) return []
    const fields = new Set([...Object.keys(prev.spec), ...Object.keys(next.spec)]) as ReadonlySet<keyof Token['spec']>
    return [...fields]
      .filter((field) => !jsonEqual(next.spec[field], prev.spec[field]))
      .map((field): Cause => forbiddenField(`spec.${field}`, 'a Token never changes: create another one and delete this one'))
  },
}

/** A leap second is a time, but not one that clocks here can be compared with. */
function checkExpiry({ spec: { expiresAt } }: Token): readonly Cause[] {
  if (expiresAt === undefined || !Number.isNaN(epochOf(expiresAt))) return []
  return [invalidField('spec.expiresAt', expiresAt, 'must be a second that each minute has')]
}
