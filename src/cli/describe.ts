import { lastSeen, occurrences } from '../api/event-times.ts'
import type { ApiObject } from '../api/object.ts'
import { age } from '../base/age.ts'
import type { Timestamp } from '../base/clock.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { stringifyYaml } from '../base/yaml.ts'
import type { HttpClient } from '../client/http-client.ts'
import type { Condition, Instance, ManifestSource, Process } from '../generated/types.ts'
import { ownerOf } from '../gitops/ownership.ts'
import { CliError } from './cli-error.ts'
import { allNamespacesFlag, fileFlags, selectorFlag } from './common-flags.ts'
import { describeInstance, describeProcess } from './describe-process.ts'
import { describeSource } from './describe-source.ts'
import { fields, KEY_WIDTH, mapText, section, tableSection, timeText } from './describe-text.ts'
import { describeError } from './errors.ts'
import { resourceOf } from './resources.ts'
import { readTable } from './server-table.ts'
import { cellText } from './table.ts'
import { chooseTargets, findTargets, parseResourceArgs, type Target } from './targets.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'describe KIND [NAME…] | KIND/NAME… | NAME | -f FILE [flags]',
  description:
    'Tells about objects in words: what they are, their conditions, Instances and events. A bare name is a Process, else an Instance.',
  examples: ['pmk describe process web', 'pmk describe web', 'pmk describe instances -l app=shop'],
  flags: {
    ...fileFlags,
    ...selectorFlag,
    ...allNamespacesFlag,
    'show-events': { type: 'boolean', default: true, help: 'Show events, too' },
  },
  async run({ ctx, args, flags }) {
    const targets = await targetsOf(ctx, args, flags)
    if (targets.length === 0) {
      ctx.io.warn('No resources found\n')
      return 0
    }
    const { client } = await ctx.connect()
    let failed = false
    let first = true
    for (const { definition, ref } of targets) {
      try {
        const object = await resourceOf(client, definition).get(ref, { signal: ctx.signal })
        const text = await describe(ctx, client, object, flags['show-events'])
        ctx.io.write(`${first ? '' : '\n\n'}${text}`)
        first = false
      } catch (err) {
        if (ctx.signal.aborted) throw err
        ctx.io.warn(`${describeError(err)}\n`)
        failed = true
      }
    }
    return failed ? 1 : 0
  },
})

interface Flags {
  readonly filename: readonly string[]
  readonly recursive: boolean
  readonly selector: string | undefined
  readonly 'all-namespaces': boolean
}

async function targetsOf(ctx: Context, args: readonly string[], flags: Flags): Promise<readonly Target[]> {
  const { selector } = flags
  if (flags.filename.length === 0 && args.length === 0)
    throw new CliError('you must specify what to describe: a kind and names', { usage: true })
  if (args.length === 1 && !args[0]?.includes('/') && selector === undefined) {
    const bare = await kindOrName(ctx, args[0] ?? '')
    if (bare !== undefined) return bare
  }
  const isNames = flags.filename.length > 0 || parseResourceArgs(args, ctx.namespace).type === 'names'
  return await chooseTargets(ctx, {
    args,
    selector,
    all: !isNames && selector === undefined,
    files: flags.filename,
    recursive: flags.recursive,
    allNamespaces: flags['all-namespaces'],
  })
}

/** A word that is no kind is the name of a Process or Instance. */
async function kindOrName(ctx: Context, word: string): Promise<readonly Target[] | undefined> {
  try {
    parseResourceArgs([word], ctx.namespace)
    return undefined
  } catch (err) {
    if (!(err instanceof CliError)) throw err
    return await findTargets(ctx, { args: [word] })
  }
}

/** Whose Events are shown with those of their Process: enough for a screen. */
const MOST_INSTANCES = 50

async function describe(ctx: Context, client: HttpClient, object: ApiObject, showEvents: boolean): Promise<string> {
  const now = ctx.clock.now()
  const { metadata } = object
  const status = statusOf(object)
  const parts = [
    fields(
      [
        ['Name', metadata.name],
        ['Namespace', metadata.namespace],
        ['Kind', object.kind],
        ['Labels', mapText(metadata.labels, '=')],
        ['Annotations', mapText(metadata.annotations, ': ')],
        ['Created', timeText(metadata.creationTimestamp, now)],
        ['Deletion asked', timeText(metadata.deletionTimestamp, now)],
        ['Kept applied by', keptBy(object)],
        ['Belongs to', metadata.ownerReferences?.map(({ kind, name }) => `${kind}/${name}`).join(', ')],
      ],
      KEY_WIDTH,
    ),
  ]
  if (object.kind === 'Process') parts.push(describeProcess(object as Process), await instancesOf(ctx, client, object))
  else if (object.kind === 'Instance') parts.push(describeInstance(object as Instance, now))
  else if (object.kind === 'ManifestSource') parts.push(describeSource(object as ManifestSource, now))
  else parts.push(describeOther(object))
  const conditions = status.conditions
  if (Array.isArray(conditions)) parts.push(conditionTable(conditions as readonly Condition[], now))
  if (showEvents) parts.push(await eventsOf(ctx, client, object, now))
  return parts.filter((part) => part !== '').join('')
}

