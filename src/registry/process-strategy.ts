import { invalidField } from '../api/field-errors.ts'
import type { Cause } from '../api/status.ts'
import { isJsonObject, jsonEqual } from '../base/json.ts'
import type { Process } from '../generated/types.ts'
import type { Strategy } from './strategy.ts'
import { normalizeTemplate } from './template-normal-form.ts'
import { validateTemplate } from './template-rules.ts'

export const processStrategy: Strategy<Process> = {
  normalize(body) {
    if (!isJsonObject(body.spec)) return body
    const spec = normalizeTemplate(body.spec)
    return spec === body.spec ? body : { ...body, spec }
  },

  validate(next, prev) {
    // What was stored once stays acceptable, also to a version with stricter rules.
    if (prev !== undefined && jsonEqual(next.spec, prev.spec)) return []
    return [...validateTemplate(next.spec, { at: 'spec', name: next.metadata.name }), ...checkMaxUnavailable(next)]
  },
}

function checkMaxUnavailable({ spec }: Process): readonly Cause[] {
  const { maxUnavailable } = spec.updateStrategy.rollingUpdate
  const field = 'spec.updateStrategy.rollingUpdate.maxUnavailable'
  const amount = Number.parseInt(String(maxUnavailable), 10)
  if (!(amount >= 1)) return [invalidField(field, maxUnavailable, 'must be at least 1, or no roll would ever go on')]
  if (typeof maxUnavailable === 'string' && maxUnavailable.endsWith('%') && amount > 100) {
    return [invalidField(field, maxUnavailable, 'must not be more than 100%')]
  }
  return []
}
