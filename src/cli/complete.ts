import { definitions, findByName, type ResourceDefinition } from '../api/scheme.ts'
import type { FlagSpecs } from './flags.ts'
import { resourceOf } from './resources.ts'
import { type Context, defineVerb, type Verb, type VerbEntry, type VerbTable } from './verb.ts'

/** Verbs whose first word is a kind. The others that know objects take names of Processes. */
const KIND_VERBS: ReadonlySet<string> = new Set(['get', 'describe', 'delete', 'edit', 'patch', 'label', 'annotate', 'wait', 'explain'])

export const verb: Verb = defineVerb({
  usage: 'complete -- WORDS…',
  description: 'Prints what the last of the words may be, one on a line: for shells.',
  flags: {},
  async run({ ctx, rest }) {
    const words = rest ?? []
    const answers = await candidates(ctx, words.slice(0, -1), words.at(-1) ?? '')
    ctx.io.write(answers.map((answer) => `${answer}\n`).join(''))
    return 0
  },
})

async function candidates(ctx: Context, before: readonly string[], current: string): Promise<readonly string[]> {
  const previous = before.at(-1) ?? ''
  if (previous === '-n' || previous === '--namespace') return await namesOf(ctx, 'namespaces')
  const args = before.filter((word) => !word.startsWith('-'))
  const { name, entry, rest } = findEntry(ctx.verbs, args)
  if (entry === undefined) return nextWords(ctx.verbs, args).filter((word) => word.startsWith(current))
  if (current.startsWith('-')) {
    const { verb: found } = await entry.load()
    return flagsOf(found.flags).filter((flag) => flag.startsWith(current))
  }
  const slash = current.indexOf('/')
  if (slash > 0) {
    const kind = current.slice(0, slash)
    return (await namesOf(ctx, kind, ctx.namespace)).map((object) => `${kind}/${object}`).filter((word) => word.startsWith(current))
  }
  return (await objectWords(ctx, name, rest)).filter((word) => word.startsWith(current))
}

async function objectWords(ctx: Context, name: string, rest: readonly string[]): Promise<readonly string[]> {
  if (name === 'completion') return ['bash', 'zsh', 'fish']
  if (name === 'token list' || name === 'token revoke') return await namesOf(ctx, 'tokens')
  if (name === 'sync') return await namesOf(ctx, 'sources')
  if (!KIND_VERBS.has(name)) return takesNames(ctx.verbs, name) ? await namesOf(ctx, 'processes') : []
  const [kind] = rest
  if (kind === undefined) return [...new Set(definitions.map(({ plural }) => plural))]
  return kind.includes('/') || name === 'explain' ? [] : await namesOf(ctx, kind.split(',')[0] ?? '')
}

function takesNames(verbs: VerbTable, name: string): boolean {
  return verbs[name]?.group === 'Processes' || name === 'scale' || name.startsWith('rollout ')
}

interface FoundEntry {
  readonly name: string
  readonly entry: VerbEntry | undefined
  readonly rest: readonly string[]
}

function findEntry(verbs: VerbTable, args: readonly string[]): FoundEntry {
  const [first = '', second = ''] = args
  const double = `${first} ${second}`
  if (Object.hasOwn(verbs, first)) return { name: first, entry: verbs[first], rest: args.slice(1) }
  return { name: double, entry: Object.hasOwn(verbs, double) ? verbs[double] : undefined, rest: args.slice(2) }
}

/** The verbs, or the second words of a verb of two. */
function nextWords(verbs: VerbTable, args: readonly string[]): readonly string[] {
  const visible = Object.entries(verbs).flatMap(([name, entry]) => (entry.hidden === true ? [] : [name.split(' ')]))
  const [first] = args
  if (first === undefined) return [...new Set(visible.map(([word = '']) => word))]
  return args.length > 1 ? [] : visible.flatMap(([word, second]) => (word === first && second !== undefined ? [second] : []))
}

function flagsOf(specs: FlagSpecs): readonly string[] {
  const names = [
    ...Object.entries(specs).flatMap(([name, { hidden }]) => (hidden === true ? [] : [name])),
    'namespace',
    'data-dir',
    'server',
    'help',
  ]
  return names.map((name) => `--${name}`)
}

/** Names of objects; none when there is no server to ask, because nobody reads errors of a completion. */
async function namesOf(ctx: Context, kind: string, namespace?: string): Promise<readonly string[]> {
  const definition: ResourceDefinition | undefined = findByName(kind)
  if (definition === undefined) return []
  try {
    const { client } = await ctx.connect()
    const inside = definition.scope === 'Namespaced' ? { namespace: namespace ?? ctx.namespace } : {}
    const { items } = await resourceOf(client, definition).list({ ...inside, signal: ctx.signal })
    return items.map(({ metadata }) => metadata.name)
  } catch (err) {
    if (!(err instanceof Error)) throw err
    return []
  }
}
