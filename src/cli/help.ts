import type { FlagSpec, FlagSpecs } from './flags.ts'
import type { Verb, VerbGroup } from './verb.ts'
import { verbs } from './verbs.ts'

const GROUPS: readonly VerbGroup[] = ['Objects', 'Processes', 'Server', 'Other']

/** `pmk --help`. */
export function generalHelp(globals: FlagSpecs): string {
  const lines = ['pmk keeps processes running as manifests say.', '', 'Usage: pmk VERB [ARGUMENTS] [FLAGS]']
  const width = Math.max(...Object.keys(verbs).map((name) => name.length))
  for (const group of GROUPS) {
    const members = Object.entries(verbs).filter(([, entry]) => entry.group === group && entry.hidden !== true)
    if (members.length === 0) continue
    lines.push('', `${group}:`, ...members.map(([name, entry]) => `  ${name.padEnd(width)}  ${entry.summary}`))
  }
  lines.push(
    '',
    'Flags of all verbs:',
    ...flagLines(globals),
    '',
    "'pmk VERB --help' tells more about one verb, 'pmk explain KIND' about the fields of a manifest.",
  )
  return `${lines.join('\n')}\n`
}

/** `pmk rollout --help`: the verbs that begin with that word. */
export function groupHelp(word: string): string {
  const members = Object.entries(verbs).filter(([name]) => name.startsWith(`${word} `))
  const width = Math.max(...members.map(([name]) => name.length))
  return `${[`Usage: pmk ${word} VERB [ARGUMENTS] [FLAGS]`, '', ...members.map(([name, entry]) => `  ${name.padEnd(width)}  ${entry.summary}`)].join('\n')}\n`
}

/** `pmk VERB --help`, laid out by yargs for the width of the terminal. */
export async function verbHelp(verb: Verb, globals: FlagSpecs, columns: number | undefined): Promise<string> {
  const { default: yargs } = await import('yargs')
  const own = Object.fromEntries(Object.entries(verb.flags).filter(([, spec]) => spec.hidden !== true))
  const parser = yargs([])
    .scriptName('pmk')
    .locale('en')
    .help(false)
    .version(false)
    .exitProcess(false)
    .wrap(Math.min(columns ?? 120, 140))
    .usage(`${verb.description}\n\nUsage: pmk ${verb.usage}`)
  for (const [title, specs] of [
    ['Flags:', own],
    ['Flags of all verbs:', globals],
  ] as const) {
    const names = Object.keys(specs).sort()
    for (const name of names) parser.option(name + placeholderOf(specs[name]), optionOf(specs[name]))
    parser.group(
      names.map((name) => name + placeholderOf(specs[name])),
      title,
    )
  }
  for (const example of verb.examples ?? []) parser.example(example, '')
  return `${await parser.getHelp()}\n`
}

function optionOf(spec: FlagSpec | undefined): { readonly alias?: string; readonly describe: string } {
  return { describe: spec?.help ?? '', ...(spec?.short === undefined ? {} : { alias: spec.short }) }
}

function flagLines(specs: FlagSpecs): readonly string[] {
  const rows = Object.entries(specs)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([name, spec]) => [`  ${spec.short === undefined ? '    ' : `-${spec.short}, `}--${name}${placeholderOf(spec)}`, spec.help] as const,
    )
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, help]) => `${left.padEnd(width)}  ${help}`)
}

function placeholderOf(spec: FlagSpec | undefined): string {
  if (spec === undefined) return ''
  if (spec.type === 'boolean') return spec.default === true ? '=true' : ''
  const word = spec.placeholder ?? { string: 'TEXT', strings: 'TEXT', integer: 'N', duration: 'TIME' }[spec.type]
  return spec.optional === undefined ? ` ${word}` : `[=${word}]`
}
