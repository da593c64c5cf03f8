import { lastSeen, occurrences } from '../api/event-times.ts'
import { age } from '../base/age.ts'
import type { Timestamp } from '../base/clock.ts'
import type { Event } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
import { allNamespacesFlag, outputFlag } from './common-flags.ts'
import { parseOutput, printObjects } from './output.ts'
import { cellText, formatTable } from './table.ts'
import { findTargets, parseResourceArgs } from './targets.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'events [--for KIND/NAME] [flags]',
  description: 'Shows what happened, oldest first.',
  examples: ['pmk events', 'pmk events --for process/web', 'pmk events -A --types=Warning', 'pmk events -w'],
  flags: {
    ...allNamespacesFlag,
    ...outputFlag,
    for: { type: 'string', placeholder: 'KIND/NAME', help: 'Only events of this object (a bare name: a Process or Instance)' },
    types: { type: 'string', placeholder: 'TYPES', help: 'Only these types: Normal, Warning' },
    watch: { type: 'boolean', short: 'w', help: 'Go on showing events as they happen' },
    'no-headers': { type: 'boolean', help: 'Leave the headers out' },
  },
  async run({ ctx, args, flags }) {
    if (args.length > 0) throw new CliError(`unexpected arguments: ${args.join(' ')}; one object is named with --for`, { usage: true })
    const format = await parseOutput(flags.output)
    const types = flags.types?.split(',').map((type) => type.trim().toLowerCase())
    const isWanted = (event: Event): boolean => types === undefined || types.includes((event.type ?? '').toLowerCase())
    const fieldSelector = flags.for === undefined ? undefined : await selectorFor(ctx, flags.for)
    const everywhere = flags['all-namespaces']
    const selection = { ...(!everywhere && { namespace: ctx.namespace }), ...(fieldSelector !== undefined && { fieldSelector }) }
    const { client } = await ctx.connect()
    const { items, resourceVersion } = await client.for('Event').list({ ...selection, signal: ctx.signal })
    const sorted = items.filter(isWanted).sort((a, b) => (lastSeen(a) < lastSeen(b) ? -1 : 1))
    const widths: number[] = []
    let headers = !flags['no-headers']
    const print = async (events: readonly Event[], list: boolean): Promise<void> => {
      if (format.type !== 'table') {
        await printObjects(ctx.io, events, format, { showManagedFields: flags['show-managed-fields'], list, headers })
      } else {
        const rows = events.map((event) => rowOf(event, ctx.clock.now(), everywhere))
        ctx.io.write(formatTable([...(everywhere ? ['Namespace'] : []), ...HEADERS], rows, { headers, widths }))
      }
      headers = false
    }
    if (sorted.length > 0 || (format.type !== 'table' && !flags.watch)) await print(sorted, true)
    else if (!flags.watch) ctx.io.warn(everywhere ? 'No events found.\n' : `No events found in ${ctx.namespace} namespace.\n`)
    if (!flags.watch) return 0
    for await (const event of client.for('Event').watch({ ...selection, resourceVersion, signal: ctx.signal })) {
      if ((event.type === 'ADDED' || event.type === 'MODIFIED') && isWanted(event.object)) await print([event.object], false)
    }
    return 0
  },
})

const HEADERS = ['Last Seen', 'Type', 'Reason', 'Object', 'Message'] as const

async function selectorFor(ctx: Context, text: string): Promise<string> {
  const target = text.includes('/') ? firstOf(parseResourceArgs([text], ctx.namespace)) : (await findTargets(ctx, { args: [text] }))[0]
  if (target === undefined) throw new CliError('--for must be KIND/NAME, or a name', { usage: true })
  return `involvedObject.kind=${target.definition.kind},involvedObject.name=${target.ref.name}`
}

function firstOf(
  parsed: ReturnType<typeof parseResourceArgs>,
): Extract<typeof parsed, { readonly type: 'names' }>['targets'][number] | undefined {
  return parsed.type === 'names' ? parsed.targets[0] : undefined
}

function rowOf(event: Event, now: Timestamp, everywhere: boolean): readonly string[] {
  const { involvedObject, metadata } = event
  const count = occurrences(event)
  const seen = age(lastSeen(event), now)
  return [
    ...(everywhere ? [metadata.namespace ?? ''] : []),
    count > 1 ? `${seen} (x${count})` : seen,
    cellText(event.type),
    cellText(event.reason),
    `${involvedObject.kind}/${involvedObject.name}`,
    event.message ?? '',
  ]
}
