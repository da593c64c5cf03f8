import type { ApiObject, Kind } from '../api/object.ts'
import { definitionOf, type ResourceDefinition } from '../api/scheme.ts'
import { BoundedMap } from '../base/bounded-map.ts'
import { deepFreeze } from '../base/json.ts'
import { podProjection } from './pod-projection.ts'

/** A kind of which nothing is stored: each of its objects is another view of one of the kind `source`, under the same key and version. */
export interface Projection<S extends ApiObject, T extends ApiObject> {
  readonly source: Kind
  /** Pure. Metadata that clients hold objects together by (name, namespace, uid, resourceVersion) stays. */
  readonly project: (object: S) => T
}

const projections: ReadonlyMap<string, Projection<ApiObject, ApiObject>> = new Map([
  // Each projection is only given objects of its source's kind.
  ['Pod', podProjection as object as Projection<ApiObject, ApiObject>],
])

/** The kind under whose keys the objects of a kind lie, and whose schema they have there. */
export function storedDefinition(definition: ResourceDefinition): ResourceDefinition {
  const projection = projections.get(definition.kind)
  return projection === undefined ? definition : definitionOf(projection.source)
}

/** Views of objects that were looked at lately: all who watch or list at about the same time get the same ones. */
const VIEWS_KEPT = 512

export class Projections {
  readonly #views = new Map<Projection<ApiObject, ApiObject>, BoundedMap<ApiObject, ApiObject>>()

  /** The object as one of `definition`'s kind; itself for a kind that is stored. */
  view(definition: ResourceDefinition, object: ApiObject): ApiObject {
    const projection = projections.get(definition.kind)
    if (projection === undefined) return object
    const known = this.#viewsOf(projection).get(object)
    if (known !== undefined) return known
    const view = deepFreeze(projection.project(object))
    this.#viewsOf(projection).set(object, view)
    return view
  }

  #viewsOf(projection: Projection<ApiObject, ApiObject>): BoundedMap<ApiObject, ApiObject> {
    const known = this.#views.get(projection)
    if (known !== undefined) return known
    const views = new BoundedMap<ApiObject, ApiObject>(VIEWS_KEPT)
    this.#views.set(projection, views)
    return views
  }
}
