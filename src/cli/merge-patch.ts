import { isJsonObject, type JsonObject, jsonEqual } from '../base/json.ts'

/** The JSON merge patch that makes `to` of `from`. */
export function mergePatchBetween(from: JsonObject, to: JsonObject): JsonObject {
  const patch: Record<string, unknown> = {}
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const before = Object.hasOwn(from, key) ? from[key] : undefined
    const after = Object.hasOwn(to, key) ? to[key] : undefined
    if (jsonEqual(before, after)) continue
    if (after === undefined || after === null) patch[key] = null
    else patch[key] = isJsonObject(before) && isJsonObject(after) ? mergePatchBetween(before, after) : after
  }
  return patch
}
