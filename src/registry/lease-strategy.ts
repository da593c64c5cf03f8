import { forbiddenField, invalidField } from '../api/field-errors.ts'
import { checkQualifiedName } from '../api/names.ts'
import type { Cause } from '../api/status.ts'
import type { Lease } from '../generated/types.ts'
import type { Strategy } from './strategy.ts'

/** The one strategy that has no domain; those of others are `example.com/name`. */
const KNOWN_STRATEGY = 'OldestEmulationVersion'

export const leaseStrategy: Strategy<Lease> = {
  validate({ spec: { strategy, preferredHolder } }) {
    const causes: Cause[] = []
    if (preferredHolder && !strategy) causes.push(forbiddenField('spec.preferredHolder', 'may only be specified if `strategy` is defined'))
    if (strategy === undefined || strategy === KNOWN_STRATEGY) return causes
    const verdict = strategy.includes('/') ? checkQualifiedName(strategy) : `must be ${KNOWN_STRATEGY} or a name with a domain before it`
    return verdict === undefined ? causes : [...causes, invalidField('spec.strategy', strategy, verdict)]
  },
}
