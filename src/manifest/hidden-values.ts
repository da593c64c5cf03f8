import type { ApiObject } from '../api/object.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'

/** Where `kubectl apply` of old keeps the whole object. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/** A Secret in whose place of each value only stands whether the other side's is the same; other kinds as they are. Hiding twice changes nothing. */
export function withHiddenValues(object: ApiObject, other: ApiObject | undefined, side: 'before' | 'after'): ApiObject {
  if (object.kind !== 'Secret') return object
  const shown = object as ApiObject & JsonObject
  const others = other as JsonObject | undefined
  const hidden = ['data', 'stringData'].filter((key) => isJsonObject(shown[key])).map((key) => [key, hide(shown[key], others?.[key], side)])
  const { annotations } = object.metadata
  const isKept = annotations?.[LAST_APPLIED] !== undefined
  const metadata = isKept ? { ...object.metadata, annotations: { ...annotations, [LAST_APPLIED]: '***' } } : object.metadata
  return { ...object, metadata, ...Object.fromEntries(hidden) }
}

function hide(values: unknown, others: unknown, side: string): unknown {
  if (!isJsonObject(values)) return values
  const isSame = (key: string, value: unknown): boolean => isJsonObject(others) && others[key] === value
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, isSame(key, value) ? '***' : `*** (${side})`]))
}
