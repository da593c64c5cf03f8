import { verb as getVerb } from './get.ts'
import { defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'token list [NAME…] [flags]',
  description:
    'Shows whose tokens there are and when they expire: pmk get tokens. The tokens themselves are known to nobody but their bearers.',
  examples: ['pmk token list', 'pmk token list -o wide', 'pmk token list --field-selector spec.user=anna'],
  flags: getVerb.flags,
  run: (invocation) => getVerb.run({ ...invocation, args: ['tokens', ...invocation.args] }),
})
