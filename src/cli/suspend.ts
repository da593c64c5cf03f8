import type { Kind } from '../api/object.ts'
import { epochOf, timestampOf } from '../base/clock.ts'
import type { Instance, Process } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
import { onEach, targetFlags, targetsOf } from './each-target.ts'
import { followProcess } from './follow-process.ts'
import { wholeOnly } from './stop.ts'
import { suspendSource } from './suspend-source.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'
import { waitFlags } from './wait-settled.ts'
import { withTimeout } from './with-timeout.ts'

const KINDS: readonly Kind[] = ['Process', 'Instance', 'ManifestSource']

export const verb: Verb = defineVerb({
  usage: 'suspend NAME… | process/NAME… | source/NAME… | -l LABELS | --all | -f FILE [--for TIME] [flags]',
  description:
    'Leaves Processes as they are: they are watched and reported, and nothing is started, stopped or restarted until they are resumed.\nOf a ManifestSource nothing is fetched, applied, pruned or put back until then.',
  examples: ['pmk suspend web', 'pmk suspend web --for 10m', 'pmk suspend source/web', 'pmk resume web'],
  flags: {
    ...targetFlags,
    for: { type: 'duration', placeholder: 'TIME', help: 'The suspension ends by itself after so long' },
    ...waitFlags(false),
  },
  async run({ ctx, args, flags }) {
    const length = flags.for
    if (length !== undefined && length <= 0) throw new CliError('--for needs a time above zero, such as 10m', { usage: true })
    const suspendUntil = length === undefined ? null : timestampOf(epochOf(ctx.clock.now()) + length)
    return setSuspension(ctx, args, flags, {
      manager: 'pmk-suspend',
      word: 'suspend',
      spec: { suspend: true, suspendUntil },
      done: suspendUntil === null ? 'suspended' : `suspended until ${suspendUntil}`,
    })
  },
})

export interface Suspension {
  readonly manager: string
  readonly word: 'suspend' | 'resume'
  readonly spec: { readonly suspend: boolean; readonly suspendUntil: string | null }
  readonly done: string
}

/** What suspend and resume share. Waiting means: until every agent has taken note. */
export async function setSuspension(
  ctx: Context,
  args: readonly string[],
  flags: Parameters<typeof targetsOf>[2] & { readonly wait: boolean; readonly timeout: number },
  { manager, word, spec, done }: Suspension,
): Promise<number> {
  const targets = await targetsOf(ctx, args, flags, KINDS)
  for (const { definition, object, ref } of targets) {
    if (definition.kind === 'Instance') throw wholeOnly(word, object as Instance)
    if (definition.kind === 'ManifestSource' && spec.suspendUntil !== null)
      throw new CliError(`--for is for Processes; source ${ref.name} stays suspended until pmk resume source/${ref.name}`)
  }
  const { client } = await ctx.connect()
  return onEach(ctx, targets, async (target, name) => {
    const { ref } = target
    if (target.definition.kind === 'ManifestSource') {
      await suspendSource(ctx, client, target, name, { manager, suspend: spec.suspend, wait: flags.wait, timeout: flags.timeout })
      return `${name} ${done}`
    }
    const write = { fieldManager: manager, signal: ctx.signal }
    const { metadata } = await client.for('Process').patch(ref, { type: 'merge', value: { spec } }, write)
    if (flags.wait) {
      await withTimeout(ctx, flags.timeout, `timed out waiting until every agent has taken note of it: ${name} ${word}`, (signal) =>
        followProcess(client, ref, signal, ({ process, instances }) => noted(process, instances, metadata.generation, spec.suspend)),
      )
    }
    return `${name} ${done}`
  })
}

function noted(process: Process | undefined, instances: readonly Instance[], generation: number, suspend: boolean): true | undefined {
  if (process === undefined) return true
  const observed = (process.status?.observedGeneration ?? 0) >= generation
  const all = instances.every(
    (instance) => instance.spec.suspend === suspend && (instance.status?.observedGeneration ?? 0) >= instance.metadata.generation,
  )
  return observed && all ? true : undefined
}
