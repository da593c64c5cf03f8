import type { ApiObject, Kind } from '../api/object.ts'
import { definitionOf, findByName, type ResourceDefinition } from '../api/scheme.ts'
import { hasReason } from '../api/status.ts'
import type { Client, Ref } from '../client/client.ts'
import { CliError } from './cli-error.ts'
import { definitionNamed, definitionsNamed, refIn, resourceOf } from './resources.ts'
import type { Context } from './verb.ts'

/** One object that a command line names. */
export interface Target {
  readonly definition: ResourceDefinition
  readonly ref: Ref
}

/** One that is there. */
export interface FoundTarget extends Target {
  readonly object: ApiObject
}

/** What stands after a verb: names of kinds, or kinds of which a selection is meant. */
export type ResourceArgs =
  | { readonly type: 'names'; readonly targets: readonly Target[] }
  | { readonly type: 'kinds'; readonly definitions: readonly ResourceDefinition[] }

/** kubectl's words for objects: `KIND NAME…`, `KIND/NAME…`, `KIND,KIND`. */
export function parseResourceArgs(args: readonly string[], namespace: string): ResourceArgs {
  const [first, ...names] = args
  if (first === undefined) throw new CliError('you must say which objects: a kind and names, KIND/NAME, or -f FILE', { usage: true })
  if (args.some((arg) => arg.includes('/'))) return { type: 'names', targets: args.map((arg) => parseSlashed(arg, namespace)) }
  const definitions = definitionsNamed(first)
  if (names.length === 0) return { type: 'kinds', definitions }
  if (definitions.length > 1 && names.length > 0) {
    return {
      type: 'names',
      targets: definitions.flatMap((definition) => names.map((name) => ({ definition, ref: refIn(definition, namespace, name) }))),
    }
  }
  const definition = definitions[0] ?? definitionNamed(first)
  return { type: 'names', targets: names.map((name) => ({ definition, ref: refIn(definition, namespace, name) })) }
}

function parseSlashed(arg: string, namespace: string): Target {
  const [kind = '', name = '', ...more] = arg.split('/')
  if (kind === '' || name === '' || more.length > 0) {
    throw new CliError(`KIND/NAME cannot be mixed with other words: got "${arg}"`, { usage: true })
  }
  const definition = definitionNamed(kind)
  return { definition, ref: refIn(definition, namespace, name) }
}

export interface ChosenBy {
  readonly args: readonly string[]
  readonly selector?: string | undefined
  readonly fieldSelector?: string | undefined
  /** All of the kinds named. */
  readonly all?: boolean
  readonly files?: readonly string[]
  readonly recursive?: boolean
  readonly allNamespaces?: boolean
}

/**
 * The objects that a verb such as delete or label is for: by name (not looked at yet, `object` absent), by selector, all of a
 * kind, or those that files name.
 */
export async function chooseTargets(ctx: Context, chosen: ChosenBy): Promise<readonly (Target & { readonly object?: ApiObject })[]> {
  const { args, selector, fieldSelector, all = false, files = [] } = chosen
  if (files.length > 0) {
    if (args.length > 0) throw new CliError('there is no need to name objects when a file does', { usage: true })
    return await targetsOfFiles(ctx, files, chosen.recursive ?? false)
  }
  const parsed = parseResourceArgs(args, ctx.namespace)
  if (parsed.type === 'names') {
    if (selector !== undefined || fieldSelector !== undefined || all)
      throw new CliError('name cannot be provided when a selector or --all is', { usage: true })
    return parsed.targets
  }
  if (selector === undefined && fieldSelector === undefined && !all) {
    throw new CliError('resource(s) were provided, but no name was specified: give names, -l SELECTOR or --all', { usage: true })
  }
  const { client } = await ctx.connect()
  const lists = await Promise.all(
    parsed.definitions.map((definition) => listTargets(client, definition, { ...chosen, signal: ctx.signal, namespace: ctx.namespace })),
  )
  return lists.flat()
}

async function targetsOfFiles(ctx: Context, files: readonly string[], recursive: boolean): Promise<readonly Target[]> {
  const { loadManifests } = await import('../manifest/load.ts')
  const { placeManifests } = await import('../manifest/apply.ts')
  const manifests = await loadManifests({ paths: files, recursive, readInput: ctx.io.readInput })
  return placeManifests(manifests, { namespace: ctx.namespace, only: ctx.namespaceGiven }).map(({ manifest, ref }) => ({
    definition: manifest.definition,
    ref,
  }))
}

interface ListChoice extends ChosenBy {
  readonly signal: AbortSignal
  readonly namespace: string
}

