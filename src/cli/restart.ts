import type { Ref } from '../client/client.ts'
import type { HttpClient } from '../client/http-client.ts'
import type { Instance, Process } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
import { onEach, targetFlags, targetsOf } from './each-target.ts'
import { isSuspended, selectionOf } from './of-process.ts'
import type { Anew } from './settled.ts'
import { askAnew } from './start.ts'
import type { FoundTarget } from './targets.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'
import { type Wait, waitFlags, waitForInstance, waitForProcess } from './wait-settled.ts'

const MANAGER = 'pmk-restart'

export const verb: Verb = defineVerb({
  usage: 'restart NAME… | KIND/NAME… | -l LABELS | --all | -f FILE [--now] [flags]',
  description:
    'Restarts Processes, one Instance after another as updateStrategy says, or with --now all at once; a stopped Process is started. Of an Instance: that one alone.',
  examples: ['pmk restart web', 'pmk restart web --now', 'pmk restart web-0', 'pmk restart -l app=shop --wait=false'],
  flags: { ...targetFlags, now: { type: 'boolean', help: 'All Instances at once' }, ...waitFlags(true) },
  async run({ ctx, args, flags }) {
    const targets = await targetsOf(ctx, args, flags)
    return onEach(ctx, targets, async (target, name) => {
      const wait = flags.wait ? { name, word: 'restart', timeout: flags.timeout } : undefined
      if (target.definition.kind === 'Instance') return restartInstance(ctx, target, wait, name)
      return flags.now ? restartNow(ctx, target, wait, name) : restartProcess(ctx, target, wait, name)
    })
  },
})

/** Writes restartedAt, which the controller rolls out. `start`: a stopped one, too, is to run then. */
export async function restartProcess(
  ctx: Context,
  { ref, object }: FoundTarget,
  wait: Wait | undefined,
  name: string,
  options: { readonly manager?: string; readonly start?: boolean } = {},
): Promise<string> {
  const { manager = MANAGER, start = true } = options
  const { client } = await ctx.connect()
  checkRolls(object as Process, name)
  const restartedAt = ctx.clock.now()
  const value = { spec: { restartedAt, ...(start && wantsStart(object as Process)) } }
  const write = { fieldManager: manager, signal: ctx.signal }
  const { metadata, spec } = await client.for('Process').patch(ref, { type: 'merge', value }, write)
  if (isSuspended(spec, restartedAt)) return `${name} will be restarted when it is resumed: it is suspended`
  if (wait !== undefined) {
    await waitForProcess(ctx, client, ref, { type: 'running', generation: metadata.generation, restartedAt }, wait)
  }
  return `${name} restarted`
}

async function restartNow(ctx: Context, target: FoundTarget, wait: Wait | undefined, name: string): Promise<string> {
  const { client } = await ctx.connect()
  const process = target.object as Process
  if (process.spec.desiredState === 'Stopped') return restartProcess(ctx, target, wait, name)
  const anew = await allAnew(ctx, client, target.ref)
  if (isSuspended(process.spec, ctx.clock.now())) return `${name} will be restarted when it is resumed: it is suspended`
  if (wait !== undefined) {
    await waitForProcess(ctx, client, target.ref, { type: 'running', generation: process.metadata.generation, anew }, wait)
  }
  return `${name} restarted`
}

async function allAnew(ctx: Context, client: HttpClient, ref: Ref): Promise<readonly Anew[]> {
  const { items } = await client.for('Instance').list({ ...selectionOf(ref), signal: ctx.signal })
  return Promise.all(items.map((instance) => askAnew(ctx, client, instance, MANAGER)))
}

async function restartInstance(ctx: Context, { ref, object }: FoundTarget, wait: Wait | undefined, name: string): Promise<string> {
  const instance = object as Instance
  const { client } = await ctx.connect()
  const { process, desiredState } = instance.spec
  if (desiredState === 'Stopped') {
    throw new CliError(`${name} belongs to Process ${process}, which is stopped. Start the Process: pmk start ${process}`)
  }
  const anew = await askAnew(ctx, client, instance, MANAGER)
  if (isSuspended(instance.spec, ctx.clock.now())) return `${name} will be restarted when its Process is resumed: it is suspended`
  if (wait !== undefined) await waitForInstance(ctx, client, ref, anew, wait)
  return `${name} restarted`
}

function wantsStart({ spec }: Process): { readonly desiredState?: 'Running' } {
  return spec.desiredState === 'Stopped' ? { desiredState: 'Running' } : {}
}

function checkRolls({ spec, metadata }: Process, name: string): void {
  if (spec.updateStrategy.paused) {
    throw new CliError(
      `can't restart ${name}: its rollout is paused. Resume it: pmk rollout resume ${metadata.name}. Or restart all at once: --now`,
    )
  }
}
