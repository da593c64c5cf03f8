import type { ApiObject } from '../api/object.ts'
import type { Column, ResourceDefinition } from '../api/scheme.ts'
import type { Timestamp } from '../base/clock.ts'
import { jsonOf } from '../registry/object-text.ts'
import { type CellReader, compileColumn } from './column.ts'
import { inPieces, type ListHead, listMetadata, metadataJsonOf } from './json-text.ts'

export type IncludeObject = 'None' | 'Metadata' | 'Object'

/** How the objects of one kind look as rows. The same columns for lists, single objects and watches. */
export interface TableFormat {
  readonly columnDefinitions: string
  readonly cells: readonly CellReader[]
}

export interface TableOptions {
  readonly version: 'v1' | 'v1beta1'
  readonly include: IncludeObject
  readonly now: Timestamp
  /** Later events of one watch leave the columns out. */
  readonly withoutColumns?: boolean
}

/** The first column, unless the schema of the kind puts it elsewhere. */
const NAME: Column = { name: 'Name', type: 'string', value: '{metadata.name}', description: 'Name of the object.' }

export function tableFormat(definition: ResourceDefinition): TableFormat {
  const columns = definition.columns.some(({ name }) => name === NAME.name) ? definition.columns : [NAME, ...definition.columns]
  const told = columns.map(({ name, type, description, priority }) => ({
    name,
    // An age is finished text; clients print it as it is.
    type: type === 'date' ? 'string' : type,
    // By this clients find where to put the kind before the name.
    format: name === NAME.name ? 'name' : '',
    description,
    priority: priority ?? 0,
  }))
  return { columnDefinitions: JSON.stringify(told), cells: columns.map(compileColumn) }
}

/** A Table as JSON text; a long one in pieces. */
export function tableJson(
  format: TableFormat,
  objects: readonly ApiObject[],
  head: ListHead,
  options: TableOptions,
): string | Iterable<string> {
  return inPieces(tableStart(format, head, options), objects, (object) => rowJson(format, object, options), ']}')
}

/** A Table of one row. */
export function rowTableJson(format: TableFormat, object: ApiObject, options: TableOptions): string {
  // An object that dry run made has no resourceVersion.
  const head = { resourceVersion: object.metadata.resourceVersion ?? '' }
  return `${tableStart(format, head, options)}${rowJson(format, object, options)}]}`
}

/** A Table that tells of no object: its row has empty cells, and what a bookmark says beside its version is in the row's object. */
export function bookmarkTableJson(format: TableFormat, bookmark: ApiObject, options: Omit<TableOptions, 'now'>): string {
  const { resourceVersion } = bookmark.metadata
  const cells = JSON.stringify(format.cells.map(() => null))
  return `${tableStart(format, { resourceVersion }, options)}{"cells":${cells},"object":${rowObject(bookmark, options.include)}}]}`
}

function tableStart({ columnDefinitions }: TableFormat, head: ListHead, { version, withoutColumns }: Omit<TableOptions, 'now'>): string {
  const columns = withoutColumns ? 'null' : columnDefinitions
  const metadata = JSON.stringify(listMetadata(head))
  return `{"kind":"Table","apiVersion":"meta.k8s.io/${version}","metadata":${metadata},"columnDefinitions":${columns},"rows":[`
}

function rowJson({ cells }: TableFormat, object: ApiObject, { now, include }: TableOptions): string {
  const texts = cells.map((cell) => cell(object, now))
  return `{"cells":${JSON.stringify(texts)},"object":${rowObject(object, include)}}`
}

function rowObject(object: ApiObject, include: IncludeObject): string {
  switch (include) {
    case 'None':
      return 'null'
    case 'Metadata':
      return metadataJsonOf(object)
    case 'Object':
      return jsonOf(object)
  }
}
