import { isJsonObject } from '../base/json.ts'
import type { Event, EventsV1Event, ObjectMeta } from '../generated/types.ts'
import type { Projection } from './projection.ts'

/** Field names of v1 and of events.k8s.io/v1 where they differ; the fields are the same. */
const NAMES: readonly (readonly [keyof Event, keyof EventsV1Event])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['reportingComponent', 'reportingController'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
]

/** The name in v1 of a field of events.k8s.io/v1. */
const coreNames: ReadonlyMap<string, string> = new Map(NAMES.map(([core, view]) => [view, core]))
export const viewNames: ReadonlyMap<string, string> = new Map(NAMES)

/**
 * Events are stored as those of v1, which is what most clients read, and are shown in events.k8s.io/v1 under other names. Who owns which
 * field is told in the names of the version that is asked for.
 */
export const eventProjection: Projection<Event, EventsV1Event> = {
  // Names apart, both schemas say the same.
  project: (event) => renamed(event, viewNames, 'events.k8s.io/v1') as object as EventsV1Event,
  restore: eventOf,
}

/** The Event of v1 that is stored for one of events.k8s.io/v1. */
export function eventOf(view: EventsV1Event): Event {
  return renamed(view, coreNames, 'v1') as object as Event
}

function renamed(event: Event | EventsV1Event, names: ReadonlyMap<string, string>, apiVersion: string): object {
  const { apiVersion: _, kind, metadata, ...content } = event
  const fields = Object.entries(content).map(([name, value]) => [names.get(name) ?? name, value])
  return { apiVersion, kind, metadata: withOwners(metadata, names, apiVersion), ...Object.fromEntries(fields) }
}

function withOwners(metadata: ObjectMeta, names: ReadonlyMap<string, string>, apiVersion: string): ObjectMeta {
  const { managedFields } = metadata
  if (managedFields === undefined) return metadata
  const entries = managedFields.map((entry) => {
    const { fieldsV1 } = entry
    if (!isJsonObject(fieldsV1)) return { ...entry, apiVersion }
    const fields = Object.entries(fieldsV1).map(([key, value]) => [renamedElement(key, names), value])
    return { ...entry, apiVersion, fieldsV1: Object.fromEntries(fields) }
  })
  return { ...metadata, managedFields: entries }
}

/** A field in FieldsV1 is `f:<name>`. */
function renamedElement(key: string, names: ReadonlyMap<string, string>): string {
  const name = key.startsWith('f:') ? names.get(key.slice(2)) : undefined
  return name === undefined ? key : `f:${name}`
}
