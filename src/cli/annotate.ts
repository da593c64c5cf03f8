import { keyValueVerb } from './key-values.ts'
import type { Verb } from './verb.ts'

export const verb: Verb = keyValueVerb({
  word: 'annotate',
  field: 'annotations',
  examples: ['pmk annotate process web owner="the web team"', 'pmk annotate process web owner-'],
})
