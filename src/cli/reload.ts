import { onEach, targetFlags, targetsOf } from './each-target.ts'
import { requestOnce } from './request-each.ts'
import { defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'reload NAME… | KIND/NAME… | -l LABELS | --all | -f FILE',
  description:
    'Has running programs read their configuration anew, as spec.reload says: by a signal, or by a command. Nothing is restarted.',
  examples: ['pmk reload web', 'pmk reload web-0', 'pmk reload -l app=shop'],
  flags: targetFlags,
  async run({ ctx, args, flags }) {
    const targets = await targetsOf(ctx, args, flags)
    const { client } = await ctx.connect()
    return onEach(ctx, targets, async (target, name) => {
      await requestOnce(ctx, client, target, name, { subresource: 'reload', body: {}, word: 'reloaded' })
      return `${name} reloaded`
    })
  },
})
