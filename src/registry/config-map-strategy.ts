import { invalidField, tooLongField } from '../api/field-errors.ts'
import type { Cause } from '../api/status.ts'
import type { ConfigMap } from '../generated/types.ts'
import { checkImmutableData } from './secret-strategy.ts'
import type { Strategy } from './strategy.ts'

/** In bytes; as in Kubernetes. */
const MAX_CONFIG_MAP = 1024 * 1024

export const configMapStrategy: Strategy<ConfigMap> = {
  validate(next, prev) {
    const { data = {}, binaryData = {} } = next
    const causes: Cause[] = Object.keys(binaryData)
      .filter((key) => Object.hasOwn(data, key))
      .map((key) => invalidField(`binaryData[${key}]`, key, 'the same key is in data'))
    const texts = Object.values(data).reduce((sum, text) => sum + Buffer.byteLength(text), 0)
    const size = Object.values(binaryData).reduce((sum, text) => sum + Buffer.byteLength(text, 'base64'), texts)
    if (size > MAX_CONFIG_MAP) causes.push(tooLongField('data', `may not be more than ${MAX_CONFIG_MAP} bytes in all`))
    return prev === undefined ? causes : [...causes, ...checkImmutableData(next, prev, ['data', 'binaryData'])]
  },
}
