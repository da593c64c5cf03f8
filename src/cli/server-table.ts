import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import type { HttpClient } from '../client/http-client.ts'
import { pathOf } from './resources.ts'

/** A Table as the server makes it. */
export interface ServerTable {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
  readonly columnDefinitions: readonly ServerColumn[]
  readonly rows: readonly ServerRow[]
}

export interface ServerColumn {
  readonly name: string
  readonly priority: number
}

export interface ServerRow {
  readonly cells: readonly (string | number | boolean | null)[]
  /** With metadata only, unless whole objects were asked for. */
  readonly object: ApiObject
}

export interface TableQuery {
  /** Absent: all namespaces. */
  readonly namespace?: string
  readonly name?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly wholeObjects?: boolean
}

const ACCEPT = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }

export async function readTable(
  client: HttpClient,
  definition: ResourceDefinition,
  query: TableQuery,
  signal: AbortSignal,
): Promise<ServerTable> {
  const response = await client.request({
    method: 'GET',
    path: pathOf(definition, query.namespace, query.name),
    query: selectionOf(query),
    headers: ACCEPT,
    signal,
  })
  return (await response.json()) as ServerTable
}

export interface TableEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly row: ServerRow
}

/** Changes after `resourceVersion`, each as one row; one watch, which the server ends at some time. */
export async function* watchTable(
  client: HttpClient,
  definition: ResourceDefinition,
  query: TableQuery & { readonly resourceVersion: string },
  signal: AbortSignal,
): AsyncGenerator<TableEvent, void, undefined> {
  const { decodeWatch } = await import('../client/watch-decoder.ts')
  const fieldSelector = [query.fieldSelector, query.name === undefined ? undefined : `metadata.name=${query.name}`]
    .filter(Boolean)
    .join(',')
  const response = await client.request({
    method: 'GET',
    path: pathOf(definition, query.namespace),
    query: { ...selectionOf({ ...query, fieldSelector }), watch: true, resourceVersion: query.resourceVersion },
    headers: ACCEPT,
    signal,
  })
  try {
    for await (const event of decodeWatch(response.body)) {
      if (event.type === 'BOOKMARK') continue
      // Each event of a watch for tables holds a Table with one row.
      const [row] = (event.object as unknown as ServerTable).rows
      if (row !== undefined) yield { type: event.type, row }
    }
  } finally {
    response.cancel()
  }
}

function selectionOf({ labelSelector, fieldSelector, wholeObjects }: TableQuery): Readonly<Record<string, string | undefined>> {
  return {
    labelSelector: labelSelector || undefined,
    fieldSelector: fieldSelector || undefined,
    includeObject: wholeObjects === true ? 'Object' : undefined,
  }
}
