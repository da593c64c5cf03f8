import { targetFlags } from './each-target.ts'
import { setSuspension } from './suspend.ts'
import { defineVerb, type Verb } from './verb.ts'
import { waitFlags } from './wait-settled.ts'

export const verb: Verb = defineVerb({
  usage: 'resume NAME… | process/NAME… | source/NAME… | -l LABELS | --all | -f FILE [flags]',
  description: 'Ends the suspension of Processes or ManifestSources: what is wanted of them is made so from now on.',
  examples: ['pmk resume web', 'pmk resume --all', 'pmk resume source/web'],
  flags: { ...targetFlags, ...waitFlags(false) },
  run({ ctx, args, flags }) {
    const spec = { suspend: false, suspendUntil: null }
    return setSuspension(ctx, args, flags, { manager: 'pmk-resume', word: 'resume', spec, done: 'resumed' })
  },
})
