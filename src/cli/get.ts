import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import { hasReason } from '../api/status.ts'
import { CliError } from './cli-error.ts'
import { allNamespacesFlag, fieldSelectorFlag, fileFlags, outputFlag, selectorFlag } from './common-flags.ts'
import { printTables, type TableGroup } from './get-table.ts'
import { type OutputFormat, parseOutput, printObjects } from './output.ts'
import { resourceOf } from './resources.ts'
import { readTable, type ServerTable, type TableQuery } from './server-table.ts'
import { chooseTargets, parseResourceArgs, type Target } from './targets.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'

/** The flags that more than this file looks at. */
export interface GetFlags {
  readonly filename: readonly string[]
  readonly recursive: boolean
  readonly selector: string | undefined
  readonly 'field-selector': string | undefined
  readonly 'all-namespaces': boolean
  readonly 'show-managed-fields': boolean
  readonly watch: boolean
  readonly 'watch-only': boolean
  readonly 'sort-by': string | undefined
  readonly 'show-labels': boolean
  readonly 'label-columns': readonly string[]
  readonly 'no-headers': boolean
  readonly 'show-kind': boolean
  readonly 'ignore-not-found': boolean
}

/** One request: a selection of a kind, or one object of it. */
export interface Query {
  readonly definition: ResourceDefinition
  readonly query: TableQuery
}

export const verb: Verb = defineVerb({
  usage: 'get KIND[,KIND…] [NAME…] | KIND/NAME… | all | -f FILE [flags]',
  description: 'Shows objects: in a table, or whole (-o yaml, json), or parts of them (-o jsonpath, custom-columns).',
  examples: [
    'pmk get processes',
    'pmk get instances -l app=shop -o wide',
    'pmk get process web -o yaml',
    'pmk get processes -w',
    "pmk get instances -o jsonpath='{.items[*].status.pid}'",
    'pmk get all -A',
  ],
  flags: {
    ...fileFlags,
    ...selectorFlag,
    ...fieldSelectorFlag,
    ...allNamespacesFlag,
    ...outputFlag,
    watch: { type: 'boolean', short: 'w', help: 'Go on showing changes after the list' },
    'watch-only': { type: 'boolean', help: 'Show changes only, without the list' },
    'sort-by': { type: 'string', placeholder: 'PATH', help: 'Sort by a field, such as .metadata.creationTimestamp' },
    'show-labels': { type: 'boolean', help: 'Show all labels as the last column' },
    'label-columns': { type: 'strings', short: 'L', placeholder: 'LABEL', help: 'Show these labels as columns' },
    'no-headers': { type: 'boolean', help: 'Leave the headers out' },
    'show-kind': { type: 'boolean', help: 'Show the kind before each name' },
    'ignore-not-found': { type: 'boolean', help: 'An object that is not there is no error' },
  },
  async run({ ctx, args, flags }) {
    const format = await parseOutput(flags.output)
    if (flags['all-namespaces'] && ctx.namespaceGiven)
      throw new CliError('--namespace and --all-namespaces cannot be used together', { usage: true })
    const queries = await queriesOf(ctx, args, flags)
    if (flags.watch || flags['watch-only']) {
      const { watchObjects } = await import('./get-watch.ts')
      return await watchObjects(ctx, queries, flags, format)
    }
    return format.type === 'table' ? await showTables(ctx, queries, flags, format.wide) : await showObjects(ctx, queries, flags, format)
  },
})

async function queriesOf(ctx: Context, args: readonly string[], flags: GetFlags): Promise<readonly Query[]> {
  const { selector, 'field-selector': fieldSelector, 'all-namespaces': everywhere } = flags
  const ofTarget = ({ definition, ref }: Target): Query => ({ definition, query: { ...ref } })
  if (flags.filename.length > 0)
    return (await chooseTargets(ctx, { args, files: flags.filename, recursive: flags.recursive })).map(ofTarget)
  if (args.length === 0) throw new CliError('you must specify the kind of objects to get, such as processes', { usage: true })
  const parsed = parseResourceArgs(args, ctx.namespace)
  if (parsed.type === 'names') {
    if (selector !== undefined || fieldSelector !== undefined) throw new CliError('name cannot be provided when a selector is specified')
    if (everywhere) throw new CliError('a resource cannot be retrieved by name across all namespaces')
    return parsed.targets.map(ofTarget)
  }
  return parsed.definitions.map((definition) => ({
    definition,
    query: {
      ...(definition.scope === 'Namespaced' && !everywhere && { namespace: ctx.namespace }),
      ...(selector !== undefined && { labelSelector: selector }),
      ...(fieldSelector !== undefined && { fieldSelector }),
    },
  }))
}