/** The source that it comes from; what was done by hand is put back by that. */
function keptBy(object: ApiObject): string | undefined {
  const owner = ownerOf(object)
  return owner && `ManifestSource ${owner.namespace}/${owner.name}`
}

function statusOf(object: ApiObject): JsonObject {
  const { status } = object as ApiObject & { readonly status?: unknown }
  return isJsonObject(status) ? status : {}
}

/** Everything beside metadata, as it stands; of a Secret only how long the values are. */
function describeOther(object: ApiObject): string {
  const { apiVersion: _, kind, metadata: _metadata, ...rest } = object as ApiObject & JsonObject
  const { status, ...shown } = rest
  const { conditions: _conditions, ...restOfStatus } = isJsonObject(status) ? status : {}
  const parts: JsonObject = { ...shown, ...(Object.keys(restOfStatus).length > 0 && { status: restOfStatus }) }
  return Object.entries(parts)
    .map(([key, value]) => {
      const title = key.charAt(0).toUpperCase() + key.slice(1)
      if (kind === 'Secret' && key === 'data' && isJsonObject(value)) {
        return section(
          title,
          fields(Object.entries(value).map(([name, text]) => [name, `${Buffer.byteLength(String(text), 'base64')} bytes`])),
        )
      }
      return typeof value === 'object' && value !== null
        ? section(title, stringifyYaml(value))
        : fields([[title, String(value)]], KEY_WIDTH)
    })
    .join('')
}

async function instancesOf(ctx: Context, client: HttpClient, { metadata }: ApiObject): Promise<string> {
  const { definitionOf } = await import('../api/scheme.ts')
  const query = { namespace: metadata.namespace ?? 'default', fieldSelector: `spec.process=${metadata.name}` }
  const { columnDefinitions, rows } = await readTable(client, definitionOf('Instance'), query, ctx.signal)
  const places = columnDefinitions.flatMap(({ priority }, at) => (priority === 0 ? [at] : []))
  return tableSection(
    'Instances',
    places.map((at) => columnDefinitions[at]?.name ?? ''),
    rows.map(({ cells }) => places.map((at) => cellText(cells[at]))),
  )
}

function conditionTable(conditions: readonly Condition[], now: Timestamp): string {
  const rows = conditions.map(({ type, status, reason, message, lastTransitionTime }) => [
    type,
    status,
    cellText(reason),
    lastTransitionTime === undefined ? '<none>' : age(lastTransitionTime, now),
    message ?? '',
  ])
  return tableSection('Conditions', ['Type', 'Status', 'Reason', 'Since', 'Message'], rows)
}

/** Of a Process also those of its Instances, where most things happen. */
async function eventsOf(ctx: Context, client: HttpClient, object: ApiObject, now: Timestamp): Promise<string> {
  const { name, namespace } = object.metadata
  const place = namespace !== undefined && { namespace }
  const instances =
    object.kind !== 'Process'
      ? []
      : (await client.for('Instance').list({ fieldSelector: `spec.process=${name}`, limit: MOST_INSTANCES, signal: ctx.signal, ...place }))
          .items
  const lists = await Promise.all(
    [object, ...instances].map(({ kind, metadata }) => {
      const fieldSelector = `involvedObject.kind=${kind},involvedObject.name=${metadata.name},involvedObject.uid=${metadata.uid}`
      return client.for('Event').list({ fieldSelector, signal: ctx.signal, ...place })
    }),
  )
  const rows = lists
    .flatMap(({ items }) => items)
    .sort((a, b) => (lastSeen(a) < lastSeen(b) ? -1 : 1))
    .map((event) => [
      `${age(lastSeen(event), now)}${occurrences(event) > 1 ? ` (x${occurrences(event)})` : ''}`,
      cellText(event.type),
      cellText(event.reason),
      cellText(event.involvedObject.name),
      event.message ?? '',
    ])
  return tableSection('Events', ['Age', 'Type', 'Reason', 'Object', 'Message'], rows)
}
