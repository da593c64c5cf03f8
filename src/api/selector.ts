import { isJsonObject } from '../base/json.ts'
import { checkLabelValue, checkQualifiedName } from './names.ts'
import type { ResourceDefinition } from './scheme.ts'
import { apiError } from './status.ts'

export interface LabelRequirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt'
  readonly values: readonly string[]
}
/** All of them must hold; none at all holds for everything. */
export type LabelSelector = readonly LabelRequirement[]

export interface FieldRequirement {
  readonly path: string
  readonly value: string
  readonly negated: boolean
}
/** All of them must hold. */
export type FieldSelector = readonly FieldRequirement[]

/** Parses `app=web,tier!=db,env in (a,b),!old,weight>3`. Throws ApiError(BadRequest). */
export function parseLabelSelector(text: string): LabelSelector {
  const tokens = text.match(/==|!=|[=!<>(),]|[^\s=!<>(),]+/g) ?? []
  const requirements: LabelRequirement[] = []
  let at = 0
  const fail = (what: string): never => {
    throw apiError('BadRequest', `unable to parse requirement: ${what} in the label selector ${JSON.stringify(text)}`)
  }
  const word = (what: string): string => {
    const token = tokens[at]
    if (token === undefined || /^[=!<>(),]/.test(token)) return fail(`found '${token ?? ''}', expected: ${what}`)
    at++
    return token
  }
  const key = (): string => {
    const name = word('a label key')
    const verdict = checkQualifiedName(name)
    return verdict === undefined ? name : fail(`key ${JSON.stringify(name)}: ${verdict}`)
  }
  const value = (): string => {
    const token = tokens[at]
    // Nothing between = and the next comma is the empty value.
    if (token === undefined || token === ',' || token === ')') return ''
    const label = word('a label value')
    const verdict = checkLabelValue(label)
    return verdict === undefined ? label : fail(`value ${JSON.stringify(label)}: ${verdict}`)
  }
  const set = (): string[] => {
    if (tokens[at++] !== '(') fail("expected: '(' after in or notin")
    const values = [value()]
    while (tokens[at] === ',') {
      at++
      values.push(value())
    }
    if (tokens[at++] !== ')') fail("expected: ',' or ')'")
    return values
  }
  const number = (): string => {
    const digits = value()
    return /^\d{1,18}$/.test(digits) ? digits : fail(`the value of < and > must be a whole number, found '${digits}'`)
  }
  const requirement = (): LabelRequirement => {
    if (tokens[at] === '!') {
      at++
      return { key: key(), operator: 'DoesNotExist', values: [] }
    }
    const name = key()
    const operator = tokens[at]
    if (operator === undefined || operator === ',') return { key: name, operator: 'Exists', values: [] }
    at++
    switch (operator) {
      case '=':
      case '==':
        return { key: name, operator: 'In', values: [value()] }
      case '!=':
        return { key: name, operator: 'NotIn', values: [value()] }
      case 'in':
        return { key: name, operator: 'In', values: set() }
      case 'notin':
        return { key: name, operator: 'NotIn', values: set() }
      case '>':
        return { key: name, operator: 'Gt', values: [number()] }
      case '<':
        return { key: name, operator: 'Lt', values: [number()] }
      default:
        return fail(`found '${operator}', expected: in, notin, =, ==, !=, <, >`)
    }
  }
  while (at < tokens.length) {
    requirements.push(requirement())
    if (at === tokens.length) break
    if (tokens[at] !== ',') fail(`found '${tokens[at]}', expected: ',' or the end`)
    at++
    if (at === tokens.length) fail("found '', expected: a label key after ','")
  }
  return requirements
}

export function matchesLabels(selector: LabelSelector, labels: Readonly<Record<string, string>> = {}): boolean {
  return selector.every((requirement) => meets(requirement, Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined))
}

function meets({ operator, values }: LabelRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return isInteger(value) && BigInt(value) > BigInt(values[0] ?? 0)
    case 'Lt':
      return isInteger(value) && BigInt(value) < BigInt(values[0] ?? 0)
  }
}

/** Selects what carries all of these labels: the text that parses to it again. */
export function labelSelectorOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
}

/**
 * Parses `metadata.name=web,status.reason!=Running`; a backslash escapes `,`, `=` and itself. With a definition, paths that
 * its kind can't be selected by are refused. Throws ApiError(BadRequest).
 */
export function parseFieldSelector(text: string, definition?: ResourceDefinition): FieldSelector {
  return splitUnescaped(text)
    .filter((term) => term !== '')
    .map((term) => {
      const match = /^((?:[^\\=!]|\\.|!(?!=))*)(!=|==|=)(.*)$/s.exec(term)
      if (match === null) throw badFieldSelector(text, `can't understand '${term}': write PATH=VALUE or PATH!=VALUE`)
      const path = unescapePart(match[1] ?? '', text)
      if (definition !== undefined && !isSelectable(definition, path)) {
        const known = ['metadata.name', 'metadata.namespace', ...definition.selectableFields].join(', ')
        throw apiError('BadRequest', `field label not supported: ${path} (${definition.kind} can be selected by ${known})`)
      }
      return { path, value: unescapePart(match[3] ?? '', text), negated: match[2] === '!=' }
    })
}

/** A field that is absent counts as the empty text. */
export function matchesFields(selector: FieldSelector, object: object): boolean {
  return selector.every(({ path, value, negated }) => (fieldText(object, path) === value) !== negated)
}

/** A value for a field selector with what has a meaning in it escaped. */
export function escapeFieldValue(value: string): string {
  return value.replaceAll(/[\\,=]/g, '\\$&')
}

function isSelectable(definition: ResourceDefinition, path: string): boolean {
  if (path === 'metadata.namespace') return definition.scope === 'Namespaced'
  return path === 'metadata.name' || definition.selectableFields.includes(path)
}

function fieldText(object: object, path: string): string {
  let at: unknown = object
  for (const name of path.split('.')) at = isJsonObject(at) && Object.hasOwn(at, name) ? at[name] : undefined
  // The source of an Event is selected by the name of the part that reported it.
  if (path === 'source' && isJsonObject(at)) at = at.component
  return at === undefined || at === null ? '' : String(at)
}

function splitUnescaped(text: string): string[] {
  return text.match(/(?:[^\\,]|\\.?)+/gs) ?? []
}

function unescapePart(part: string, text: string): string {
  return part.replaceAll(/\\(.?)|=/gs, (found: string, escaped: string | undefined) => {
    if (found === '=') throw badFieldSelector(text, "an '=' in a value must be escaped with a backslash")
    if (escaped === ',' || escaped === '=' || escaped === '\\') return escaped
    throw badFieldSelector(text, `a backslash must stand before ',', '=' or another backslash, found '${found}'`)
  })
}

function badFieldSelector(text: string, what: string): Error {
  return apiError('BadRequest', `invalid field selector ${JSON.stringify(text)}: ${what}`)
}

function isInteger(value: string | undefined): value is string {
  return value !== undefined && /^-?\d+$/.test(value)
}