async function showTables(ctx: Context, queries: readonly Query[], flags: GetFlags, wide: boolean): Promise<number> {
  const { client } = await ctx.connect()
  const wholeObjects = flags['sort-by'] !== undefined
  const answers = await Promise.all(
    queries.map(({ definition, query }) =>
      readTable(client, definition, { ...query, wholeObjects }, ctx.signal).catch((err: unknown) => failure(ctx, err)),
    ),
  )
  const groups = new Map<ResourceDefinition, ServerTable[]>()
  for (const [at, answer] of answers.entries()) {
    const definition = queries[at]?.definition
    if (definition === undefined || 'err' in answer) continue
    groups.set(definition, [...(groups.get(definition) ?? []), answer])
  }
  const tables: TableGroup[] = [...groups].map(([definition, parts]) => ({
    definition,
    columns: parts[0]?.columnDefinitions ?? [],
    rows: parts.flatMap(({ rows }) => rows),
  }))
  const sorted = flags['sort-by'] === undefined ? tables : await sortTables(tables, flags['sort-by'])
  const shown = sorted.filter(({ rows }) => rows.length > 0)
  printTables(ctx.io, shown, { wide, flags, kinds: flags['show-kind'] || sorted.length > 1 })
  const failed = await tellFailures(ctx, answers, flags)
  if (shown.length === 0 && !failed && !flags['ignore-not-found']) tellNothing(ctx, queries)
  return failed ? 1 : 0
}

async function showObjects(
  ctx: Context,
  queries: readonly Query[],
  flags: GetFlags,
  format: Exclude<OutputFormat, { readonly type: 'table' }>,
): Promise<number> {
  const { client } = await ctx.connect()
  const answers = await Promise.all(
    queries.map(({ definition, query }) =>
      readObjects(resourceOf(client, definition), query, ctx.signal).catch((err: unknown) => failure(ctx, err)),
    ),
  )
  const found = answers.flatMap((answer) => ('err' in answer ? [] : answer))
  const objects = flags['sort-by'] === undefined ? found : await sortObjects(found, flags['sort-by'])
  const single = queries.length === 1 && queries[0]?.query.name !== undefined
  const failed = await tellFailures(ctx, answers, flags)
  const nothing = objects.length === 0 && (single || failed)
  const whole = format.type === 'name' || format.type === 'columns'
  if (!nothing) {
    const options = { showManagedFields: flags['show-managed-fields'], headers: !flags['no-headers'], list: !single }
    if (objects.length > 0 || !whole) await printObjects(ctx.io, objects, format, options)
    else tellNothing(ctx, queries)
  }
  return failed ? 1 : 0
}

type Client = ReturnType<typeof resourceOf>

async function readObjects(resource: Client, query: TableQuery, signal: AbortSignal): Promise<readonly ApiObject[]> {
  const { name, namespace, labelSelector, fieldSelector } = query
  if (name !== undefined) return [await resource.get({ name, ...(namespace !== undefined && { namespace }) }, { signal })]
  const { items } = await resource.list({
    signal,
    ...(namespace !== undefined && { namespace }),
    ...(labelSelector !== undefined && { labelSelector }),
    ...(fieldSelector !== undefined && { fieldSelector }),
  })
  return items
}

interface Failure {
  readonly err: unknown
}

function failure(ctx: Context, err: unknown): Failure {
  if (ctx.signal.aborted) throw err
  return { err }
}

async function tellFailures(ctx: Context, answers: readonly (object | Failure)[], flags: GetFlags): Promise<boolean> {
  const failures = answers.flatMap((answer) => ('err' in answer ? [answer.err] : []))
  const told = failures.filter((err) => !(flags['ignore-not-found'] && hasReason(err, 'NotFound')))
  if (told.length === 0) return false
  const { describeError } = await import('./errors.ts')
  for (const text of new Set(told.map(describeError))) ctx.io.warn(`${text}\n`)
  return true
}

function tellNothing({ io, namespace }: Context, queries: readonly Query[]): void {
  const inside = queries.some(({ query }) => query.namespace !== undefined)
  io.warn(inside ? `No resources found in ${namespace} namespace.\n` : 'No resources found\n')
}

async function sortTables(tables: readonly TableGroup[], path: string): Promise<readonly TableGroup[]> {
  const { comparatorOf } = await import('./sort-by.ts')
  const compare = comparatorOf(path)
  return tables.map((table) => ({ ...table, rows: [...table.rows].sort((a, b) => compare(a.object, b.object)) }))
}

async function sortObjects(objects: readonly ApiObject[], path: string): Promise<readonly ApiObject[]> {
  const { comparatorOf } = await import('./sort-by.ts')
  return [...objects].sort(comparatorOf(path))
}
