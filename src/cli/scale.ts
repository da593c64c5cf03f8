import type { Client } from '../client/client.ts'
import type { Process } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
import { allFlag, dryRunFlag, fileFlags, selectorFlag } from './common-flags.ts'
import { concurrently, PARALLEL_REQUESTS } from './concurrently.ts'
import { DRY_RUN_NOTES, dryRunOf } from './dry-run.ts'
import { describeError } from './errors.ts'
import { printedName, resourceOf } from './resources.ts'
import { findTargets } from './targets.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'
import { watchUntil } from './watch-until.ts'
import { withTimeout } from './with-timeout.ts'

export const verb: Verb = defineVerb({
  usage: 'scale NAME… | KIND/NAME… | -l LABELS | --all | -f FILE --replicas=N [flags]',
  description: 'Sets the number of Instances of Processes.',
  examples: ['pmk scale web --replicas=3', 'pmk scale process/web --current-replicas=2 --replicas=3 --timeout=1m'],
  flags: {
    replicas: { type: 'integer', placeholder: 'N', help: 'The new number; required' },
    'current-replicas': { type: 'integer', placeholder: 'N', help: 'Only if the number is this one now' },
    'resource-version': { type: 'string', placeholder: 'VERSION', help: 'Only if nobody changed the object since this version' },
    timeout: { type: 'duration', placeholder: 'TIME', default: 0, help: 'Wait so long until as many Instances are there; 0: do not wait' },
    ...fileFlags,
    ...selectorFlag,
    ...allFlag,
    ...dryRunFlag,
  },
  async run({ ctx, args, flags }) {
    const { replicas } = flags
    if (replicas === undefined) throw new CliError('required flag(s) "replicas" not set', { usage: true })
    if (replicas < 0) throw new CliError('The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0')
    const dryRun = dryRunOf(flags['dry-run'])
    const chosen = { args, selector: flags.selector, all: flags.all, files: flags.filename, recursive: flags.recursive }
    const targets = await findTargets(ctx, chosen, ['Process'])
    if (targets.length === 0) throw new CliError('no objects passed to scale')
    const { client } = await ctx.connect()
    const failures: unknown[] = []
    await concurrently(targets, PARALLEL_REQUESTS, async ({ definition, ref, object }) => {
      try {
        checkPreconditions(object as Process, flags)
        const guarded = flags['current-replicas'] !== undefined || flags['resource-version'] !== undefined
        const { resourceVersion } = object.metadata
        const value = { ...(guarded && { metadata: { resourceVersion } }), spec: { replicas } }
        if (dryRun !== 'client') {
          const options = { subresource: 'scale', fieldManager: 'pmk-scale', dryRun: dryRun === 'server', signal: ctx.signal } as const
          await resourceOf(client, definition).patch(ref, { type: 'merge', value }, options)
        }
        ctx.io.write(`${printedName(definition, ref.name)} scaled${DRY_RUN_NOTES[dryRun]}\n`)
        if (flags.timeout > 0 && dryRun === 'none') await waitForReplicas(ctx, client, ref, replicas, flags.timeout)
      } catch (err) {
        if (ctx.signal.aborted) throw err
        failures.push(err)
      }
    })
    for (const failure of failures) ctx.io.warn(`${describeError(failure)}\n`)
    return failures.length > 0 ? 1 : 0
  },
})

function checkPreconditions(
  process: Process,
  flags: { readonly 'current-replicas': number | undefined; readonly 'resource-version': string | undefined },
): void {
  const { 'current-replicas': current, 'resource-version': version } = flags
  const have = process.spec.replicas
  if (current !== undefined && current >= 0 && current !== have) {
    throw new CliError(`Expected replicas to be ${current}, was ${have}`)
  }
  const { resourceVersion } = process.metadata
  if (version !== undefined && version !== resourceVersion) {
    throw new CliError(`Expected resource version to be ${version}, was ${resourceVersion}`)
  }
}

async function waitForReplicas(
  ctx: Context,
  client: Client,
  ref: { readonly name: string; readonly namespace?: string },
  replicas: number,
  timeout: number,
): Promise<void> {
  const reached = (process: Process | undefined): boolean =>
    process === undefined ||
    (process.status?.observedGeneration === process.metadata.generation && (process.status?.replicas ?? 0) === replicas)
  await withTimeout(ctx, timeout, `timed out waiting for ${ref.name} to have ${replicas} Instances`, (signal) =>
    watchUntil(client.for('Process'), ref, signal, reached),
  )
}
