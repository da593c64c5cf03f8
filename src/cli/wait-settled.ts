import { definitionOf } from '../api/scheme.ts'
import { type Millis, sleep } from '../base/clock.ts'
import type { Ref } from '../client/client.ts'
import type { HttpClient } from '../client/http-client.ts'
import type { Instance } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
import { followProcess } from './follow-process.ts'
import { selectionOf } from './of-process.ts'
import { pathOf } from './resources.ts'
import { type Anew, type Goal, hasFallen, instanceOutcome, isUnprobed, type Outcome, outcomeOf } from './settled.ts'
import { printable } from './table.ts'
import type { Context } from './verb.ts'
import { watchUntil } from './watch-until.ts'
import { withTimeout } from './with-timeout.ts'

/** How many lines of output are shown of a program that did not start. */
const TAIL_LINES = 10
/** How long a program without probes is watched after its start. */
const FIRST_STEPS: Millis = 500

interface WaitFlags<W extends boolean> {
  readonly wait: { readonly type: 'boolean'; readonly default: W; readonly help: string }
  readonly timeout: { readonly type: 'duration'; readonly placeholder: string; readonly default: number; readonly help: string }
}

export function waitFlags<const W extends boolean>(wait: W): WaitFlags<W> {
  return {
    wait: { type: 'boolean', default: wait, help: `Wait until it is so (default ${wait})` },
    timeout: { type: 'duration', placeholder: 'TIME', default: 300_000, help: 'How long to wait (default 5m); 0: as long as it takes' },
  }
}

/** What the message about a Process starts with, and how long to wait for it. */
export interface Wait {
  readonly name: string
  /** What did not happen when the time is over: `start`. */
  readonly word: string
  readonly timeout: number
}

/** Waits until a Process has become what was asked for. Throws CliError with the reason and the last lines of output when it doesn't. */
export async function waitForProcess(ctx: Context, client: HttpClient, ref: Ref, goal: Goal, wait: Wait): Promise<void> {
  let last = nothingKnown()
  let suspect: Instance | undefined
  let started: readonly Instance[] = []
  const outcome = await patiently(
    ctx,
    client,
    wait,
    () => last,
    () => suspect,
    (signal) =>
      followProcess(client, ref, signal, (view) => {
        const now = outcomeOf(view, goal)
        tellProgress(ctx, wait, last, now)
        last = now
        started = view.instances
        suspect = view.instances.find(({ status }) => status?.ready !== true)
        return now.state === 'waiting' ? undefined : now
      }),
  )
  if (outcome.state === 'failed') throw await failure(ctx, client, wait, outcome.message, outcome.instance)
  if (goal.type === 'running') await watchFirstSteps(ctx, client, ref, started, wait)
}

/** A program without probes counts as ready when it has been started; one that ends at once didn't start well for all that. */
async function watchFirstSteps(ctx: Context, client: HttpClient, ref: Ref, started: readonly Instance[], wait: Wait): Promise<void> {
  const unprobed = started.filter(isUnprobed)
  if (unprobed.length === 0) return
  await sleep(ctx.clock, FIRST_STEPS, ctx.signal)
  const { items } = await client.for('Instance').list({ ...selectionOf(ref), signal: ctx.signal })
  for (const before of unprobed) {
    const now = items.find(({ metadata }) => metadata.uid === before.metadata.uid)
    if (now !== undefined && hasFallen(before, now)) {
      const why = now.status?.lastTermination?.message ?? now.status?.message ?? ''
      throw await failure(ctx, client, wait, `${now.metadata.name} ended right after its start: ${why}`, now)
    }
  }
}

/** The same for one Instance that was told to start anew. */
export async function waitForInstance(ctx: Context, client: HttpClient, ref: Ref, anew: Anew, wait: Wait): Promise<void> {
  let last = nothingKnown()
  let suspect: Instance | undefined
  await patiently(
    ctx,
    client,
    wait,
    () => last,
    () => suspect,
    (signal) =>
      watchUntil(client.for('Instance'), ref, signal, (instance) => {
        const now: Outcome =
          instance === undefined ? { state: 'failed', message: 'it was deleted meanwhile' } : instanceOutcome(instance, { anew: [anew] })
        tellProgress(ctx, wait, last, now)
        last = now
        suspect = instance
        return now.state !== 'waiting'
      }),
  )
  if (last.state === 'failed') throw await failure(ctx, client, wait, last.message, suspect)
  if (suspect !== undefined) await watchFirstSteps(ctx, client, { ...ref, name: suspect.spec.process }, [suspect], wait)
}

function nothingKnown(): Outcome {
  return { state: 'waiting', message: 'nothing is known of it yet' }
}

async function patiently<T>(
  ctx: Context,
  client: HttpClient,
  wait: Wait,
  last: () => Outcome,
  suspect: () => Instance | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let late = false
  try {
    return await withTimeout(
      ctx,
      wait.timeout,
      () => {
        late = true
        return 'too late'
      },
      work,
    )
  } catch (err) {
    if (!late) throw err
    const outcome = last()
    const why = outcome.state === 'waiting' ? `: ${outcome.message}` : ''
    throw await failure(ctx, client, wait, `timed out${why}`, suspect(), err)
  }
}

/** On a terminal people see what it is that they wait for. */
function tellProgress({ io }: Context, { name }: Wait, before: Outcome, now: Outcome): void {
  if (!io.outputIsTerminal || now.state !== 'waiting' || (before.state === 'waiting' && before.message === now.message)) return
  io.warn(`${name}: ${printable(now.message)}\n`)
}

async function failure(
  ctx: Context,
  client: HttpClient,
  { name, word }: Wait,
  message: string,
  instance: Instance | undefined,
  cause?: unknown,
): Promise<CliError> {
  const tail = word === 'stop' || instance === undefined ? '' : await lastOutput(ctx, client, instance)
  const output =
    tail === ''
      ? ''
      : `\nIts last output:\n${tail
          .split('\n')
          .map((line) => `  ${printable(line)}`)
          .join('\n')}`
  const more = `\n'pmk why ${name.slice(name.indexOf('/') + 1)}' tells more.`
  return new CliError(`${name} did not ${word}: ${message}${output}${more}`, { cause })
}

async function lastOutput({ signal }: Context, client: HttpClient, { metadata, status }: Instance): Promise<string> {
  const lines = (text: string): string => text.trimEnd().split('\n').slice(-TAIL_LINES).join('\n')
  if (status?.pid === undefined) return lines(status?.lastTermination?.tail ?? '')
  const path = `${pathOf(definitionOf('Instance'), metadata.namespace, metadata.name)}/log`
  try {
    const response = await client.request({ method: 'GET', path, query: { tailLines: TAIL_LINES }, signal })
    return lines(await response.text())
  } catch (err) {
    // The output is a help only; why it can't be had must not hide why the start failed.
    return `(it can't be read: ${err instanceof Error ? err.message : String(err)})`
  }
}
