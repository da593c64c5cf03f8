import { invalidField } from '../api/field-errors.ts'
import type { Cause } from '../api/status.ts'
import { isJsonObject, jsonEqual } from '../base/json.ts'
import type { Instance } from '../generated/types.ts'
import type { Strategy } from './strategy.ts'
import { normalizeTemplate } from './template-normal-form.ts'
import { validateTemplate } from './template-rules.ts'

export const instanceStrategy: Strategy<Instance> = {
  normalize(body) {
    if (!isJsonObject(body.spec) || !isJsonObject(body.spec.template)) return body
    const template = normalizeTemplate(body.spec.template)
    return template === body.spec.template ? body : { ...body, spec: { ...body.spec, template } }
  },

  validate(next, prev) {
    const causes: Cause[] = []
    for (const field of ['process', 'index'] as const) {
      if (prev !== undefined && next.spec[field] !== prev.spec[field]) {
        causes.push(invalidField(`spec.${field}`, next.spec[field], 'field is immutable'))
      }
    }
    // What was stored once stays acceptable, also to a version with stricter rules.
    if (prev !== undefined && jsonEqual(next.spec.template, prev.spec.template)) return causes
    return [...causes, ...validateTemplate(next.spec.template, { at: 'spec.template', name: next.spec.process })]
  },
}
