import { hasReason } from '../api/status.ts'
import type { HttpClient } from '../client/http-client.ts'
import { CliError } from './cli-error.ts'
import type { GetFlags, Query } from './get.ts'
import { layoutOf } from './get-table.ts'
import { type OutputFormat, printObjects } from './output.ts'
import { resourceOf } from './resources.ts'
import { readTable, watchTable } from './server-table.ts'
import { formatTable } from './table.ts'
import type { Context } from './verb.ts'

/** `get -w`: what is there, then each change, until Ctrl-C. */
export async function watchObjects(ctx: Context, queries: readonly Query[], flags: GetFlags, format: OutputFormat): Promise<number> {
  const [query, ...more] = queries
  if (query === undefined || more.length > 0) throw new CliError('watch is only supported on individual resources and resource collections')
  const { client } = await ctx.connect()
  if (format.type === 'table') await watchRows(ctx, client, query, flags, format.wide)
  else await watchWhole(ctx, client, query, flags, format)
  return 0
}

async function watchRows(ctx: Context, client: HttpClient, { definition, query }: Query, flags: GetFlags, wide: boolean): Promise<void> {
  const first = await readTable(client, definition, query, ctx.signal)
  const layout = layoutOf(definition, first.columnDefinitions, { wide, flags, kinds: flags['show-kind'] })
  const widths: number[] = []
  let headers = !flags['no-headers']
  const print = (rows: readonly (readonly string[])[]): void => {
    ctx.io.write(formatTable(layout.headers, rows, { headers, colour: ctx.io.colour, widths }))
    headers = false
  }
  if (!flags['watch-only'] && first.rows.length > 0) print(first.rows.map(layout.row))
  // Of a single object the list is newer than the object: nothing between the two is missed by starting at the older.
  let { resourceVersion } = first.metadata
  while (!ctx.signal.aborted) {
    try {
      for await (const { row } of watchTable(client, definition, { ...query, resourceVersion }, ctx.signal)) {
        print([layout.row(row)])
        resourceVersion = row.object.metadata.resourceVersion
      }
    } catch (err) {
      if (!hasReason(err, 'Expired')) throw err
      // History is gone: what is there now is shown once more.
      const { name: _, ...selection } = query
      const again = await readTable(
        client,
        definition,
        query.name === undefined ? query : { ...selection, fieldSelector: `metadata.name=${query.name}` },
        ctx.signal,
      )
      print(again.rows.map(layout.row))
      resourceVersion = again.metadata.resourceVersion
    }
  }
}

async function watchWhole(
  ctx: Context,
  client: HttpClient,
  { definition, query }: Query,
  flags: GetFlags,
  format: Exclude<OutputFormat, { readonly type: 'table' }>,
): Promise<void> {
  const resource = resourceOf(client, definition)
  const { namespace, labelSelector, name } = query
  const fieldSelector = [query.fieldSelector, name === undefined ? undefined : `metadata.name=${name}`].filter(Boolean).join(',')
  const selection = {
    ...(namespace !== undefined && { namespace }),
    ...(labelSelector !== undefined && { labelSelector }),
    ...(fieldSelector !== '' && { fieldSelector }),
  }
  const start = await resource.list({ ...selection, signal: ctx.signal })
  let headers = !flags['no-headers']
  const print = async (object: (typeof start.items)[number]): Promise<void> => {
    if (format.type === 'yaml') ctx.io.write('---\n')
    await printObjects(ctx.io, [object], format, { showManagedFields: flags['show-managed-fields'], list: false, headers })
    headers = false
  }
  if (!flags['watch-only']) for (const object of start.items) await print(object)
  for await (const event of resource.watch({ ...selection, resourceVersion: start.resourceVersion, signal: ctx.signal })) {
    if (event.type !== 'BOOKMARK') await print(event.object)
  }
}
