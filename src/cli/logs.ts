import { epochOf } from '../base/clock.ts'
import type { Client } from '../client/client.ts'
import type { Instance } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
import { targetFlags, targetsOf } from './each-target.ts'
import { describeError } from './errors.ts'
import { LinePrefix, prefixOf } from './line-prefix.ts'
import { followLog, type LogParameters, readLog } from './log-follow.ts'
import { selectionOf } from './of-process.ts'
import { isSelection } from './signal.ts'
import type { FoundTarget } from './targets.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'

/** kubectl's: so many lines of each when a selector may mean many. */
const SELECTED_TAIL = 10

export const verb: Verb = defineVerb({
  usage: 'logs NAME… | KIND/NAME… | -l LABELS | --all [flags]',
  description:
    'Prints the output of programs: of an Instance, or of all Instances of a Process. It is that of the present run, or of the last one when nothing runs.',
  examples: ['pmk logs web', 'pmk logs -f --tail=20 web', 'pmk logs web-0 -p', 'pmk logs -l app=shop --since=10m --timestamps'],
  flags: {
    selector: targetFlags.selector,
    all: targetFlags.all,
    follow: { type: 'boolean', short: 'f', help: 'Go on with what comes, also over restarts of the program and of the server' },
    previous: { type: 'boolean', short: 'p', help: 'Of the run before the present one' },
    since: { type: 'duration', placeholder: 'TIME', help: 'Only what is newer than this: 10m' },
    'since-time': { type: 'string', placeholder: 'TIME', help: 'Only what came after this time: 2026-11-22T12:00:00Z' },
    tail: { type: 'integer', placeholder: 'N', default: -1, help: 'Only the last N lines; -1: all (with a selector: 10)' },
    timestamps: { type: 'boolean', help: 'A time in front of each line' },
    'limit-bytes': { type: 'integer', placeholder: 'N', default: 0, help: 'At most so many bytes; 0: all' },
    prefix: { type: 'boolean', help: 'The name of the Instance in front of each line; so by itself when there are several' },
  },
  async run({ ctx, args, flags, given }) {
    const isSelected = isSelection({ ...flags, filename: [] })
    const parameters = parametersOf(ctx, flags, isSelected)
    const targets = await targetsOf(ctx, args, { ...flags, filename: [], recursive: false })
    const { client } = await ctx.connect()
    const instances = await instancesOf(ctx, client, targets)
    if (instances.length === 0) {
      ctx.io.warn(targets.length === 0 ? 'No resources found\n' : `${targets.map(({ ref }) => ref.name).join(', ')} has no Instances\n`)
      return targets.length === 0 ? 0 : 1
    }
    const isPrefixed = given.has('prefix') ? flags.prefix : instances.length > 1
    const print = async (instance: Instance, at: number): Promise<number> => {
      const prefix = isPrefixed ? new LinePrefix(prefixOf(instance.metadata.name, at, ctx.io.colour)) : undefined
      const source = { client, clock: ctx.clock, instance, parameters, signal: ctx.signal }
      const note = (text: string): void => ctx.io.warn(`${instance.metadata.name}: ${text}\n`)
      try {
        if (flags.previous && (instance.status?.attempt ?? 0) < 2) throw new CliError(`${instance.metadata.name} has no previous run`)
        for await (const bytes of flags.follow ? followLog(source, note) : readLog(source)) {
          const out = prefix === undefined ? bytes : prefix.feed(bytes)
          if (out.length > 0) ctx.io.write(out)
        }
        return 0
      } catch (err) {
        if (ctx.signal.aborted) throw err
        ctx.io.warn(`${describeError(err)}\n`)
        return 1
      } finally {
        if (prefix !== undefined) ctx.io.write(prefix.end())
      }
    }
    if (flags.follow) return Math.max(...(await Promise.all(instances.map(print))))
    let code = 0
    for (const [at, instance] of instances.entries()) code = Math.max(code, await print(instance, at))
    return code
  },
})

interface Flags {
  readonly follow: boolean
  readonly previous: boolean
  readonly since: number | undefined
  readonly 'since-time': string | undefined
  readonly tail: number
  readonly timestamps: boolean
  readonly 'limit-bytes': number
}

function parametersOf(ctx: Context, flags: Flags, isSelected: boolean): LogParameters {
  const { since, 'since-time': sinceTime, tail, 'limit-bytes': limit } = flags
  if (since !== undefined && sinceTime !== undefined)
    throw new CliError('at most one of --since and --since-time may be used', { usage: true })
  if (since !== undefined && since <= 0) throw new CliError('--since must be greater than 0', { usage: true })
  if (sinceTime !== undefined && Number.isNaN(epochOf(sinceTime))) {
    throw new CliError(`--since-time must be a time such as ${ctx.clock.now()}, got "${sinceTime}"`, { usage: true })
  }
  if (tail < -1) throw new CliError('--tail must be greater than or equal to -1', { usage: true })
  if (limit < 0) throw new CliError('--limit-bytes must be greater than or equal to 0', { usage: true })
  if (flags.follow && flags.previous)
    throw new CliError('--follow and --previous do not go together: a previous run writes no more', { usage: true })
  const lines = tail === -1 && isSelected ? SELECTED_TAIL : tail
  return {
    ...(flags.previous && { previous: true }),
    ...(flags.timestamps && { timestamps: true }),
    ...(since !== undefined && { sinceSeconds: Math.ceil(since / 1_000) }),
    ...(sinceTime !== undefined && { sinceTime }),
    ...(lines >= 0 && { tailLines: lines }),
    ...(limit > 0 && { limitBytes: limit }),
  }
}

async function instancesOf(ctx: Context, client: Client, targets: readonly FoundTarget[]): Promise<readonly Instance[]> {
  const lists = await Promise.all(
    targets.map(async ({ definition, ref, object }) => {
      if (definition.kind === 'Instance') return [object as Instance]
      const { items } = await client.for('Instance').list({ ...selectionOf(ref), signal: ctx.signal })
      return [...items].sort((a, b) => a.spec.index - b.spec.index)
    }),
  )
  return lists.flat()
}
