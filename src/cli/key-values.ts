import type { ApiObject } from '../api/object.ts'
import { hasReason } from '../api/status.ts'
import type { ResourceClient } from '../client/client.ts'
import { CliError } from './cli-error.ts'
import {
  allFlag,
  allNamespacesFlag,
  dryRunFlag,
  fieldManagerFlag,
  fieldSelectorFlag,
  fileFlags,
  outputFlag,
  selectorFlag,
} from './common-flags.ts'
import { concurrently, PARALLEL_REQUESTS } from './concurrently.ts'
import { DRY_RUN_NOTES, dryRunOf } from './dry-run.ts'
import { describeError } from './errors.ts'
import { parseOutput, printObjects } from './output.ts'
import { printedName, resourceOf } from './resources.ts'
import { chooseTargets } from './targets.ts'
import { defineVerb, type Verb } from './verb.ts'

/** How often a write is tried again after somebody else's. */
const ATTEMPTS = 5

/** `key=value` sets, `key-` removes. */
export interface KeyChanges {
  readonly set: Readonly<Record<string, string>>
  readonly remove: readonly string[]
}

/** The words of a command line, taken apart: those that change keys come last. */
export function splitKeyChanges(
  args: readonly string[],
  what: string,
): { readonly names: readonly string[]; readonly changes: KeyChanges } {
  const first = args.findIndex((arg) => isChange(arg))
  const words = first < 0 ? [] : args.slice(first)
  if (words.length === 0) throw new CliError(`at least one ${what} update is required: KEY=VALUE, or KEY- to remove`, { usage: true })
  const set: Record<string, string> = {}
  const remove: string[] = []
  for (const word of words) {
    if (!isChange(word)) throw new CliError(`all ${what} updates must come after the names; got "${word}"`, { usage: true })
    const equals = word.indexOf('=')
    if (equals < 0) remove.push(word.slice(0, -1))
    else set[word.slice(0, equals)] = word.slice(equals + 1)
  }
  const both = remove.find((key) => Object.hasOwn(set, key))
  if (both !== undefined)
    throw new CliError(`can not both modify and remove ${/^[aeiou]/.test(what) ? 'an' : 'a'} ${what} in the same command: ${both}`)
  return { names: args.slice(0, first), changes: { set, remove } }
}

function isChange(word: string): boolean {
  return /^[^=]+=/.test(word) || (/^[^=/]+(\/[^=/]+)?-$/.test(word) && !word.startsWith('-'))
}

/** `pmk label` and `pmk annotate` are one verb on two maps. */
export function keyValueVerb(options: {
  readonly word: 'label' | 'annotate'
  readonly field: 'labels' | 'annotations'
  readonly examples: readonly string[]
}): Verb {
  const { word, field, examples } = options
  const what = field.slice(0, -1)
  return defineVerb({
    usage: `${word} KIND NAME… | KIND/NAME… | KIND -l LABELS | KIND --all | -f FILE KEY=VALUE… KEY-… [flags]`,
    description: `Sets ${field} of objects (KEY=VALUE) and removes them (KEY-). A value that is there already is only replaced with --overwrite.`,
    examples,
    flags: {
      overwrite: { type: 'boolean', help: 'Replace values that are there already' },
      list: { type: 'boolean', help: `Show the ${field} afterwards` },
      ...fileFlags,
      ...selectorFlag,
      ...fieldSelectorFlag,
      ...allFlag,
      ...allNamespacesFlag,
      ...dryRunFlag,
      ...outputFlag,
      ...fieldManagerFlag(`pmk-${word}`),
    },
    async run({ ctx, args, flags }) {
      const { names, changes } = flags.list && !args.some(isChange) ? { names: args, changes: NOTHING } : splitKeyChanges(args, what)
      const dryRun = dryRunOf(flags['dry-run'])
      const format = await parseOutput(flags.output)
      const targets = await chooseTargets(ctx, {
        args: names,
        selector: flags.selector,
        fieldSelector: flags['field-selector'],
        all: flags.all,
        files: flags.filename,
        recursive: flags.recursive,
        allNamespaces: flags['all-namespaces'],
      })
      const { client } = await ctx.connect()
      const failures: unknown[] = []
      const done = await concurrently(targets, PARALLEL_REQUESTS, async ({ definition, ref }) => {
        const resource = resourceOf(client, definition)
        try {
          const write = (before: ApiObject): Promise<ApiObject> =>
            dryRun === 'client'
              ? Promise.resolve(before)
              : resource.patch(ref, mergePatch(before, field, changes), {
                  fieldManager: flags['field-manager'],
                  dryRun: dryRun === 'server',
                  signal: ctx.signal,
                })
          return { definition, ...(await change(resource, ref, { field, changes, overwrite: flags.overwrite, signal: ctx.signal, write })) }
        } catch (err) {
          if (ctx.signal.aborted) throw err
          failures.push(err)
          return undefined
        }
      })
      for (const one of done) {
        if (one === undefined) continue
        const name = printedName(one.definition, one.object.metadata.name)
        if (format.type !== 'table')
          await printObjects(ctx.io, [one.object], format, { showManagedFields: flags['show-managed-fields'], list: false })
        else
          ctx.io.write(
            `${name} ${one.changed ? (word === 'label' ? 'labeled' : 'annotated') : `not ${word === 'label' ? 'labeled' : 'annotated'}`}${DRY_RUN_NOTES[dryRun]}\n`,
          )
        if (flags.list)
          ctx.io.write(
            Object.entries(one.object.metadata[field] ?? {})
              .map(([key, value]) => `${key}=${value}\n`)
              .join(''),
          )
      }
      for (const failure of failures) ctx.io.warn(`${describeError(failure)}\n`)
      return failures.length > 0 ? 1 : 0
    },
  })
}

const NOTHING: KeyChanges = { set: {}, remove: [] }

interface ChangeOptions {
  readonly field: 'labels' | 'annotations'
  readonly changes: KeyChanges
  readonly overwrite: boolean
  readonly signal: AbortSignal
  readonly write: (before: ApiObject) => Promise<ApiObject>
}

/** The check against overwriting and the write see the same state: somebody else's write in between means once more. */
async function change(
  resource: ResourceClient<ApiObject>,
  ref: { readonly name: string; readonly namespace?: string },
  options: ChangeOptions,
): Promise<{ readonly object: ApiObject; readonly changed: boolean }> {
  const { field, changes, overwrite, signal, write } = options
  for (let attempt = 1; ; attempt++) {
    const before = await resource.get(ref, { signal })
    const present = before.metadata[field] ?? {}
    const taken = Object.entries(changes.set).filter(([key, value]) => Object.hasOwn(present, key) && present[key] !== value)
    if (!overwrite && taken.length > 0) {
      const list = taken.map(([key]) => `'${key}' already has a value (${present[key]})`).join(', ')
      throw new CliError(`${list}, and --overwrite is false`)
    }
    const differs =
      Object.entries(changes.set).some(([key, value]) => present[key] !== value) ||
      changes.remove.some((key) => Object.hasOwn(present, key))
    if (!differs) return { object: before, changed: false }
    try {
      return { object: await write(before), changed: true }
    } catch (err) {
      if (!hasReason(err, 'Conflict') || attempt === ATTEMPTS) throw err
    }
  }
}

function mergePatch(before: ApiObject, field: string, { set, remove }: KeyChanges): { readonly type: 'merge'; readonly value: unknown } {
  const keys = { ...set, ...Object.fromEntries(remove.map((key) => [key, null])) }
  return { type: 'merge', value: { metadata: { resourceVersion: before.metadata.resourceVersion, [field]: keys } } }
}
