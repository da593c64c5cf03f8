import type { Kind } from '../api/object.ts'
import { allFlag, fileFlags, selectorFlag } from './common-flags.ts'
import { concurrently, PARALLEL_REQUESTS } from './concurrently.ts'
import { describeError } from './errors.ts'
import { printedName } from './resources.ts'
import { type FoundTarget, findTargets, type Target } from './targets.ts'
import type { Context } from './verb.ts'

/** Flags by which the process verbs are told what they are for. */
export const targetFlags: typeof selectorFlag & typeof allFlag & typeof fileFlags = { ...selectorFlag, ...allFlag, ...fileFlags }

export interface TargetFlagValues {
  readonly selector: string | undefined
  readonly all: boolean
  readonly filename: readonly string[]
  readonly recursive: boolean
}

/** What the words and flags of a process verb name. Throws for the first that doesn't exist, before anything is done. */
export function targetsOf(
  ctx: Context,
  args: readonly string[],
  flags: TargetFlagValues,
  kinds?: readonly Kind[],
): Promise<readonly FoundTarget[]> {
  const { selector, all, filename: files, recursive } = flags
  return findTargets(ctx, { args, selector, all, files, recursive }, kinds)
}

/**
 * Does the same to all, side by side, and prints what `work` answers, each as soon as it is there. The failure of one stops no
 * other: all are printed at the end, and make exit code 1.
 */
export async function onEach<T extends Target>(
  ctx: Context,
  targets: readonly T[],
  work: (target: T, name: string) => Promise<string>,
): Promise<number> {
  if (targets.length === 0) ctx.io.warn('No resources found\n')
  const failures: unknown[] = []
  await concurrently(targets, PARALLEL_REQUESTS, async (target) => {
    try {
      ctx.io.write(`${await work(target, printedName(target.definition, target.ref.name))}\n`)
    } catch (err) {
      if (ctx.signal.aborted) throw err
      failures.push(err)
    }
  })
  for (const failure of failures) ctx.io.warn(`${describeError(failure)}\n`)
  return failures.length > 0 ? 1 : 0
}
