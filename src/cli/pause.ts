import { onEach, targetFlags, targetsOf } from './each-target.ts'
import { requestOnce } from './request-each.ts'
import { defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'pause NAME… | KIND/NAME… | -l LABELS | --all | -f FILE',
  description:
    'Freezes the processes of an Instance, or of each Instance of a Process, until `pmk unpause`: they keep their memory and their files and do nothing. The spec stays as it is. A paused program is not ready and is not probed. A stop, restart or rollout ends the pause; a restart of the server does not.',
  examples: ['pmk pause web', 'pmk pause web-0', 'pmk pause -l app=shop'],
  flags: targetFlags,
  async run({ ctx, args, flags }) {
    const targets = await targetsOf(ctx, args, flags)
    const { client } = await ctx.connect()
    return onEach(ctx, targets, async (target, name) => {
      await requestOnce(ctx, client, target, name, { subresource: 'pause', body: { paused: true }, word: 'paused' })
      return `${name} paused`
    })
  },
})
