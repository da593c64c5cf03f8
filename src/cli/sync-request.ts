import { randomUUID } from 'node:crypto'
import { findCondition } from '../api/conditions.ts'
import type { Millis } from '../base/clock.ts'
import type { Client, Ref } from '../client/client.ts'
import type { ManifestSource } from '../generated/types.ts'
import { nameOf } from '../gitops/inventory.ts'
import { CONFIRM_PRUNE_ANNOTATION, SYNC_REQUESTED_ANNOTATION } from '../gitops/well-known.ts'
import { CliError } from './cli-error.ts'
import { concurrently, PARALLEL_REQUESTS } from './concurrently.ts'
import { confirmRemoval } from './confirm.ts'
import { describeError } from './errors.ts'
import { type OutputFormat, printObjects } from './output.ts'
import { printedName } from './resources.ts'
import { printable } from './table.ts'
import { type FoundTarget, findTargets } from './targets.ts'
import type { Context } from './verb.ts'
import { watchUntil } from './watch-until.ts'
import { withTimeout } from './with-timeout.ts'

export interface SyncRequest {
  readonly args: readonly string[]
  readonly selector: string | undefined
  readonly all: boolean
  readonly confirmPrune: boolean
  /** Don't ask before a removal. */
  readonly yes: boolean
  readonly wait: boolean
  readonly timeout: Millis
  readonly format: OutputFormat
}

/** Asks for a pass over each of the sources now, and tells what came of it. Its exit code: 1 when one of them isn't Ready. */
export async function requestSync(ctx: Context, request: SyncRequest): Promise<number> {
  const { args, selector, all, format } = request
  const targets = await findTargets(ctx, { args, selector, all }, ['ManifestSource'])
  if (targets.length === 0) ctx.io.warn('No resources found\n')
  const { client } = await ctx.connect()
  const removals = new Map<FoundTarget, string>()
  // All questions first: nobody wants to be asked in the middle.
  if (request.confirmPrune) for (const target of targets) removals.set(target, await askToPrune(ctx, target, request.yes))
  const failures: unknown[] = []
  const results = await concurrently(targets, PARALLEL_REQUESTS, async (target) => {
    try {
      return await syncOne(ctx, client, target, removals.get(target), request)
    } catch (err) {
      if (ctx.signal.aborted) throw err
      failures.push(err)
      return undefined
    }
  })
  const objects = results.filter((object) => object !== undefined)
  if (format.type !== 'table' && objects.length > 0)
    await printObjects(ctx.io, objects, format, { showManagedFields: false, list: targets.length > 1 })
  for (const failure of failures) ctx.io.warn(`${describeError(failure)}\n`)
  return failures.length > 0 ? 1 : 0
}

/** The token of what is to be removed, once somebody has agreed. */
async function askToPrune(ctx: Context, { ref, object }: FoundTarget, yes: boolean): Promise<string> {
  const { status } = object as ManifestSource
  const pending = status?.pendingPrune
  if (pending === undefined) throw new CliError(`source ${ref.name} has no removal that waits to be confirmed`)
  const names = (status?.inventory ?? []).map(nameOf)
  ctx.io.warn(pending.reason === undefined ? '' : `${printable(pending.reason)}\n`)
  await confirmRemoval(ctx, `${count(pending.objects, 'object')} of source ${ref.name}`, names, yes)
  return pending.token
}

