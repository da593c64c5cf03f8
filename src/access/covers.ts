import type { PolicyRule } from '../generated/types.ts'
import { type CompiledRule, compileRule, hasOrAll, pathMatches } from './rules.ts'

/** A rule that would fall into more single rights than this is only covered by one that covers it whole. */
const MOST_PARTS = 100_000

/** The rules, or their parts, that aren't covered by what is held: none when `held` allows everything that `wanted` does. */
export function uncovered(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): readonly PolicyRule[] {
  const owned = held.map(compileRule)
  return wanted.flatMap((rule) => {
    if (owned.some((own) => coversWhole(own, rule))) return []
    if (partsOf(rule) > MOST_PARTS) return [rule]
    return [...singleRights(rule)].filter((part) => !owned.some((own) => coversWhole(own, part)))
  })
}

/** Whether one rule allows all that another does. */
function coversWhole(own: CompiledRule, rule: PolicyRule): boolean {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule
  if (!verbs.every((verb) => hasOrAll(own.verbs, verb))) return false
  if (nonResourceURLs.length > 0) return nonResourceURLs.every((path) => own.paths.some((pattern) => pathMatches(pattern, path)))
  if (!apiGroups.every((group) => hasOrAll(own.groups, group))) return false
  if (!resources.every((resource) => coversResource(own.resources, resource))) return false
  if (own.names === undefined) return own.groups.size > 0
  return resourceNames.length > 0 && resourceNames.every((name) => own.names?.has(name) === true)
}

/** Of two patterns, whether the first matches whatever the second does. */
function coversResource(own: ReadonlySet<string>, wanted: string): boolean {
  if (hasOrAll(own, wanted)) return true
  const slash = wanted.indexOf('/')
  if (slash < 0) return false
  const subresource = wanted.slice(slash + 1)
  return own.has(`${wanted.slice(0, slash)}/*`) || (subresource !== '*' && own.has(`*/${subresource}`))
}

function partsOf({ verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] }: PolicyRule): number {
  if (nonResourceURLs.length > 0) return verbs.length * nonResourceURLs.length
  return verbs.length * apiGroups.length * resources.length * Math.max(1, resourceNames.length)
}

function* singleRights(rule: PolicyRule): Generator<PolicyRule, void, undefined> {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule
  for (const verb of verbs) {
    for (const url of nonResourceURLs) yield { verbs: [verb], nonResourceURLs: [url] }
    for (const group of apiGroups) {
      for (const resource of resources) {
        const single = { verbs: [verb], apiGroups: [group], resources: [resource] }
        if (resourceNames.length === 0) yield single
        for (const name of resourceNames) yield { ...single, resourceNames: [name] }
      }
    }
  }
}
