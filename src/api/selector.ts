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
  const parser = new LabelParser(text)
  const requirements: LabelRequirement[] = []
  while (!parser.isAtEnd) requirements.push(parser.requirement(requirements.length > 0))
  return requirements
}

/** Reads a label selector word by word. */
class LabelParser {
  readonly #text: string
  readonly #tokens: readonly string[]
  #at = 0

  constructor(text: string) {
    this.#text = text
    this.#tokens = text.match(/==|!=|[=!<>(),]|[^\s=!<>(),]+/g) ?? []
  }

  get isAtEnd(): boolean {
    return this.#at === this.#tokens.length
  }

  requirement(isFurther: boolean): LabelRequirement {
    if (isFurther && !this.#take(',')) this.#fail("',' or the end")
    if (this.#take('!')) return { key: this.#key(), operator: 'DoesNotExist', values: [] }
    const key = this.#key()
    if (this.isAtEnd || this.#next === ',') return { key, operator: 'Exists', values: [] }
    if (this.#take('=') || this.#take('==')) return { key, operator: 'In', values: [this.#value()] }
    if (this.#take('!=')) return { key, operator: 'NotIn', values: [this.#value()] }
    if (this.#take('in')) return { key, operator: 'In', values: this.#set() }
    if (this.#take('notin')) return { key, operator: 'NotIn', values: this.#set() }
    if (this.#take('>')) return { key, operator: 'Gt', values: [this.#number()] }
    if (this.#take('<')) return { key, operator: 'Lt', values: [this.#number()] }
    return this.#fail('in, notin, =, ==, !=, <, >')
  }

  get #next(): string {
    return this.#tokens[this.#at] ?? ''
  }

  #take(token: string): boolean {
    if (this.isAtEnd || this.#next !== token) return false
    this.#at++
    return true
  }

  #word(what: string): string {
    const token = this.#next
    if (token === '' || /^[=!<>(),]/.test(token)) return this.#fail(what)
    this.#at++
    return token
  }

  #key(): string {
    const key = this.#word('a label key')
    const verdict = checkQualifiedName(key)
    return verdict === undefined ? key : this.#refuse(`key ${JSON.stringify(key)}: ${verdict}`)
  }

  /** Nothing between an operator and the next comma is the empty value. */
  #value(): string {
    if (this.isAtEnd || this.#next === ',' || this.#next === ')') return ''
    const value = this.#word('a label value')
    const verdict = checkLabelValue(value)
    return verdict === undefined ? value : this.#refuse(`value ${JSON.stringify(value)}: ${verdict}`)
  }

  #set(): readonly string[] {
    if (!this.#take('(')) this.#fail("'('")
    const values = [this.#value()]
    while (this.#take(',')) values.push(this.#value())
    if (!this.#take(')')) this.#fail("',' or ')'")
    return values
  }

  #number(): string {
    const digits = this.#value()
    return /^\d{1,18}$/.test(digits) ? digits : this.#refuse(`the value of < and > must be a whole number, found '${digits}'`)
  }

  #fail(expected: string): never {
    return this.#refuse(`found '${this.#next}', expected: ${expected}`)
  }

  #refuse(what: string): never {
    throw apiError('BadRequest', `unable to parse requirement: ${what} (in the label selector ${JSON.stringify(this.#text)})`)
  }
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
  // The source of an Event is selected by the name of the part that reported it, whichever field says it.
  if (path === 'source') at = (isJsonObject(at) && at.component) || (object as { reportingComponent?: unknown }).reportingComponent
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
