import type { ApiObject } from '../api/object.ts'
import type { Placed } from '../manifest/apply.ts'
import { PRUNE_ANNOTATION, SOURCE_NAME_LABEL, SOURCE_NAMESPACE_LABEL } from './well-known.ts'

export interface SourceRef {
  readonly namespace: string
  readonly name: string
}

/** How objects name a source. */
export function refOf({ metadata }: ApiObject): SourceRef {
  return { namespace: metadata.namespace ?? 'default', name: metadata.name }
}

/** The source whose labels an object bears. */
export function ownerOf({ metadata }: ApiObject): SourceRef | undefined {
  const name = metadata.labels?.[SOURCE_NAME_LABEL]
  const namespace = metadata.labels?.[SOURCE_NAMESPACE_LABEL]
  return name === undefined || namespace === undefined ? undefined : { namespace, name }
}

export function isSameSource(a: SourceRef | undefined, b: SourceRef): boolean {
  return a !== undefined && a.namespace === b.namespace && a.name === b.name
}

export function isKeptFromPruning({ metadata }: ApiObject): boolean {
  return metadata.annotations?.[PRUNE_ANNOTATION] === 'disabled'
}

/** The object as the source applies it: with the labels that say whose it is. */
export function claimed(placed: Placed, { namespace, name }: SourceRef): Placed {
  const { value } = placed
  const { labels } = value.metadata
  const own = { [SOURCE_NAME_LABEL]: name, [SOURCE_NAMESPACE_LABEL]: namespace }
  // Labels that are no object are for the server to refuse.
  const all = labels === undefined || labels === null ? own : typeof labels === 'object' ? { ...labels, ...own } : labels
  return { ...placed, value: { ...value, metadata: { ...value.metadata, labels: all } } }
}
