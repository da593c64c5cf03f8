import type { ResourceDefinition } from '../api/scheme.ts'
import type { Io } from './io.ts'
import { printedName } from './resources.ts'
import type { ServerColumn, ServerRow } from './server-table.ts'
import { cellText, formatTable } from './table.ts'

/** Rows of one kind. */
export interface TableGroup {
  readonly definition: ResourceDefinition
  readonly columns: readonly ServerColumn[]
  readonly rows: readonly ServerRow[]
}

export interface TablePrinting {
  readonly wide: boolean
  /** Whether names have their kind before them. */
  readonly kinds: boolean
  readonly flags: {
    readonly 'all-namespaces': boolean
    readonly 'no-headers': boolean
    readonly 'show-labels': boolean
    readonly 'label-columns': readonly string[]
  }
}

/** The tables one after another, with an empty line between. */
export function printTables(io: Io, tables: readonly TableGroup[], printing: TablePrinting): void {
  const texts = tables.map(({ definition, columns, rows }) => {
    const layout = layoutOf(definition, columns, printing)
    return formatTable(layout.headers, rows.map(layout.row), { headers: !printing.flags['no-headers'], colour: io.colour })
  })
  io.write(texts.join(printing.flags['no-headers'] ? '' : '\n'))
}

/** Which columns there are and what stands in them. */
export function layoutOf(
  definition: ResourceDefinition,
  columns: readonly ServerColumn[],
  { wide, kinds, flags }: TablePrinting,
): { readonly headers: readonly string[]; readonly row: (row: ServerRow) => readonly string[] } {
  const places = columns.flatMap((column, at) => (wide || column.priority === 0 ? [at] : []))
  const withNamespace = flags['all-namespaces'] && definition.scope === 'Namespaced'
  const labels = flags['label-columns'].flatMap((text) => text.split(','))
  return {
    headers: [
      ...(withNamespace ? ['Namespace'] : []),
      ...places.map((at) => columns[at]?.name ?? ''),
      ...labels.map((label) => label.slice(label.lastIndexOf('/') + 1)),
      ...(flags['show-labels'] ? ['Labels'] : []),
    ],
    row: ({ cells, object }) => [
      ...(withNamespace ? [cellText(object.metadata.namespace)] : []),
      ...places.map((at) => (kinds && columns[at]?.name === 'Name' ? printedName(definition, String(cells[at])) : cellText(cells[at]))),
      ...labels.map((label) => object.metadata.labels?.[label] ?? ''),
      ...(flags['show-labels'] ? [labelText(object.metadata.labels)] : []),
    ],
  }
}

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return pairs.length === 0 ? '<none>' : pairs.map(([key, value]) => `${key}=${value}`).join(',')
}
