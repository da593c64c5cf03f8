import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector } from '../api/selector.ts'

export type Matches = (object: ApiObject) => boolean

/** What both selectors of a query let through; undefined when they let everything through. Throws ApiError(BadRequest). */
export function selectionOf(
  definition: ResourceDefinition,
  query: { readonly labelSelector?: string; readonly fieldSelector?: string },
): Matches | undefined {
  const labels = parseLabelSelector(query.labelSelector ?? '')
  const fields = parseFieldSelector(query.fieldSelector ?? '', definition)
  if (labels.length === 0 && fields.length === 0) return undefined
  return (object) => matchesLabels(labels, object.metadata.labels) && matchesFields(fields, object)
}
