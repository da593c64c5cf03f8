import { keyValueVerb } from './key-values.ts'
import type { Verb } from './verb.ts'

export const verb: Verb = keyValueVerb({
  word: 'label',
  field: 'labels',
  examples: ['pmk label process web tier=front', 'pmk label processes --all --overwrite team=shop', 'pmk label process web tier-'],
})
