import type { PolicyRule } from '../generated/types.ts'
import { type Attributes, resourceWithSub } from './attributes.ts'

/** A rule in the form in which it is asked. */
export interface CompiledRule {
  readonly verbs: ReadonlySet<string>
  readonly groups: ReadonlySet<string>
  readonly resources: ReadonlySet<string>
  /** Undefined: objects of every name, and what has none. */
  readonly names: ReadonlySet<string> | undefined
  readonly paths: readonly string[]
}

const compiled = new WeakMap<PolicyRule, CompiledRule>()

/** Each rule is compiled once for as long as its object lives. */
export function compileRule(rule: PolicyRule): CompiledRule {
  let result = compiled.get(rule)
  if (result === undefined) {
    const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule
    result = {
      verbs: new Set(verbs),
      groups: new Set(apiGroups),
      resources: new Set(resources),
      names: resourceNames.length === 0 ? undefined : new Set(resourceNames),
      paths: nonResourceURLs,
    }
    compiled.set(rule, result)
  }
  return result
}

/** Whether this one rule allows it. */
export function ruleAllows({ verbs, groups, resources, names, paths }: CompiledRule, attributes: Attributes): boolean {
  if (!hasOrAll(verbs, attributes.verb)) return false
  if (attributes.type === 'path') return paths.some((pattern) => pathMatches(pattern, attributes.path))
  if (!hasOrAll(groups, attributes.group)) return false
  if (names !== undefined && (attributes.name === '' || !names.has(attributes.name))) return false
  return resourceMatches(resources, attributes.resource, attributes.subresource, resourceWithSub(attributes))
}

// `*` is everything, `processes` the objects alone, `processes/scale` one subresource, `processes/*` all of them, `*/scale` that of every kind.
export function resourceMatches(rules: ReadonlySet<string>, resource: string, subresource: string, combined: string): boolean {
  if (hasOrAll(rules, combined)) return true
  return subresource !== '' && (rules.has(`*/${subresource}`) || rules.has(`${resource}/*`))
}

/** A `*` at the end stands for the rest of the path. */
export function pathMatches(pattern: string, path: string): boolean {
  return pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1)))
}

export function hasOrAll(set: ReadonlySet<string>, value: string): boolean {
  return set.has('*') || set.has(value)
}
