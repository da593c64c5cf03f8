import { onEach, targetFlags, targetsOf } from './each-target.ts'
import { restartProcess } from './restart.ts'
import { defineVerb, type Verb } from './verb.ts'
import { waitFlags } from './wait-settled.ts'

export const verb: Verb = defineVerb({
  usage: 'rollout restart NAME… | process/NAME… | -l LABELS | --all | -f FILE [flags]',
  description:
    'Restarts Processes, one Instance after another as updateStrategy says. As pmk restart, but it does not wait, and starts nothing that is stopped.',
  examples: ['pmk rollout restart web', 'pmk rollout status web'],
  flags: { ...targetFlags, ...waitFlags(false) },
  async run({ ctx, args, flags }) {
    const targets = await targetsOf(ctx, args, flags, ['Process'])
    return onEach(ctx, targets, (target, name) => {
      const wait = flags.wait ? { name, word: 'restart', timeout: flags.timeout } : undefined
      return restartProcess(ctx, target, wait, name, { manager: 'pmk-rollout', start: false })
    })
  },
})
