import { definitionOf, definitions, findByName } from '../api/scheme.ts'
import type { PolicyRule, SelfSubjectAccessReview, SelfSubjectRulesReview } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
import { allNamespacesFlag } from './common-flags.ts'
import { asFlags, askReview } from './reviews.ts'
import { formatTable } from './table.ts'
import { defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'auth can-i VERB [TYPE [NAME] | TYPE/NAME | NONRESOURCEURL] [flags]',
  description:
    'Asks the server whether you may do something: prints yes or no, and exits with 0 or 1. With --list it shows all that you may do in the namespace.',
  examples: [
    'pmk auth can-i create processes',
    'pmk auth can-i runas users.pmk.dev/www-data',
    'pmk auth can-i create processes --subresource action --as anna',
    'pmk auth can-i get /pmk/v1/backup -q',
    'pmk auth can-i --list -n shop',
  ],
  flags: {
    list: { type: 'boolean', help: 'Show all that may be done in the namespace' },
    quiet: { type: 'boolean', short: 'q', help: 'Print nothing: only the exit code tells' },
    subresource: { type: 'string', placeholder: 'NAME', help: 'What lies under the object: scale, action, log …' },
    'no-headers': { type: 'boolean', help: 'Without the line of titles' },
    ...allNamespacesFlag,
    ...asFlags,
  },
  async run({ ctx, args, flags }) {
    const [verb, what, name, ...more] = args
    const namespace = flags['all-namespaces'] ? '' : ctx.namespace
    if (flags.list) {
      if (args.length > 0) throw new CliError('list option must be specified with neither verb nor resource', { usage: true })
      const definition = definitionOf('SelfSubjectRulesReview')
      const { status } = (await askReview(ctx, definition, { namespace: ctx.namespace }, flags)) as SelfSubjectRulesReview
      const rules = [...(status?.resourceRules ?? []), ...(status?.nonResourceRules ?? [])]
      ctx.io.write(
        formatTable(['Resources', 'Non-Resource URLs', 'Resource Names', 'Verbs'], rules.map(cellsOf), { headers: !flags['no-headers'] }),
      )
      return 0
    }
    if (verb === undefined || what === undefined || more.length > 0) {
      throw new CliError('you must specify two arguments: verb resource or verb resource/resourceName', { usage: true })
    }
    const asked = what.startsWith('/')
      ? { nonResourceAttributes: { verb, path: what } }
      : {
          resourceAttributes: {
            verb,
            ...resourceOf(what, name, namespace, (text) => ctx.io.warn(text)),
            ...(flags.subresource && { subresource: flags.subresource }),
          },
        }
    const { status } = (await askReview(ctx, definitionOf('SelfSubjectAccessReview'), asked, flags)) as SelfSubjectAccessReview
    const { allowed = false, reason } = status ?? {}
    if (!flags.quiet) ctx.io.write(allowed ? 'yes\n' : reason ? `no - ${reason}\n` : 'no\n')
    return allowed ? 0 : 1
  },
})

/** What is meant by `processes`, `proc/web` or `users.pmk.dev/anna`: names that are no kind are taken as they are. */
function resourceOf(what: string, second: string | undefined, namespace: string, warn: (text: string) => void): object {
  const [type = '', slashed] = what.split('/', 2)
  if (slashed !== undefined && second !== undefined) throw new CliError('the name is given twice', { usage: true })
  const name = slashed ?? second
  const definition = findByName(type)
  const [word = '', ...group] = type.split('.')
  const found =
    definition === undefined ? { group: group.join('.'), resource: word } : { group: definition.group, resource: definition.plural }
  const isSpecial = group.length > 0 && definitions.some((each) => each.group === found.group)
  if (definition === undefined && word !== '*' && !isSpecial) warn(`Warning: the server doesn't have a resource type '${type}'\n`)
  if (definition?.scope === 'Cluster') {
    const where = definition.group === '' ? '' : ` in group '${definition.group}'`
    warn(`Warning: resource '${definition.plural}' is not namespace scoped${where}\n`)
  }
  const isInNone = definition?.scope === 'Cluster' || namespace === ''
  return { ...found, ...(name === undefined ? {} : { name }), ...(isInNone ? {} : { namespace }) }
}

function cellsOf({ resources = [], apiGroups = [], nonResourceURLs = [], resourceNames = [], verbs }: PolicyRule): readonly string[] {
  const qualified = apiGroups.flatMap((group) => resources.map((resource) => (group === '' ? resource : qualify(resource, group))))
  return [qualified.join(','), list(nonResourceURLs), list(resourceNames), list(verbs)]
}

function qualify(resource: string, group: string): string {
  const [plural, ...rest] = resource.split('/')
  return [`${plural}.${group}`, ...rest].join('/')
}

function list(words: readonly string[]): string {
  return `[${words.join(' ')}]`
}
