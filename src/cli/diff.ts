import type { ApiObject } from '../api/object.ts'
import { isJsonObject, type JsonObject, sortKeys } from '../base/json.ts'
import { stringifyYaml } from '../base/yaml.ts'
import { placeManifests } from '../manifest/apply.ts'
import { diffManifest, findRestarts, type ManifestDiff } from '../manifest/diff.ts'
import { readLive } from '../manifest/live.ts'
import { loadManifests } from '../manifest/load.ts'
import { unifiedDiff } from '../manifest/unified-diff.ts'
import { isOurs } from './apply.ts'
import { refuseAll } from './apply-errors.ts'
import { CliError } from './cli-error.ts'
import { fieldManagerFlag, fileFlags } from './common-flags.ts'
import { describeError } from './errors.ts'
import { printedName } from './resources.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'

/** kubectl's: 0 no differences, 1 differences, more for a failure. */
const DIFFERENT = 1
const FAILED = 2

export const verb: Verb = defineVerb({
  usage: 'diff -f FILE [flags]',
  description:
    'Shows what apply would change: the difference of each object, the fields, and which Processes would restart. Nothing is stored.\nExit code 0: no differences; 1: differences; above 1: an error.',
  examples: ['pmk diff -f celery.yaml', 'pmk diff -R -f manifests/'],
  flags: {
    ...fileFlags,
    ...fieldManagerFlag('pmk'),
    'force-conflicts': { type: 'boolean', help: 'As if fields were taken from any other manager' },
    'server-side': { type: 'boolean', hidden: true, help: 'Always so; accepted for habits' },
  },
  async run({ ctx, args, flags }) {
    try {
      if (args.length > 0) throw new CliError(`unexpected arguments: ${args.join(' ')}; files are given with -f`, { usage: true })
      if (flags.filename.length === 0) throw new CliError('must specify -f', { usage: true })
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
      const texts = ordered.map((diff) => print(ctx, diff))
      for (const { name, because } of restarts) ctx.io.write(`Process ${name} will restart: ${because.join(', ')}\n`)
      return texts.some((text) => text) ? DIFFERENT : 0
    } catch (err) {
      if (ctx.signal.aborted) throw err
      throw new CliError(describeError(err), { plain: true, exitCode: FAILED, usage: err instanceof CliError && err.usage, cause: err })
    }
  },
})

/** Prints one difference; true when there is one. */
function print(ctx: Context, { placed, before, after, fields }: ManifestDiff): boolean {
  const name = printedName(placed.manifest.definition, placed.ref.name)
  const from = { name: `live/${name}`, text: textOf(before, after, 'before') }
  const text = unifiedDiff(from, { name: `merged/${name}`, text: textOf(after, before, 'after') })
  if (text === '') return false
  ctx.io.write(ctx.io.colour ? coloured(text) : text)
  if (before === undefined) ctx.io.write(`${name} will be created\n`)
  for (const { path, restart } of fields) ctx.io.write(`${name}: ${path} changes${restart ? ' (restart)' : ''}\n`)
  return true
}

/** The object without what changes with every write. Values of a Secret are not shown, only which ones differ. */
function textOf(object: ApiObject | undefined, other: ApiObject | undefined, side: 'before' | 'after'): string {
  if (object === undefined) return ''
  const {
    managedFields: _,
    resourceVersion: _version,
    generation: _generation,
    uid: _uid,
    creationTimestamp: _created,
    ...metadata
  } = object.metadata
  const { status: _status, ...rest } = object as ApiObject & { readonly status?: unknown }
  const shown: JsonObject = { ...rest, metadata }
  if (object.kind !== 'Secret') return stringifyYaml(sortKeys(shown))
  const others = other as JsonObject | undefined
  const hidden = ['data', 'stringData'].filter((key) => isJsonObject(shown[key])).map((key) => [key, hide(shown[key], others?.[key], side)])
  return stringifyYaml(sortKeys({ ...shown, ...Object.fromEntries(hidden) }))
}

function hide(values: unknown, others: unknown, side: string): unknown {
  if (!isJsonObject(values)) return values
  const isSame = (key: string, value: unknown): boolean => isJsonObject(others) && others[key] === value
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, isSame(key, value) ? '***' : `*** (${side})`]))
}

function coloured(text: string): string {
  return text.replace(/^([-+]).*$/gm, (line, sign: string) => `\u001b[${sign === '-' ? 31 : 32}m${line}\u001b[0m`)
}
