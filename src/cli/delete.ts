import { hasReason } from '../api/status.ts'
import type { Client, DeleteOptions } from '../client/client.ts'
import { CliError } from './cli-error.ts'
import { allFlag, allNamespacesFlag, dryRunFlag, fieldSelectorFlag, fileFlags, selectorFlag } from './common-flags.ts'
import { concurrently, PARALLEL_REQUESTS } from './concurrently.ts'
import { DRY_RUN_NOTES, type DryRun, dryRunOf } from './dry-run.ts'
import { describeError } from './errors.ts'
import { printedName, resourceOf } from './resources.ts'
import { chooseTargets, type Target } from './targets.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'
import { watchUntil } from './watch-until.ts'
import { withTimeout } from './with-timeout.ts'

const PROPAGATIONS = { background: 'Background', foreground: 'Foreground', orphan: 'Orphan' } as const

export const verb: Verb = defineVerb({
  usage: 'delete KIND NAME… | KIND/NAME… | KIND -l LABELS | KIND --all | -f FILE [flags]',
  description: 'Deletes objects and waits until they are gone: for a Process that is when nothing of it runs any more.',
  examples: ['pmk delete process web', 'pmk delete -f celery.yaml', 'pmk delete processes -l app=shop', 'pmk delete process web --now'],
  flags: {
    ...fileFlags,
    ...selectorFlag,
    ...fieldSelectorFlag,
    ...allFlag,
    ...allNamespacesFlag,
    ...dryRunFlag,
    output: { type: 'string', short: 'o', placeholder: 'name', help: 'name: print only the names' },
    wait: { type: 'boolean', default: true, help: 'Wait until the objects are gone' },
    timeout: { type: 'duration', placeholder: 'TIME', default: 0, help: 'How long to wait; 0: as long as it takes' },
    'grace-period': {
      type: 'integer',
      placeholder: 'SECONDS',
      default: -1,
      help: 'Seconds for a polite stop; below 0: what the object says',
    },
    now: { type: 'boolean', help: 'The same as --grace-period=1' },
    force: { type: 'boolean', help: 'Kill without asking first (--grace-period=0)' },
    cascade: {
      type: 'string',
      placeholder: 'background|foreground|orphan',
      default: 'background',
      optional: 'background',
      help: 'What becomes of what belongs to the object',
    },
    'ignore-not-found': { type: 'boolean', help: 'An object that is not there is no error' },
  },
  async run({ ctx, args, flags, given }) {
    const { output } = flags
    if (output !== undefined && output !== 'name') throw new CliError(`unexpected -o output mode: ${output}; only '-o name' is supported`)
    const dryRun = dryRunOf(flags['dry-run'])
    const options = { ...deleteOptions(flags), ...(dryRun === 'server' && { dryRun: true }) }
    const chosen = {
      args,
      selector: flags.selector,
      fieldSelector: flags['field-selector'],
      all: flags.all,
      files: flags.filename,
      recursive: flags.recursive,
      allNamespaces: flags['all-namespaces'],
    }
    const isSelection = flags.all || flags.selector !== undefined || flags['field-selector'] !== undefined
    const targets = (await chooseTargets(ctx, chosen)).toReversed()
    if (targets.length === 0 && isSelection) {
      ctx.io.write('No resources found\n')
      return 0
    }
    const ignoreMissing = flags['ignore-not-found'] || (isSelection && !given.has('ignore-not-found'))
    const { client } = await ctx.connect()
    const failures: unknown[] = []
    const going = await concurrently(targets, PARALLEL_REQUESTS, async (target) => {
      try {
        const uid =
          dryRun === 'client'
            ? await exists(client, target, ctx.signal)
            : await deleteOne(client, target, { ...options, signal: ctx.signal })
        tell(ctx, target, flags, dryRun)
        return uid === undefined ? undefined : { target, uid }
      } catch (err) {
        if (ctx.signal.aborted) throw err
        if (!(ignoreMissing && hasReason(err, 'NotFound'))) failures.push(err)
        return undefined
      }
    })
    for (const failure of failures) ctx.io.warn(`${describeError(failure)}\n`)
    const waitFor = going.filter((one) => one !== undefined)
    if (flags.wait && dryRun === 'none') await waitUntilGone(ctx, client, waitFor, flags.timeout)
    return failures.length > 0 ? 1 : 0
  },
})

interface Flags {
  readonly 'grace-period': number
  readonly now: boolean
  readonly force: boolean
  readonly cascade: string
  readonly output: string | undefined
}

function deleteOptions(flags: Flags): DeleteOptions {
  const { now, force, cascade } = flags
  let grace = flags['grace-period']
  if (now && grace !== -1) throw new CliError('--now and --grace-period cannot be specified together', { usage: true })
  if (now) grace = 1
  if (force && grace < 0) grace = 0
  if (grace === 0 && !force) {
    // As kubectl: zero alone is the shortest polite stop, and only --force goes without asking.
    grace = 1
  }
  const propagation = Object.hasOwn(PROPAGATIONS, cascade) ? PROPAGATIONS[cascade as keyof typeof PROPAGATIONS] : undefined
  if (propagation === undefined) throw new CliError(`invalid cascade value (${cascade}). Must be "background", "foreground", or "orphan"`)
  return { propagation, ...(grace >= 0 && { gracePeriodSeconds: grace }) }
}

/** The uid of what is still there; undefined when it is gone at once. */
async function deleteOne(client: Client, { definition, ref }: Target, options: DeleteOptions): Promise<string | undefined> {
  return (await resourceOf(client, definition).delete(ref, options))?.metadata.uid
}

async function exists(client: Client, { definition, ref }: Target, signal: AbortSignal): Promise<undefined> {
  await resourceOf(client, definition).get(ref, { signal })
}

function tell({ io }: Context, { definition, ref }: Target, { output, force }: Flags, dryRun: DryRun): void {
  const name = printedName(definition, ref.name)
  if (output === 'name') io.write(`${name}\n`)
  else io.write(`${name.replace('/', ' "')}" ${force ? 'force deleted' : 'deleted'}${DRY_RUN_NOTES[dryRun]}\n`)
}

interface Going {
  readonly target: Target
  readonly uid: string
}

async function waitUntilGone(ctx: Context, client: Client, going: readonly Going[], timeout: number): Promise<void> {
  const left = new Set(going)
  const message = (): string =>
    `timed out waiting for the end of ${[...left].map(({ target }) => printedName(target.definition, target.ref.name)).join(', ')}`
  await withTimeout(ctx, timeout, message, (signal) =>
    concurrently(going, PARALLEL_REQUESTS, async (one) => {
      const { definition, ref } = one.target
      await watchUntil(resourceOf(client, definition), ref, signal, (object) => object?.metadata.uid !== one.uid)
      left.delete(one)
    }),
  )
}
