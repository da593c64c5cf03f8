import { invalidField } from '../api/field-errors.ts'
import { jsonEqual } from '../base/json.ts'
import type { Revision } from '../generated/types.ts'
import type { Strategy } from './strategy.ts'

export const revisionStrategy: Strategy<Revision> = {
  /** Its number grows when an old template comes back; the template itself never changes. */
  validate(next, prev) {
    if (prev === undefined || jsonEqual(next.spec, prev.spec)) return []
    return [invalidField('spec', next.spec.process, 'field is immutable')]
  },
}
