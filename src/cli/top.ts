import type { Kind } from '../api/object.ts'
import { definitionOf, findByName } from '../api/scheme.ts'
import { sleep } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import { formatBytes } from '../base/quantity.ts'
import type { HttpClient } from '../client/http-client.ts'
import { CliError } from './cli-error.ts'
import { allNamespacesFlag, selectorFlag } from './common-flags.ts'
import { describeError } from './errors.ts'
import { pathOf, resourceOf } from './resources.ts'
import { formatTable } from './table.ts'
import { findTargets } from './targets.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'top [processes|instances] [NAME… | -l LABELS] [flags]',
  description:
    'Shows what programs use now: processor time (1000m is one core), resident memory, and how many processes and threads they are.',
  examples: ['pmk top', 'pmk top instances --sort-by=memory', 'pmk top web', 'pmk top instances -l app=shop -A'],
  flags: {
    ...selectorFlag,
    ...allNamespacesFlag,
    'sort-by': { type: 'string', placeholder: 'cpu|memory|name', default: 'name', help: 'The order; the greatest first' },
    'no-headers': { type: 'boolean', help: 'Without the line of headers' },
    interval: {
      type: 'duration',
      placeholder: 'TIME',
      default: 500,
      help: 'Over which processor time is measured; 0: since the last look',
    },
    output: { type: 'string', short: 'o', placeholder: 'json', help: 'The same as data' },
  },
  async run({ ctx, args, flags }) {
    const order = orderOf(flags['sort-by'])
    if (flags.output !== undefined && flags.output !== 'json') {
      throw new CliError(`unable to match a printer suitable for the output format "${flags.output}", allowed formats are: json`)
    }
    const { kind, keys } = await chosen(ctx, args, flags.selector, flags['all-namespaces'])
    const { client } = await ctx.connect()
    if (flags.interval > 0) {
      await sample(ctx, client, false)
      await sleep(ctx.clock, flags.interval, ctx.signal)
    }
    const { usages, complete } = await sample(ctx, client, true)
    const mine = usages.filter(({ namespace }) => flags['all-namespaces'] || namespace === ctx.namespace)
    const all = kind === 'Process' ? sumByProcess(mine) : mine
    const shown = all.filter((usage) => keys === undefined || keys.has(keyOf(usage))).sort(order)
    if (flags.output === 'json') ctx.io.write(`${JSON.stringify(shown, null, 2)}\n`)
    else if (shown.length === 0) ctx.io.warn('Nothing runs\n')
    else ctx.io.write(tableOf(shown, flags['all-namespaces'], !flags['no-headers']))
    return complete ? 0 : 1
  },
})

/** What one Instance uses, or all those of a Process together. */
export interface Usage {
  readonly namespace: string
  readonly name: string
  readonly process: string
  readonly cpu: number
  readonly memory: number
  readonly processes: number
  readonly threads: number
}

const ORDERS: Readonly<Record<string, (a: Usage, b: Usage) => number>> = {
  cpu: (a, b) => b.cpu - a.cpu || byName(a, b),
  memory: (a, b) => b.memory - a.memory || byName(a, b),
  name: byName,
}

function byName(a: Usage, b: Usage): number {
  return keyOf(a) < keyOf(b) ? -1 : 1
}

function orderOf(text: string): (a: Usage, b: Usage) => number {
  const order = Object.hasOwn(ORDERS, text) ? ORDERS[text] : undefined
  if (order === undefined) throw new CliError('--sort-by accepts only cpu, memory or name', { usage: true })
  return order
}

function keyOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`
}

interface Chosen {
  readonly kind: 'Process' | 'Instance'
  /** Undefined: all. */
  readonly keys?: ReadonlySet<string>
}

/** A first word that names the kind; then names, or a selector, or nothing for all. */
async function chosen(ctx: Context, args: readonly string[], selector: string | undefined, everywhere: boolean): Promise<Chosen> {
  const [first, ...names] = args
  const named = first === undefined || first.includes('/') ? undefined : findByName(first)?.kind
  const kind = named === 'Instance' ? 'Instance' : 'Process'
  const rest = named === 'Instance' || named === 'Process' ? names : args
  if (rest.length > 0) {
    if (selector !== undefined) throw new CliError('only one of names and --selector can be given', { usage: true })
    const kinds: readonly Kind[] | undefined = rest === names ? [kind] : undefined
    const targets = await findTargets(ctx, { args: rest }, kinds)
    const isOne = targets.every(({ definition }) => definition.kind === targets[0]?.definition.kind)
    if (!isOne) throw new CliError('Processes and Instances can not be shown together', { usage: true })
    const keys = targets.map(({ ref }) => keyOf({ namespace: ref.namespace ?? '', name: ref.name }))
    return { kind: targets[0]?.definition.kind === 'Instance' ? 'Instance' : 'Process', keys: new Set(keys) }
  }
  if (selector === undefined) return { kind }
  const { client } = await ctx.connect()
  const { items } = await resourceOf(client, definitionOf(kind)).list({
    labelSelector: selector,
    ...(!everywhere && { namespace: ctx.namespace }),
    signal: ctx.signal,
  })
  return { kind, keys: new Set(items.map(({ metadata }) => keyOf({ namespace: metadata.namespace ?? '', name: metadata.name }))) }
}

/** Of all Nodes. One that doesn't answer is told of, and the others are shown. */
async function sample(
  ctx: Context,
  client: HttpClient,
  tell: boolean,
): Promise<{ readonly usages: readonly Usage[]; readonly complete: boolean }> {
  const { signal } = ctx
  const { items } = await client.for('Node').list({ signal })
  let complete = true
  const lists = await Promise.all(
    items.map(async ({ metadata }) => {
      try {
        const response = await client.request({
          method: 'GET',
          path: `${pathOf(definitionOf('Node'), undefined, metadata.name)}/usage`,
          signal,
        })
        const answer = await response.json()
        // The server's own answer, of this shape.
        return isJsonObject(answer) && Array.isArray(answer.items) ? (answer.items as readonly Usage[]) : []
      } catch (err) {
        if (signal.aborted) throw err
        complete = false
        if (tell) ctx.io.warn(`node ${metadata.name}: ${describeError(err)}\n`)
        return []
      }
    }),
  )
  return { usages: lists.flat(), complete }
}

export function sumByProcess(usages: readonly Usage[]): readonly Usage[] {
  const sums = new Map<string, Usage>()
  for (const usage of usages) {
    const { namespace, process } = usage
    const key = keyOf({ namespace, name: process })
    const sum = sums.get(key) ?? { namespace, name: process, process, cpu: 0, memory: 0, processes: 0, threads: 0 }
    sums.set(key, {
      ...sum,
      cpu: sum.cpu + usage.cpu,
      memory: sum.memory + usage.memory,
      processes: sum.processes + usage.processes,
      threads: sum.threads + usage.threads,
    })
  }
  return [...sums.values()]
}

function tableOf(usages: readonly Usage[], everywhere: boolean, headers: boolean): string {
  const rows = usages.map(({ namespace, name, cpu, memory, processes, threads }) => [
    ...(everywhere ? [namespace] : []),
    name,
    `${Math.round(cpu * 1_000)}m`,
    formatBytes(memory),
    String(processes),
    String(threads),
  ])
  return formatTable([...(everywhere ? ['Namespace'] : []), 'Name', 'CPU', 'Memory', 'Processes', 'Threads'], rows, { headers })
}
