import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import type { Clock } from '../base/clock.ts'
import { jsonEqual } from '../base/json.ts'
import { trackUpdate } from './apply.ts'
import type { WriteContext } from './registry.ts'

/** A new object, whose fields belong to who made it. */
export function trackCreate(definition: ResourceDefinition, object: ApiObject, { fieldManager }: WriteContext, clock: Clock): ApiObject {
  return trackUpdate({ definition, live: undefined, result: object, manager: fieldManager, now: clock.now() })
}

/** What an ordinary write makes of `prev`, with the owners of its fields. The very same object when it changes nothing. */
export function trackChange(
  definition: ResourceDefinition,
  prev: ApiObject,
  next: ApiObject,
  { fieldManager }: WriteContext,
  clock: Clock,
  subresource?: 'status' | 'scale',
): ApiObject {
  if (next === prev) return prev
  const part = subresource === undefined ? {} : { subresource }
  const tracked = trackUpdate({ definition, live: prev, result: next, manager: fieldManager, now: clock.now(), ...part })
  return jsonEqual(tracked, prev) ? prev : tracked
}
