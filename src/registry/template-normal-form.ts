import { isJsonObject, type JsonObject } from '../base/json.ts'
import { plainSignalName } from '../base/signals.ts'

/**
 * One spelling for what may be spelt in several ways, so that it is the same launch and the same diff: signals without
 * SIG, no empty script, and of several variables of one name the last, which is the one that counts. Anything may be
 * wrong with the template yet; what isn't of the expected type is left as it is.
 */
export function normalizeTemplate(template: JsonObject): JsonObject {
  const changes: Record<string, unknown> = {}
  const put = (field: string, value: unknown): void => {
    if (value !== template[field]) changes[field] = value
  }
  put('stopSignal', plainSignal(template.stopSignal))
  put('reload', withPlainSignal(template.reload))
  put('actions', mapList(template.actions, withPlainSignal))
  put('stopSteps', mapList(template.stopSteps, withPlainSignal))
  put('successExitCodes', mapList(template.successExitCodes, plainSignal))
  put('env', lastOfEachName(template.env))
  if (template.script === '') changes.script = undefined
  return Object.keys(changes).length === 0 ? template : { ...template, ...changes }
}

function plainSignal(value: unknown): unknown {
  return typeof value === 'string' ? plainSignalName(value) : value
}

function withPlainSignal(value: unknown): unknown {
  if (!isJsonObject(value)) return value
  const signal = plainSignal(value.signal)
  return signal === value.signal ? value : { ...value, signal }
}

/** The very same list when no item changes. */
function mapList(list: unknown, change: (item: unknown) => unknown): unknown {
  if (!Array.isArray(list)) return list
  const changed: readonly unknown[] = list.map(change)
  return changed.some((item, index) => item !== list[index]) ? changed : list
}

function lastOfEachName(list: unknown): unknown {
  if (!Array.isArray(list)) return list
  const last = new Map<unknown, number>()
  for (const [index, item] of list.entries()) if (isJsonObject(item)) last.set(item.name, index)
  const kept = list.filter((item: unknown, index) => !isJsonObject(item) || last.get(item.name) === index)
  return kept.length === list.length ? list : kept
}
