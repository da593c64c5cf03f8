import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import type { Clock } from '../base/clock.ts'
import type { WriteContext } from './registry.ts'

export function trackCreate(_definition: ResourceDefinition, object: ApiObject, _context: WriteContext, _clock: Clock): ApiObject {
  return object
}

export function trackChange(
  _definition: ResourceDefinition,
  _prev: ApiObject,
  next: ApiObject,
  _context: WriteContext,
  _clock: Clock,
  _subresource?: string,
): ApiObject {
  return next
}
