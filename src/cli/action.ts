import { ApiError, type Status } from '../api/status.ts'
import { isJsonObject } from '../base/json.ts'
import type { HttpClient } from '../client/http-client.ts'
import { linesOf } from '../client/watch-decoder.ts'
import type { Instance, Process, ProcessTemplate } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
import { concurrently, PARALLEL_REQUESTS } from './concurrently.ts'
import { targetFlags, targetsOf } from './each-target.ts'
import { describeError } from './errors.ts'
import { LinePrefix, prefixOf } from './line-prefix.ts'
import { requestPath } from './request-each.ts'
import { isSelection } from './signal.ts'
import { formatTable } from './table.ts'
import type { FoundTarget } from './targets.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'action NAME… | KIND/NAME… | -l LABELS | --all | -f FILE [ACTION]',
  description:
    "Runs one of the commands of spec.actions, once, as the program's user in its environment: of a Process in its first Instance, also when it is stopped. Its output and exit code are the command's. Without ACTION it lists the actions there are.",
  examples: ['pmk action nginx', 'pmk action nginx configtest', 'pmk action web-1 rotate'],
  flags: targetFlags,
  async run({ ctx, args, flags }) {
    const isNamed = !isSelection(flags)
    const action = isNamed && args.length < 2 ? undefined : args.at(-1)
    const targets = await targetsOf(ctx, action === undefined ? args : args.slice(0, -1), flags)
    if (targets.length === 0) {
      ctx.io.warn('No resources found\n')
      return 0
    }
    return action === undefined ? listActions(ctx, targets) : runActions(ctx, targets, action)
  },
})

function listActions({ io }: Context, targets: readonly FoundTarget[]): number {
  const rows = targets.flatMap(({ object }) =>
    actionsOf(object as Process | Instance).map(({ name, description = '', exec, signal }) => [
      ...(targets.length > 1 ? [object.metadata.name] : []),
      name,
      exec === undefined ? `signal ${signal ?? ''}` : exec.command.join(' '),
      description,
    ]),
  )
  if (rows.length === 0) {
    io.warn(`${targets.map(({ ref }) => ref.name).join(', ')} has no actions: write them into spec.actions\n`)
    return 0
  }
  io.write(formatTable([...(targets.length > 1 ? ['Name'] : []), 'Action', 'Does', 'Description'], rows, { headers: true }))
  return 0
}

function actionsOf({ spec }: Process | Instance): NonNullable<ProcessTemplate['actions']> {
  return ('template' in spec ? spec.template.actions : spec.actions) ?? []
}

/** The exit code is that of the first command that didn't end well, in the order of the targets. */
async function runActions(ctx: Context, targets: readonly FoundTarget[], action: string): Promise<number> {
  const { client } = await ctx.connect()
  const codes = await concurrently(targets, PARALLEL_REQUESTS, async (target) => {
    const at = targets.indexOf(target)
    const prefix = targets.length > 1 ? new LinePrefix(prefixOf(target.ref.name, at, ctx.io.colour)) : undefined
    try {
      return await runAction(ctx, client, target, action, (bytes) => ctx.io.write(prefix === undefined ? bytes : prefix.feed(bytes)))
    } catch (err) {
      if (ctx.signal.aborted) throw err
      ctx.io.warn(`${describeError(err)}\n`)
      return 1
    } finally {
      if (prefix !== undefined) ctx.io.write(prefix.end())
    }
  })
  return codes.find((code) => code !== 0) ?? 0
}

async function runAction(
  { io, signal }: Context,
  client: HttpClient,
  target: FoundTarget,
  action: string,
  onOutput: (bytes: Uint8Array) => void,
): Promise<number> {
  const response = await client.request({
    method: 'POST',
    path: requestPath(target, 'action'),
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ action }),
    signal,
  })
  for await (const line of linesOf(response.body)) {
    const message: unknown = JSON.parse(line)
    if (!isJsonObject(message)) continue
    if (typeof message.output === 'string') onOutput(Buffer.from(message.output, 'base64'))
    if (typeof message.dropped === 'number') io.warn(`[${message.dropped} bytes of output were left out here]\n`)
    if (typeof message.exitCode === 'number') return message.exitCode
    // The server's own answer, of this shape.
    if (message.status !== undefined) throw new ApiError(message.status as Status)
  }
  throw new CliError(`the connection was lost before ${target.definition.singular} ${target.ref.name} had answered`)
}
