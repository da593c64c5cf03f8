import { definitionOf, findDefinition } from '../api/scheme.ts'
import type { SourcePreview } from '../api/source-preview.ts'
import type { ManifestSource } from '../generated/types.ts'
import { nameOf } from '../gitops/inventory.ts'
import { CliError } from './cli-error.ts'
import { printDifference } from './diff-text.ts'
import { pathOf, printedName } from './resources.ts'
import { printable } from './table.ts'
import { findTargets } from './targets.ts'
import type { Context } from './verb.ts'

/** Shows what a ManifestSource would change now, as the server sees its content. True when there is a difference. */
export async function diffSource(ctx: Context, name: string): Promise<boolean> {
  const [target] = await findTargets(ctx, { args: [name] }, ['ManifestSource'])
  if (target === undefined) throw new CliError('--source needs the name of a ManifestSource', { usage: true })
  const { client } = await ctx.connect()
  const { namespace, name: found } = target.ref
  const path = `${pathOf(definitionOf('ManifestSource'), namespace, found)}/preview`
  const response = await client.request({ method: 'GET', path, signal: ctx.signal })
  // The server's own answer, of this shape.
  const preview = (await response.json()) as SourcePreview
  const { io } = ctx
  const isRefused = preview.problems.length > 0 && !preview.partial
  const shown = isRefused ? [] : preview.changes.filter(({ before, after, fields }) => printChange(ctx, before, after, fields))
  for (const id of preview.pruned) io.write(`${nameOf(id)} will be deleted\n`)
  for (const restart of isRefused ? [] : preview.restarts) io.write(`Process ${restart.name} will restart: ${restart.because.join(', ')}\n`)
  for (const note of preview.notes) io.warn(`Warning: ${printable(note)}\n`)
  if ((target.object as ManifestSource).spec.suspend)
    io.warn(`Warning: source ${found} is suspended: nothing of this is done before pmk resume source/${found}\n`)
  if (preview.problems.length > 0) {
    const lines = preview.problems.map((problem) => `error: ${printable(problem)}`)
    throw new CliError([...lines, ...(isRefused ? ['Nothing would be changed.'] : [])].join('\n'), { plain: true })
  }
  return shown.length > 0 || preview.pruned.length > 0
}

function printChange(
  ctx: Context,
  before: SourcePreview['changes'][number]['before'],
  after: SourcePreview['changes'][number]['after'],
  fields: SourcePreview['changes'][number]['fields'],
): boolean {
  const definition = findDefinition(after.apiVersion, after.kind)
  const name = definition === undefined ? `${after.kind}/${after.metadata.name}` : printedName(definition, after.metadata.name)
  return printDifference(ctx, { name, before, after, fields })
}
