import type { ApiObject } from '../api/object.ts'
import { epochOf } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'

/** Who wrote something, and when. */
export interface Writer {
  readonly manager: string
  readonly time?: string
}

/** The server's own parts only pass on what somebody else has asked for. */
const OWN: ReadonlySet<string> = new Set(['', 'pmk-controllers', 'pmk-agent'])

/** Who owns a field of spec, such as `desiredState` or `updateStrategy.paused`: of several, who wrote last. */
export function writerOf({ metadata }: ApiObject, field: string): Writer | undefined {
  const path = ['spec', ...field.split('.')]
  let last: Writer | undefined
  for (const { manager = '', time, fieldsV1, subresource } of metadata.managedFields ?? []) {
    if (subresource === 'status' || OWN.has(manager) || !owns(fieldsV1, path)) continue
    // Whole seconds: of two in the same second the later in the list came later.
    if (last === undefined || epochOf(time ?? '') >= epochOf(last.time ?? '')) last = { manager, ...(time !== undefined && { time }) }
  }
  return last
}

function owns(fields: unknown, [first, ...rest]: readonly string[]): boolean {
  if (first === undefined) return true
  return isJsonObject(fields) && Object.hasOwn(fields, `f:${first}`) && owns(fields[`f:${first}`], rest)
}
