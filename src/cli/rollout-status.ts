import { findCondition } from '../api/conditions.ts'
import type { Process } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
import { onEach, targetFlags, targetsOf } from './each-target.ts'
import { defineVerb, type Verb } from './verb.ts'
import { watchUntil } from './watch-until.ts'
import { withTimeout } from './with-timeout.ts'

export const verb: Verb = defineVerb({
  usage: 'rollout status NAME… | process/NAME… | -l LABELS | --all | -f FILE [flags]',
  description:
    'Tells how far a rollout has come, and waits until it is complete. Exit code 1 when it makes no progress for spec.updateStrategy.progressDeadline.',
  examples: ['pmk rollout status web', 'pmk rollout status web --watch=false'],
  flags: {
    ...targetFlags,
    watch: { type: 'boolean', short: 'w', default: true, help: 'Wait until it is complete' },
    timeout: { type: 'duration', placeholder: 'TIME', default: 0, help: 'How long to wait; 0: as long as it takes' },
  },
  async run({ ctx, args, flags }) {
    const targets = await targetsOf(ctx, args, flags, ['Process'])
    const { client } = await ctx.connect()
    return onEach(ctx, targets, async ({ ref, object }) => {
      let last = rolloutState(object as Process)
      if (!flags.watch || last.state === 'complete') return told(last)
      ctx.io.write(`${last.message}\n`)
      const late = (): string => `timed out: ${last.message}`
      await withTimeout(ctx, flags.timeout, late, (signal) =>
        watchUntil(client.for('Process'), ref, signal, (process) => {
          if (process === undefined) throw new CliError(`process "${ref.name}" was deleted meanwhile`)
          const now = rolloutState(process)
          if (now.message !== last.message && now.state === 'waiting') ctx.io.write(`${now.message}\n`)
          last = now
          return now.state !== 'waiting'
        }),
      )
      return told(last)
    })
  },
})

export interface RolloutState {
  readonly state: 'complete' | 'waiting' | 'failed'
  readonly message: string
}

/** How far the roll of a Process has come, in kubectl's words. Pure. */
export function rolloutState({ metadata: { name, generation }, spec, status }: Process): RolloutState {
  const waiting = (message: string): RolloutState => ({ state: 'waiting', message })
  if (status === undefined || (status.observedGeneration ?? 0) < generation)
    return waiting('Waiting for process spec update to be observed...')
  const progressing = findCondition(status.conditions, 'Progressing')
  if (progressing?.reason === 'ProgressDeadlineExceeded')
    return { state: 'failed', message: `process "${name}" exceeded its progress deadline` }
  if (spec.updateStrategy.type === 'OnDelete')
    return { state: 'failed', message: 'rollout status is only available for RollingUpdate strategy type' }
  const { updatedReplicas = 0, replicas = 0, availableReplicas = 0 } = status
  const head = `Waiting for process "${name}" rollout to finish`
  if (updatedReplicas < spec.replicas) {
    const paused = spec.updateStrategy.paused ? ' (the rollout is paused)' : ''
    return waiting(`${head}: ${updatedReplicas} out of ${spec.replicas} new Instances have been updated${paused}...`)
  }
  if (replicas > spec.replicas) return waiting(`${head}: ${replicas - spec.replicas} surplus Instances are pending termination...`)
  if (spec.desiredState === 'Stopped')
    return { state: 'complete', message: `process "${name}" is stopped; its newest revision runs once it is started` }
  if (availableReplicas < spec.replicas)
    return waiting(`${head}: ${availableReplicas} of ${spec.replicas} updated Instances are available...`)
  return { state: 'complete', message: `process "${name}" successfully rolled out` }
}

function told({ state, message }: RolloutState): string {
  if (state === 'failed') throw new CliError(message)
  return message
}
