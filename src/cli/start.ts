import type { Client, Ref } from '../client/client.ts'
import type { Instance } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
import { onEach, targetFlags, targetsOf } from './each-target.ts'
import { isSuspended, selectionOf } from './of-process.ts'
import type { Anew } from './settled.ts'
import type { FoundTarget } from './targets.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'
import { type Wait, waitFlags, waitForInstance, waitForProcess } from './wait-settled.ts'

const MANAGER = 'pmk-start'

/** An Instance with one of these waits, has given up or has ended: a start makes it try again now. */
const DOWN: ReadonlySet<string> = new Set(['CrashLoopBackOff', 'StartError', 'GaveUp', 'Failed', 'Succeeded'])

export const verb: Verb = defineVerb({
  usage: 'start NAME… | KIND/NAME… | -l LABELS | --all | -f FILE [flags]',
  description:
    'Starts Processes: writes desiredState Running, and waits until they are ready. What has given up, has ended or waits in a backoff is tried again at once.',
  examples: ['pmk start web', 'pmk start -l app=shop', 'pmk start web worker --wait=false', 'pmk start web-0'],
  flags: { ...targetFlags, ...waitFlags(true) },
  async run({ ctx, args, flags }) {
    const targets = await targetsOf(ctx, args, flags)
    return onEach(ctx, targets, (target, name) => {
      const wait = flags.wait ? { name, word: 'start', timeout: flags.timeout } : undefined
      return target.definition.kind === 'Instance' ? startInstance(ctx, target, wait, name) : startProcess(ctx, target.ref, wait, name)
    })
  },
})

async function startProcess(ctx: Context, ref: Ref, wait: Wait | undefined, name: string): Promise<string> {
  const { client } = await ctx.connect()
  const write = { fieldManager: MANAGER, signal: ctx.signal }
  const { metadata, spec } = await client.for('Process').patch(ref, { type: 'merge', value: { spec: { desiredState: 'Running' } } }, write)
  const { items } = await client.for('Instance').list({ ...selectionOf(ref), signal: ctx.signal })
  // Those that were stopped start by the desired state; these were wanted all along, and need to be asked.
  const down = items.filter((instance) => instance.spec.desiredState === 'Running' && isDown(instance))
  const anew = await Promise.all(down.map((instance) => askAnew(ctx, client, instance, MANAGER)))
  if (isSuspended(spec, ctx.clock.now())) return `${name} will be started when it is resumed: it is suspended`
  if (wait !== undefined) await waitForProcess(ctx, client, ref, { type: 'running', generation: metadata.generation, anew }, wait)
  return `${name} started`
}

async function startInstance(ctx: Context, { ref, object }: FoundTarget, wait: Wait | undefined, name: string): Promise<string> {
  // The kind of the target says so.
  const instance = object as Instance
  const { client } = await ctx.connect()
  if (instance.spec.desiredState === 'Stopped') {
    throw new CliError(
      `${name} belongs to Process ${instance.spec.process}, which is stopped. Start the Process: pmk start ${instance.spec.process}`,
    )
  }
  if (isSuspended(instance.spec, ctx.clock.now())) return `${name} will be started when its Process is resumed: it is suspended`
  const anew = isDown(instance)
    ? await askAnew(ctx, client, instance, MANAGER)
    : { name: ref.name, generation: instance.metadata.generation, attempt: 0 }
  if (wait !== undefined) await waitForInstance(ctx, client, ref, anew, wait)
  return `${name} started`
}

/** Writes restartedAt of one Instance: its agent starts it anew, whatever it waits for or has given up on. */
export async function askAnew(ctx: Context, client: Client, { metadata, status }: Instance, manager: string): Promise<Anew> {
  const { name, namespace } = metadata
  const ref = namespace === undefined ? { name } : { name, namespace }
  const value = { spec: { restartedAt: ctx.clock.now() } }
  const after = await client.for('Instance').patch(ref, { type: 'merge', value }, { fieldManager: manager, signal: ctx.signal })
  return { name, generation: after.metadata.generation, attempt: status?.attempt ?? 0 }
}

function isDown({ status }: Instance): boolean {
  return DOWN.has(status?.reason ?? '')
}
