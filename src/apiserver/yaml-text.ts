import type { ApiObject } from '../api/object.ts'
import { stringifyYaml } from '../base/yaml.ts'
import { jsonOf } from '../registry/object-text.ts'
import { type ListHead, listMetadata } from './json-text.ts'

/** What is longer than this as JSON is left so, which is YAML as well: to lay it out would take the only thread too long. */
const MAX_LAID_OUT = 64 * 1024

/** As YAML; what is very large stands in one line. */
export function yamlOf(object: ApiObject): string {
  const json = jsonOf(object)
  return json.length > MAX_LAID_OUT ? `${json}\n` : stringifyYaml(object)
}

/** A list as YAML, object by object. */
export function listYaml(
  type: { readonly kind: string; readonly apiVersion: string },
  result: ListHead & { readonly items: readonly ApiObject[] },
): string | Iterable<string> {
  const { kind, apiVersion } = type
  const head = { kind, apiVersion, metadata: listMetadata(result) }
  return result.items.length === 0 ? stringifyYaml({ ...head, items: [] }) : pieces(`${stringifyYaml(head)}items:\n`, result.items)
}

function* pieces(start: string, items: readonly ApiObject[]): Generator<string, void, undefined> {
  yield start
  for (const object of items) {
    const json = jsonOf(object)
    yield json.length > MAX_LAID_OUT ? `- ${json}\n` : stringifyYaml([object])
  }
}
