import { definitions, qualifiedResource } from '../api/scheme.ts'
import { CliError } from './cli-error.ts'
import { formatTable } from './table.ts'
import { defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'api-resources [flags]',
  description: 'Lists the kinds, with the names that they go by.',
  examples: ['pmk api-resources', 'pmk api-resources --namespaced=false', 'pmk api-resources -o wide'],
  flags: {
    output: { type: 'string', short: 'o', placeholder: 'name|wide', help: 'Only names, or categories, too' },
    'api-group': { type: 'string', placeholder: 'GROUP', help: 'Only kinds of this group' },
    namespaced: { type: 'boolean', default: true, help: 'Only kinds that are, or with =false are not, in namespaces' },
    'no-headers': { type: 'boolean', help: 'Leave the headers out' },
  },
  async run({ ctx, flags, given }) {
    const { output } = flags
    if (output !== undefined && output !== 'name' && output !== 'wide')
      throw new CliError(`--output ${output} is not available; it is name or wide`)
    const shown = definitions
      .filter(({ group }) => flags['api-group'] === undefined || group === flags['api-group'])
      .filter(({ scope }) => !given.has('namespaced') || (scope === 'Namespaced') === flags.namespaced)
      .toSorted((a, b) => (`${a.group} ${a.plural}` < `${b.group} ${b.plural}` ? -1 : 1))
    if (output === 'name') {
      ctx.io.write(shown.map((definition) => `${qualifiedResource(definition)}\n`).join(''))
      return 0
    }
    const wide = output === 'wide'
    const headers = ['Name', 'Shortnames', 'APIVersion', 'Namespaced', 'Kind', ...(wide ? ['Categories'] : [])]
    const rows = shown.map(({ plural, shortNames, apiVersion, scope, kind, categories }) => [
      plural,
      shortNames.join(','),
      apiVersion,
      String(scope === 'Namespaced'),
      kind,
      ...(wide ? [categories.join(',')] : []),
    ])
    ctx.io.write(formatTable(headers, rows, { headers: !flags['no-headers'] }))
    return 0
  },
})
