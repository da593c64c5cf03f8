import type { Instance } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
import { onEach, targetFlags, targetsOf } from './each-target.ts'
import { isSuspended } from './of-process.ts'
import { defineVerb, type Verb } from './verb.ts'
import { waitFlags, waitForProcess } from './wait-settled.ts'

export const verb: Verb = defineVerb({
  usage: 'stop NAME… | process/NAME… | -l LABELS | --all | -f FILE [flags]',
  description: 'Stops Processes and keeps them stopped: writes desiredState Stopped, and waits until nothing of them runs any more.',
  examples: ['pmk stop web', 'pmk stop -l app=shop', 'pmk stop --all --timeout=1m'],
  flags: { ...targetFlags, ...waitFlags(true) },
  async run({ ctx, args, flags }) {
    const targets = await targetsOf(ctx, args, flags)
    const { client } = await ctx.connect()
    for (const { definition, object } of targets) if (definition.kind === 'Instance') throw wholeOnly('stop', object as Instance)
    return onEach(ctx, targets, async ({ ref }, name) => {
      const value = { spec: { desiredState: 'Stopped' } }
      const { metadata, spec } = await client
        .for('Process')
        .patch(ref, { type: 'merge', value }, { fieldManager: 'pmk-stop', signal: ctx.signal })
      if (isSuspended(spec, ctx.clock.now())) return `${name} will be stopped when it is resumed: it is suspended`
      if (flags.wait) {
        const wait = { name, word: 'stop', timeout: flags.timeout }
        await waitForProcess(ctx, client, ref, { type: 'stopped', generation: metadata.generation }, wait)
      }
      return `${name} stopped`
    })
  },
})

/** What an Instance does follows from its Process; alone it can only be restarted. */
export function wholeOnly(word: string, { metadata, spec }: Instance): CliError {
  const remedy = word === 'stop' ? `, or have fewer of it: pmk scale ${spec.process} --replicas=N` : ''
  return new CliError(
    `${metadata.name} is an Instance, and ${word} is for whole Processes: pmk ${word} ${spec.process}${remedy}. An Instance alone can be restarted: pmk restart ${metadata.name}`,
  )
}