async function listTargets(client: Client, definition: ResourceDefinition, choice: ListChoice): Promise<readonly FoundTarget[]> {
  const { selector, fieldSelector, signal, namespace, allNamespaces = false } = choice
  const { items } = await resourceOf(client, definition).list({
    signal,
    ...(definition.scope === 'Namespaced' && !allNamespaces && { namespace }),
    ...(selector !== undefined && { labelSelector: selector }),
    ...(fieldSelector !== undefined && { fieldSelector }),
  })
  return items.map((object) => ({ definition, object, ref: refOf(object) }))
}

function refOf({ metadata: { name, namespace } }: ApiObject): Ref {
  return namespace === undefined ? { name } : { name, namespace }
}

/** What a bare name may mean, the first that exists. */
const BARE: readonly Kind[] = ['Process', 'Instance']

/**
 * The objects that a verb of pmk's own (start, restart, logs …) is for, each read from the server: bare names (a Process, else an
 * Instance; of a verb that is for neither, the first of its kinds), `kind/name`, `kind name…`, -l and --all (of the first of its
 * kinds, or the one that is named), -f. Throws for the first name that doesn't exist, before anything is done.
 */
export async function findTargets(ctx: Context, chosen: ChosenBy, kinds: readonly Kind[] = BARE): Promise<readonly FoundTarget[]> {
  const { args, selector, all = false, files = [], recursive = false } = chosen
  const { client } = await ctx.connect()
  if (files.length > 0) {
    const named = (await targetsOfFiles(ctx, files, recursive)).filter(({ definition }) => kinds.includes(definition.kind))
    if (named.length === 0) throw new CliError(`no ${kinds.join(' or ')} in ${files.join(', ')}`)
    return await Promise.all(named.map((target) => readTarget(ctx, client, target)))
  }
  if (selector !== undefined || all) {
    const definition = selectedKind(args, kinds)
    return await listTargets(client, definition, { ...chosen, signal: ctx.signal, namespace: ctx.namespace })
  }
  const [first] = args
  if (first === undefined) throw new CliError('you must say which: names, -l SELECTOR, --all or -f FILE', { usage: true })
  const kind = args.length > 1 ? findByName(first) : undefined
  if (kind !== undefined && kinds.includes(kind.kind)) {
    return await Promise.all(
      args.slice(1).map((name) => readTarget(ctx, client, { definition: kind, ref: refIn(kind, ctx.namespace, name) })),
    )
  }
  return await Promise.all(args.map((arg) => findTarget(ctx, client, arg, kinds)))
}

function selectedKind(args: readonly string[], kinds: readonly Kind[]): ResourceDefinition {
  const [word, ...more] = args
  if (word === undefined) return definitionOf(kinds[0] ?? 'Process')
  const definition = more.length === 0 ? findByName(word) : undefined
  if (definition === undefined) throw new CliError('names cannot be given together with a selector or --all', { usage: true })
  return allowed(definition, kinds)
}

function allowed(definition: ResourceDefinition, kinds: readonly Kind[]): ResourceDefinition {
  if (!kinds.includes(definition.kind)) throw new CliError(`this verb is for ${kinds.join(' and ')}, not for ${definition.kind}`)
  return definition
}

async function findTarget(ctx: Context, client: Client, arg: string, kinds: readonly Kind[]): Promise<FoundTarget> {
  if (arg.includes('/')) {
    const target = parseSlashed(arg, ctx.namespace)
    allowed(target.definition, kinds)
    return await readTarget(ctx, client, target)
  }
  const bare = kinds.filter((kind) => BARE.includes(kind))
  const meant = bare.length > 0 ? bare : kinds
  for (const kind of meant) {
    const definition = definitionOf(kind)
    const target = { definition, ref: refIn(definition, ctx.namespace, arg) }
    try {
      return await readTarget(ctx, client, target)
    } catch (err) {
      if (!hasReason(err, 'NotFound')) throw err
    }
  }
  throw await notThere(ctx, client, arg, meant)
}

async function readTarget(ctx: Context, client: Client, { definition, ref }: Target): Promise<FoundTarget> {
  return { definition, ref, object: await resourceOf(client, definition).get(ref, { signal: ctx.signal }) }
}

async function notThere(ctx: Context, client: Client, name: string, kinds: readonly Kind[]): Promise<CliError> {
  const lists = await Promise.all(
    kinds.map((kind) => listTargets(client, definitionOf(kind), { args: [], signal: ctx.signal, namespace: ctx.namespace })),
  )
  const meant = { word: name, candidates: lists.flat().map(({ ref }) => ref.name) }
  return new CliError(`Error from server (NotFound): no ${kinds.join(' or ')} "${name}" in namespace ${ctx.namespace}`, {
    plain: true,
    meant,
  })
}
