import { onEach, targetFlags, targetsOf } from './each-target.ts'
import { requestOnce } from './request-each.ts'
import { defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'unpause NAME… | KIND/NAME… | -l LABELS | --all | -f FILE',
  description: 'Lets the processes that `pmk pause` froze go on. Those that are not paused stay as they are.',
  examples: ['pmk unpause web', 'pmk unpause web-0', 'pmk unpause --all'],
  flags: targetFlags,
  async run({ ctx, args, flags }) {
    const targets = await targetsOf(ctx, args, flags)
    const { client } = await ctx.connect()
    return onEach(ctx, targets, async (target, name) => {
      await requestOnce(ctx, client, target, name, { subresource: 'pause', body: { paused: false }, word: 'unpaused' })
      return `${name} unpaused`
    })
  },
})
