import { hasReason } from '../api/status.ts'
import type { Client } from '../client/client.ts'
import type { Instance, Process, Revision } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
import { concurrently, PARALLEL_REQUESTS } from './concurrently.ts'
import { targetFlags, targetsOf } from './each-target.ts'
import { selectionOf } from './of-process.ts'
import type { FoundTarget } from './targets.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'
import { type Evidence, explain } from './why-explain.ts'
import { keeperEvidence } from './why-source.ts'

export const verb: Verb = defineVerb({
  usage: 'why NAME… | KIND/NAME… | -l LABELS | --all | -f FILE [-o json|yaml]',
  description:
    'Tells why a Process or an Instance is as it is: its state and since when, what it waits for, how it ended, who asked for what, and its last changes with their causes.',
  examples: ['pmk why web', 'pmk why web-0', 'pmk why web -o json'],
  flags: { ...targetFlags, output: { type: 'string', short: 'o', placeholder: 'json|yaml', help: 'The same as data' } },
  async run({ ctx, args, flags }) {
    const { output } = flags
    if (output !== undefined && output !== 'json' && output !== 'yaml') {
      throw new CliError(`unable to match a printer suitable for the output format "${output}", allowed formats are: json,yaml`)
    }
    const targets = await targetsOf(ctx, args, flags)
    if (targets.length === 0) ctx.io.warn('No resources found\n')
    const { client } = await ctx.connect()
    const explanations = await concurrently(targets, PARALLEL_REQUESTS, async (target) => explain(await evidenceOf(ctx, client, target)))
    if (output !== undefined) {
      const { formatObject } = await import('./printers.ts')
      ctx.io.write(await formatObject(explanations.length === 1 ? explanations[0] : explanations, output))
      return 0
    }
    const { whyText } = await import('./why-text.ts')
    ctx.io.write(explanations.map((explanation) => whyText(explanation, ctx.clock.now())).join('\n'))
    return 0
  },
})

async function evidenceOf(ctx: Context, client: Client, { definition, ref, object }: FoundTarget): Promise<Evidence> {
  const { signal } = ctx
  const now = ctx.clock.now()
  const only = definition.kind === 'Instance' ? (object as Instance) : undefined
  const of = only === undefined ? ref : { ...ref, name: only.spec.process }
  const [process, instances, revisions] = await Promise.all([
    only === undefined ? (object as Process) : processOf(client, of, signal),
    only === undefined ? client.for('Instance').list({ ...selectionOf(of), signal }) : { items: [only] },
    revisionsOf(client, of, signal),
  ])
  const sorted = [...instances.items].sort((a, b) => a.spec.index - b.spec.index)
  const keeper = await keeperEvidence(client, process, signal)
  return { process, instances: sorted, revisions, keeper, ...(only !== undefined && { only }), now }
}

/** An Instance may be there without its Process for a while. */
async function processOf(client: Client, ref: FoundTarget['ref'], signal: AbortSignal): Promise<Process | undefined> {
  try {
    return await client.for('Process').get(ref, { signal })
  } catch (err) {
    if (!hasReason(err, 'NotFound')) throw err
    return undefined
  }
}

/** The Revisions of a Process, oldest first. */
export async function revisionsOf(client: Client, ref: FoundTarget['ref'], signal: AbortSignal): Promise<readonly Revision[]> {
  const { items } = await client.for('Revision').list({ ...selectionOf(ref), signal })
  return [...items].sort((a, b) => a.revision - b.revision)
}