async function syncOne(
  ctx: Context,
  client: Client,
  { definition, ref, object }: FoundTarget,
  removal: string | undefined,
  { wait, timeout, format }: SyncRequest,
): Promise<ManifestSource> {
  const name = printedName(definition, ref.name)
  if ((object as ManifestSource).spec.suspend) throw suspended(ref, name)
  const annotations = {
    [SYNC_REQUESTED_ANNOTATION]: `${ctx.clock.now()}-${randomUUID().slice(0, 8)}`,
    ...(removal !== undefined && { [CONFIRM_PRUNE_ANNOTATION]: removal }),
  }
  const before = await client
    .for('ManifestSource')
    .patch(ref, { type: 'merge', value: { metadata: { annotations } } }, { fieldManager: 'pmk-sync', signal: ctx.signal })
  if (!wait) {
    if (format.type === 'table') ctx.io.write(`${name} sync requested\n`)
    return before
  }
  const after = await handled(ctx, client, ref, name, timeout)
  const { status = { conditions: [] } } = after
  const isRemoved = removal !== undefined && status.pendingPrune === undefined
  if (isRemoved) {
    const left = new Set(status.inventory ?? [])
    const gone = (before.status?.inventory ?? []).filter((id) => !left.has(id))
    if (format.type === 'table') for (const id of gone) ctx.io.write(`${nameOf(id)} pruned\n`)
  } else if (status.ready !== 'True') throw new CliError(failureText(name, after), { plain: true })
  else if (format.type === 'table') ctx.io.write(`${name} synced: ${doneText(before, after)}\n`)
  for (const note of notesOf(after)) ctx.io.warn(`Warning: ${name}: ${printable(note)}\n`)
  return after
}

/** The source once the newest request for a pass was acted on, and what it applied is healthy or known not to be. */
async function handled(ctx: Context, client: Client, ref: Ref, name: string, timeout: Millis): Promise<ManifestSource> {
  let last = 'the server has not answered'
  const late = (): string =>
    `timed out waiting for ${name}: ${last}. It goes on by itself; 'pmk describe source/${ref.name}' tells how far it is`
  const source = await withTimeout(ctx, timeout, late, (signal) =>
    watchUntil(client.for('ManifestSource'), ref, signal, (object) => {
      if (object === undefined || object.spec.suspend || isStuck(object) || isHandled(object)) return true
      const said = printable(object.status?.message ?? '')
      if (ctx.io.outputIsTerminal && said !== '' && said !== last) ctx.io.warn(`${name}: ${said}\n`)
      if (said !== '') last = said
      return false
    }),
  )
  if (source === undefined) throw new CliError(`${name} was deleted meanwhile`)
  if (source.spec.suspend) throw suspended(ref, name)
  if (source.metadata.deletionTimestamp !== undefined) throw new CliError(`${name} is being deleted`)
  return source
}

/** Nothing is fetched or applied before somebody does something. */
function isStuck({ metadata, status }: ManifestSource): boolean {
  return (
    metadata.deletionTimestamp !== undefined || (status?.reason === 'DependencyCycle' && status.observedGeneration === metadata.generation)
  )
}

/** A later request than ours counts, too: its pass came after both. */
function isHandled({ metadata, status }: ManifestSource): boolean {
  const isSeen = status?.lastHandledSync === metadata.annotations?.[SYNC_REQUESTED_ANNOTATION]
  return isSeen && (status?.observedGeneration ?? 0) >= metadata.generation && status?.reason !== 'WaitingForHealth'
}

function doneText({ status: before }: ManifestSource, { status }: ManifestSource): string {
  const revision = status?.revision ?? ''
  const was = before?.revision === undefined || before.revision === revision ? '' : `, before ${before.revision}`
  return `${count(status?.objects ?? 0, 'object')} of ${count(status?.files ?? 0, 'file')} at ${revision}${was}`
}

function failureText(name: string, { status }: ManifestSource): string {
  const message = status?.message ?? ''
  // The message says the first one.
  const errors = (status?.errors ?? []).filter((error) => !message.includes(error))
  const applied = status?.appliedRevision
  const stays = applied === undefined || applied === status?.attemptedRevision ? [] : [`Applied is still ${status?.revision}.`]
  const [first = '', ...rest] = [message, ...errors, ...stays].map(printable)
  return [`error: ${name} is not Ready (${status?.reason}): ${first}`, ...rest].join('\n')
}

function notesOf({ status }: ManifestSource): readonly string[] {
  const drifted = findCondition(status?.conditions, 'Drifted')
  return [...(status?.notes ?? []), ...(drifted?.status === 'True' ? [`drifted: ${drifted.message}`] : [])]
}

function suspended({ name }: Ref, printed: string): CliError {
  return new CliError(`${printed} is suspended, so nothing is applied: pmk resume source/${name}`)
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}
