import type { ApiObject } from '../api/object.ts'
import { hasReason } from '../api/status.ts'
import type { Client } from '../client/client.ts'
import { type Applied, type ApplyOptions, type ApplyOutcome, applyManifest, type Placed, placeManifests } from '../manifest/apply.ts'
import { readLive } from '../manifest/live.ts'
import { loadManifests } from '../manifest/load.ts'
import { groupByOrder } from '../manifest/order.ts'
import { describeApplyError, refuseAll } from './apply-errors.ts'
import { CliError } from './cli-error.ts'
import { dryRunFlag, fieldManagerFlag, fileFlags, outputFlag } from './common-flags.ts'
import { concurrently, PARALLEL_REQUESTS } from './concurrently.ts'
import { DRY_RUN_NOTES, type DryRun, dryRunOf } from './dry-run.ts'
import { type OutputFormat, parseOutput, printObjects } from './output.ts'
import { printedName } from './resources.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'apply -f FILE [flags]',
  description:
    'Makes the server hold what files say. The server checks all documents before the first one is stored, so that a mistake in one\nof them changes nothing. Fields that other verbs of pmk wrote (scale, patch …) are taken back and named; fields of other managers\nare a conflict.',
  examples: [
    'pmk apply -f celery.yaml',
    'pmk apply -R -f manifests/',
    'pmk init web -- python3 -m http.server | pmk apply -f -',
    'pmk apply -f . --dry-run=server',
  ],
  flags: {
    ...fileFlags,
    ...dryRunFlag,
    ...outputFlag,
    ...fieldManagerFlag('pmk'),
    'force-conflicts': { type: 'boolean', help: 'Take fields from any other manager' },
    'server-side': { type: 'boolean', hidden: true, help: 'Always so; accepted for habits' },
  },
  async run({ ctx, args, flags }) {
    if (args.length > 0) throw new CliError(`unexpected arguments: ${args.join(' ')}; files are given with -f`, { usage: true })
    if (flags.filename.length === 0) throw new CliError('must specify -f', { usage: true })
    const dryRun = dryRunOf(flags['dry-run'])
    const format = await parseOutput(flags.output)
    const manifests = await loadManifests({ paths: flags.filename, recursive: flags.recursive, readInput: ctx.io.readInput })
    if (manifests.length === 0) throw new CliError('no objects passed to apply')
    const placed = placeManifests(manifests, { namespace: ctx.namespace, only: ctx.namespaceGiven })
    const byManifest = new Map(placed.map((one) => [one.manifest, one]))
    const groups = groupByOrder(manifests).map((group) => group.flatMap((manifest) => byManifest.get(manifest) ?? []))
    const report = new Report({ ctx, dryRun, format, order: groups.flat(), showManagedFields: flags['show-managed-fields'] })
    if (dryRun === 'client') {
      await checkHere(placed, report)
    } else {
      const options = { fieldManager: flags['field-manager'], force: flags['force-conflicts'], yielding: isOurs, signal: ctx.signal }
      await applyAll(ctx, groups, { ...options, dryRun: dryRun === 'server' }, report)
    }
    return await report.finish()
  },
})

/** Verbs of pmk write as `pmk-scale` and the like: what a manifest says goes before what was changed by hand. */
export function isOurs(manager: string): boolean {
  return manager.startsWith('pmk-')
}

async function checkHere(placed: readonly Placed[], report: Report): Promise<void> {
  const { validateHere } = await import('../manifest/local-check.ts')
  await refuseAll(placed, async (one) => validateHere(one))
  // The server isn't asked, so nothing is known of what it has.
  for (const one of placed) report.done(one, { outcome: 'created', object: one.value as unknown as ApiObject, takenBack: [] })
}

async function applyAll(ctx: Context, groups: readonly (readonly Placed[])[], options: ApplyOptions, report: Report): Promise<void> {
  const { client } = await ctx.connect()
  const placed = groups.flat()
  const live = await readLive(client, placed, ctx.signal)
  // A single object is checked by its own write.
  if (options.dryRun || placed.length > 1) {
    await refuseAll(placed, async (one) => {
      const applied = await check(client, one, live.get(one), placed, options)
      if (options.dryRun) report.done(one, applied)
    })
  }
  if (options.dryRun) return
  for (const group of groups) {
    await concurrently(group, PARALLEL_REQUESTS, async (one) => {
      try {
        report.done(one, await applyManifest(client, one, live.get(one), options))
      } catch (err) {
        if (ctx.signal.aborted) throw err
        report.failed(one, err)
      }
    })
  }
}

/** A dry run of one object. In a namespace that is applied together with it only its schema can be checked. */
async function check(
  client: Client,
  one: Placed,
  before: ApiObject | undefined,
  all: readonly Placed[],
  options: ApplyOptions,
): Promise<Applied> {
  try {
    return await applyManifest(client, one, before, { ...options, dryRun: true })
  } catch (err) {
    const comes = all.some(({ manifest, ref }) => manifest.definition.kind === 'Namespace' && ref.name === one.ref.namespace)
    if (!comes || !hasReason(err, 'NotFound') || err.status.details?.kind !== 'namespaces') throw err
    const { validateHere } = await import('../manifest/local-check.ts')
    validateHere(one)
    return { outcome: 'created', object: one.value as unknown as ApiObject, takenBack: [] }
  }
}

interface ReportOptions {
  readonly ctx: Context
  readonly dryRun: DryRun
  readonly format: OutputFormat
  readonly order: readonly Placed[]
  readonly showManagedFields: boolean
}

/** Tells what became of each object, in the order in which they are applied, as soon as it is known. */
class Report {
  readonly #options: ReportOptions
  readonly #results = new Map<Placed, Applied | { readonly failure: string }>()
  #told = 0

  constructor(options: ReportOptions) {
    this.#options = options
  }

  done(one: Placed, applied: Applied): void {
    this.#results.set(one, applied)
    this.#tell()
  }

  failed(one: Placed, err: unknown): void {
    this.#results.set(one, { failure: describeApplyError(one, err) })
    this.#tell()
  }

  async finish(): Promise<number> {
    const { ctx, format, order, showManagedFields } = this.#options
    const results = order.map((one) => this.#results.get(one))
    const applied = results.flatMap((result) => (result !== undefined && 'object' in result ? [result.object] : []))
    if (format.type !== 'table' && applied.length > 0)
      await printObjects(ctx.io, applied, format, { showManagedFields, list: order.length > 1 })
    return applied.length === order.length ? 0 : 1
  }

  #tell(): void {
    const { ctx, dryRun, format, order } = this.#options
    for (let one = order[this.#told]; one !== undefined; one = order[++this.#told]) {
      const result = this.#results.get(one)
      if (result === undefined) return
      if ('failure' in result) {
        ctx.io.warn(`${result.failure}\n`)
        continue
      }
      const name = printedName(one.manifest.definition, one.ref.name)
      for (const { manager, fields } of result.takenBack) ctx.io.warn(`Warning: ${name}: took ${fields.join(', ')} back from ${manager}\n`)
      if (format.type === 'table') ctx.io.write(`${name} ${wordFor(result.outcome, ctx, dryRun)}\n`)
    }
  }
}

function wordFor(outcome: ApplyOutcome, ctx: Context, dryRun: DryRun): string {
  const text = `${outcome}${DRY_RUN_NOTES[dryRun]}`
  return ctx.io.colour && outcome !== 'unchanged' ? `\u001b[32m${text}\u001b[0m` : text
}
