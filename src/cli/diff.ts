import { placeManifests } from '../manifest/apply.ts'
import { diffManifest, findRestarts, type ManifestDiff } from '../manifest/diff.ts'
import { readLive } from '../manifest/live.ts'
import { loadManifests } from '../manifest/load.ts'
import { isOurs } from './apply.ts'
import { refuseAll } from './apply-errors.ts'
import { CliError } from './cli-error.ts'
import { fieldManagerFlag, fileFlags } from './common-flags.ts'
import { diffSource } from './diff-source.ts'
import { printDifference } from './diff-text.ts'
import { describeError } from './errors.ts'
import { printedName } from './resources.ts'
import { defineVerb, type Verb } from './verb.ts'

/** kubectl's: 0 no differences, 1 differences, more for a failure. */
const DIFFERENT = 1
const FAILED = 2

export const verb: Verb = defineVerb({
  usage: 'diff -f FILE | --source NAME [flags]',
  description:
    'Shows what apply would change: the difference of each object, the fields, and which Processes would restart. Nothing is stored.\nOf a ManifestSource it shows what the source would change now, with what would be removed.\nExit code 0: no differences; 1: differences; above 1: an error.',
  examples: ['pmk diff -f celery.yaml', 'pmk diff -R -f manifests/', 'pmk diff --source web'],
  flags: {
    ...fileFlags,
    source: { type: 'string', placeholder: 'NAME', help: 'What this ManifestSource would change now, as the server reads it' },
    ...fieldManagerFlag('pmk'),
    'force-conflicts': { type: 'boolean', help: 'As if fields were taken from any other manager' },
    'server-side': { type: 'boolean', hidden: true, help: 'Always so; accepted for habits' },
  },
  async run({ ctx, args, flags }) {
    try {
      if (args.length > 0) throw new CliError(`unexpected arguments: ${args.join(' ')}; files are given with -f`, { usage: true })
      if (flags.source !== undefined) {
        if (flags.filename.length > 0) throw new CliError('-f and --source cannot be given together', { usage: true })
        return (await diffSource(ctx, flags.source)) ? DIFFERENT : 0
      }
      if (flags.filename.length === 0) throw new CliError('must specify -f or --source', { usage: true })
      const manifests = await loadManifests({ paths: flags.filename, recursive: flags.recursive, readInput: ctx.io.readInput })
      const placed = placeManifests(manifests, { namespace: ctx.namespace, only: ctx.namespaceGiven })
      const { client } = await ctx.connect()
      const live = await readLive(client, placed, ctx.signal)
      const diffs = new Map<unknown, ManifestDiff>()
      await refuseAll(placed, async (one) => {
        const options = { fieldManager: flags['field-manager'], force: flags['force-conflicts'], yielding: isOurs, signal: ctx.signal }
        diffs.set(one, await diffManifest(client, one, live.get(one), options))
      })
      const ordered = placed.flatMap((one) => diffs.get(one) ?? [])
      const restarts = await findRestarts(client, ordered, ctx.signal)
      const texts = ordered.map(({ placed: { manifest, ref }, ...diff }) =>
        printDifference(ctx, { ...diff, name: printedName(manifest.definition, ref.name) }),
      )
      for (const { name, because } of restarts) ctx.io.write(`Process ${name} will restart: ${because.join(', ')}\n`)
      return texts.some((text) => text) ? DIFFERENT : 0
    } catch (err) {
      if (ctx.signal.aborted) throw err
      throw new CliError(describeError(err), { plain: true, exitCode: FAILED, usage: err instanceof CliError && err.usage, cause: err })
    }
  },
})
