import { onEach, targetFlags, targetsOf } from './each-target.ts'
import { defineVerb, type Verb } from './verb.ts'

export const pauseVerb: Verb = pausingVerb({
  word: 'pause',
  paused: true,
  done: 'paused',
  description:
    'Holds the rollouts of Processes: changes of launch fields reach no Instance until they are resumed. Programs that die are started again as ever.',
})

export const resumeVerb: Verb = pausingVerb({
  word: 'resume',
  paused: false,
  done: 'resumed',
  description: 'Lets the rollouts of Processes go on.',
})

function pausingVerb(options: {
  readonly word: 'pause' | 'resume'
  readonly paused: boolean
  readonly done: string
  readonly description: string
}): Verb {
  const { word, paused, done, description } = options
  return defineVerb({
    usage: `rollout ${word} NAME… | process/NAME… | -l LABELS | --all | -f FILE`,
    description,
    examples: [`pmk rollout ${word} web`],
    flags: targetFlags,
    async run({ ctx, args, flags }) {
      const targets = await targetsOf(ctx, args, flags, ['Process'])
      const { client } = await ctx.connect()
      return onEach(ctx, targets, async ({ ref }, name) => {
        const value = { spec: { updateStrategy: { paused } } }
        await client.for('Process').patch(ref, { type: 'merge', value }, { fieldManager: 'pmk-rollout', signal: ctx.signal })
        return `${name} ${done}`
      })
    },
  })
}
