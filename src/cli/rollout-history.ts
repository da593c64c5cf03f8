import { age } from '../base/age.ts'
import type { Revision } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
import { targetFlags, targetsOf } from './each-target.ts'
import { printedName } from './resources.ts'
import { chosenRevision } from './rollout-undo.ts'
import { cellText, formatTable } from './table.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'
import { revisionsOf } from './why.ts'

export const verb: Verb = defineVerb({
  usage: 'rollout history NAME… | process/NAME… | -l LABELS | --all | -f FILE [--revision=N]',
  description:
    'Shows the revisions of Processes, or with --revision the launch fields of one. The cause is what the annotation kubernetes.io/change-cause said.',
  examples: ['pmk rollout history web', 'pmk rollout history web --revision=2'],
  flags: {
    ...targetFlags,
    revision: { type: 'integer', placeholder: 'N', default: 0, help: 'Show the fields of this one' },
    output: { type: 'string', short: 'o', placeholder: 'json|yaml', help: 'The Revisions as data' },
  },
  async run({ ctx, args, flags }) {
    const { output } = flags
    if (output !== undefined && output !== 'json' && output !== 'yaml') {
      throw new CliError(`unable to match a printer suitable for the output format "${output}", allowed formats are: json,yaml`)
    }
    if (flags.revision < 0) throw new CliError('revision must be a positive integer', { usage: true })
    const targets = await targetsOf(ctx, args, flags, ['Process'])
    const { client } = await ctx.connect()
    const parts: string[] = []
    for (const { definition, ref } of targets) {
      const name = printedName(definition, ref.name)
      const all = await revisionsOf(client, ref, ctx.signal)
      const shown = flags.revision > 0 ? [chosenRevision(all, flags.revision, name)] : all
      parts.push(
        output === undefined ? await historyText(ctx, name, shown, flags.revision > 0) : await dataText(shown, output, flags.revision > 0),
      )
    }
    ctx.io.write(parts.join('\n'))
    return 0
  },
})

async function historyText(ctx: Context, name: string, revisions: readonly Revision[], isOne: boolean): Promise<string> {
  const [first] = revisions
  if (isOne && first !== undefined) {
    const { stringifyYaml } = await import('../base/yaml.ts')
    return `${name} with revision #${first.revision} (${first.metadata.name})\n${stringifyYaml(first.spec.template)}`
  }
  const now = ctx.clock.now()
  const rows = revisions.map(({ revision, metadata, spec }) => [
    String(revision),
    metadata.name,
    age(metadata.creationTimestamp ?? now, now),
    cellText(spec.cause),
  ])
  return `${name}\n${formatTable(['Revision', 'Name', 'Age', 'Change-Cause'], rows, { headers: true })}`
}

async function dataText(revisions: readonly Revision[], output: 'json' | 'yaml', isOne: boolean): Promise<string> {
  const { formatObject } = await import('./printers.ts')
  return formatObject(isOne ? revisions[0] : { apiVersion: 'v1', kind: 'List', items: revisions }, output)
}
