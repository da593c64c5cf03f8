import { CliError } from './cli-error.ts'
import type { Context } from './verb.ts'

/** As many names as are shown of what would go. */
const MOST_NAMED = 50

/**
 * Shows what would be removed and asks whether it may be. Where nobody can be asked only `yes` will do; a refusal is a CliError.
 * `what` as in `3 objects of source web`.
 */
export async function confirmRemoval(ctx: Context, what: string, names: readonly string[], yes: boolean): Promise<void> {
  const { io, signal } = ctx
  const more = names.length > MOST_NAMED ? [`… and ${names.length - MOST_NAMED} more`] : []
  io.warn(`This removes ${what}:\n${[...names.slice(0, MOST_NAMED), ...more].map((name) => `  ${name}\n`).join('')}`)
  if (yes) return
  if (!io.inputIsTerminal) throw new CliError('nothing was removed: nobody can be asked here; --yes says that they may go')
  const answer = await io.ask('Remove them? [y/N] ', signal)
  signal.throwIfAborted()
  if (!/^\s*y(es)?\s*$/i.test(answer ?? '')) throw new CliError('nothing was removed')
}
