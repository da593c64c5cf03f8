import type { ApiObject } from '../api/object.ts'
import { definitionOf, type ResourceDefinition } from '../api/scheme.ts'
import { BoundedMap } from '../base/bounded-map.ts'
import { deepFreeze } from '../base/json.ts'
import { eventProjection } from './event-projection.ts'
import { podProjection } from './pod-projection.ts'

/** A kind of which nothing is stored: each of its objects is another view of one of the kind `viewOf`, under the same key and version. */
export interface Projection<S extends ApiObject, T extends ApiObject> {
  /** Pure. Metadata that clients hold objects together by (name, namespace, uid, resourceVersion) stays. */
  readonly project: (object: S) => T
  /** The inverse of it, for a kind that can be written. Pure. */
  readonly restore?: (view: T) => S
}

const projections: ReadonlyMap<string, Projection<ApiObject, ApiObject>> = new Map([
  // Each projection is only given objects of its source's kind.
  ['Pod', podProjection as object as Projection<ApiObject, ApiObject>],
  ['EventsV1Event', eventProjection as object as Projection<ApiObject, ApiObject>],
])

/** The kind under whose keys the objects of a kind lie, and whose schema they have there. */
export function storedDefinition(definition: ResourceDefinition): ResourceDefinition {
  return definition.viewOf === undefined ? definition : definitionOf(definition.viewOf)
}

/** What of a view is stored; itself for a kind that is stored. */
export function storedObject(definition: ResourceDefinition, object: ApiObject): ApiObject {
  const projection = projections.get(definition.id)
  if (projection === undefined) return object
  if (projection.restore === undefined) throw new Error(`${definition.kind} can't be written`)
  return projection.restore(object)
}

/** Views of objects that were looked at lately: all who watch or list at about the same time get the same ones. */
const VIEWS_KEPT = 512

export class Projections {
  readonly #views = new Map<Projection<ApiObject, ApiObject>, BoundedMap<ApiObject, ApiObject>>()

  /** The object as one of `definition`'s kind; itself for a kind that is stored. */
  view(definition: ResourceDefinition, object: ApiObject): ApiObject {
    const projection = projections.get(definition.id)
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
