import type { ApiObject } from '../api/object.ts'
import { isJsonObject } from '../base/json.ts'
import { CliError } from './cli-error.ts'
import { allFlag, allNamespacesFlag, fieldSelectorFlag, fileFlags, outputFlag, selectorFlag } from './common-flags.ts'
import { describeError } from './errors.ts'
import { compilePath, textOf } from './jsonpath.ts'
import { parseOutput, printObjects } from './output.ts'
import { printedName, resourceOf } from './resources.ts'
import { chooseTargets, type Target } from './targets.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'
import { watchUntil } from './watch-until.ts'
import { withTimeout } from './with-timeout.ts'

/** kubectl's: a negative timeout is a week. */
const WEEK = 7 * 86_400_000

export const verb: Verb = defineVerb({
  usage: 'wait KIND NAME… | KIND/NAME… | KIND -l LABELS | KIND --all | -f FILE --for=… [flags]',
  description: 'Waits until objects have a condition or a value, exist, or are gone. Exit code 1 when the time is over.',
  examples: [
    'pmk wait --for=condition=Ready process/web --timeout=1m',
    "pmk wait --for=jsonpath='{.status.readyReplicas}'=2 process/web",
    'pmk wait --for=delete process/web',
  ],
  flags: {
    for: { type: 'strings', placeholder: 'WHAT', help: 'condition=NAME[=VALUE], jsonpath={PATH}[=VALUE], create or delete; required' },
    timeout: {
      type: 'duration',
      placeholder: 'TIME',
      default: 30_000,
      help: 'How long to wait (default 30s); 0: look once; below 0: a week',
    },
    ...fileFlags,
    ...selectorFlag,
    ...fieldSelectorFlag,
    ...allFlag,
    ...allNamespacesFlag,
    ...outputFlag,
  },
  async run({ ctx, args, flags }) {
    if (flags.for.length !== 1) throw new CliError('exactly one --for must be given, such as --for=condition=Ready', { usage: true })
    const goal = parseGoal(flags.for[0] ?? '')
    const format = await parseOutput(flags.output)
    const targets = await chooseTargets(ctx, {
      args,
      selector: flags.selector,
      fieldSelector: flags['field-selector'],
      all: flags.all,
      files: flags.filename,
      recursive: flags.recursive,
      allNamespaces: flags['all-namespaces'],
    })
    if (targets.length === 0) {
      if (goal.type === 'delete') return 0
      throw new CliError('no matching resources found')
    }
    const timeout = flags.timeout < 0 ? WEEK : flags.timeout
    const results = await Promise.all(
      targets.map(async (target) => {
        try {
          return { target, object: await waitFor(ctx, target, goal, timeout) }
        } catch (err) {
          if (ctx.signal.aborted) throw err
          return { target, err }
        }
      }),
    )
    for (const result of results) {
      if ('err' in result) {
        ctx.io.warn(`${describeError(result.err)}\n`)
        continue
      }
      const { target, object } = result
      if (format.type === 'table')
        ctx.io.write(
          `${printedName(target.definition, target.ref.name)} ${goal.type === 'delete' ? 'deleted' : goal.type === 'create' ? 'created' : 'condition met'}\n`,
        )
      else if (object !== undefined)
        await printObjects(ctx.io, [object], format, { showManagedFields: flags['show-managed-fields'], list: false })
    }
    return results.some((result) => 'err' in result) ? 1 : 0
  },
})

interface Goal {
  readonly type: 'condition' | 'jsonpath' | 'create' | 'delete'
  /** Of an object that is there. */
  readonly met: (object: ApiObject) => boolean
}

function parseGoal(text: string): Goal {
  const lower = text.toLowerCase()
  if (lower === 'delete') return { type: 'delete', met: () => false }
  if (lower === 'create') return { type: 'create', met: () => true }
  const condition = /^condition=([^=]+)(?:=(.*))?$/i.exec(text)
  if (condition !== null) return { type: 'condition', met: conditionMet(condition[1] ?? '', condition[2] ?? 'true') }
  if (/^jsonpath=/i.test(text)) return { type: 'jsonpath', met: pathMet(text.slice('jsonpath='.length)) }
  throw new CliError(`unrecognized condition: "${text}"; it must be condition=NAME, jsonpath={PATH}=VALUE, create or delete`)
}

/** A condition about an older generation than the present one says nothing. */
function conditionMet(type: string, value: string): (object: ApiObject) => boolean {
  return (object) => {
    const status = (object as ApiObject & { readonly status?: unknown }).status
    if (!isJsonObject(status) || !Array.isArray(status.conditions)) return false
    return status.conditions.some((condition: unknown) => {
      if (!isJsonObject(condition)) return false
      if (String(condition.type).toLowerCase() !== type.toLowerCase()) return false
      const observed = condition.observedGeneration ?? status.observedGeneration
      if (typeof observed === 'number' && observed < object.metadata.generation) return false
      return String(condition.status).toLowerCase() === value.toLowerCase()
    })
  }
}

function pathMet(text: string): (object: ApiObject) => boolean {
  const closing = text.lastIndexOf('}')
  const equals = text.indexOf('=', Math.max(0, closing))
  const path = equals < 0 ? text : text.slice(0, equals)
  const wanted = equals < 0 ? undefined : text.slice(equals + 1).replace(/^(["'])(.*)\1$/s, '$2')
  if (wanted === '') throw new CliError('jsonpath wait value cannot be empty')
  const read = compilePath(path.replace(/^'(.*)'$/s, '$1'))
  return (object) => {
    const values = read(object)
    if (values.length > 1) throw new CliError('given jsonpath expression matches more than one value')
    return wanted === undefined ? values.length > 0 : values.some((value) => textOf(value) === wanted)
  }
}

async function waitFor(ctx: Context, { definition, ref }: Target, goal: Goal, timeout: number): Promise<ApiObject | undefined> {
  const { client } = await ctx.connect()
  const resource = resourceOf(client, definition)
  const name = printedName(definition, ref.name)
  // An object that isn't there is an error, unless its being there is what is waited for.
  const first = goal.type === 'create' || goal.type === 'delete' ? undefined : await resource.get(ref, { signal: ctx.signal })
  const { uid } = first?.metadata ?? {}
  const reached = (object: ApiObject | undefined): boolean => {
    if (goal.type === 'delete') return object === undefined
    if (object === undefined) {
      if (uid === undefined) return false
      throw new CliError(`${name} was deleted while it was waited for`)
    }
    return goal.met(object)
  }
  const message = `timed out waiting for ${goal.type === 'condition' ? 'the condition' : goal.type === 'jsonpath' ? 'the value' : goal.type} on ${name}`
  if (timeout === 0) {
    const { items } = await resource.list({
      fieldSelector: `metadata.name=${ref.name}`,
      signal: ctx.signal,
      ...(ref.namespace !== undefined && { namespace: ref.namespace }),
    })
    if (!reached(items[0])) throw new CliError(message)
    return items[0]
  }
  return await withTimeout(ctx, timeout, message, (signal) => watchUntil(resource, ref, signal, reached))
}
