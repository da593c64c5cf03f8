import { isJsonObject } from '../base/json.ts'
import { formats } from './formats.ts'
import type { JsonSchema } from './scheme.ts'
import { acceptsType, type Path } from './structure.ts'

/** A value that breaks a rule of its schema. */
export interface SchemaError {
  readonly keyword: RuleKeyword
  /** To the value; to the field that is missing or not known; to the entry of a map whose key is wrong. */
  readonly path: Path
  /** The key itself, if that is what is wrong. */
  readonly value: unknown
  readonly isKey: boolean
  /** The schema that has the keyword. */
  readonly schema: JsonSchema
}

/** The keywords of JSON Schema (2020-12) that say what is valid, as far as the schemas of the kinds use them. */
export const RULE_KEYWORDS = [
  'type',
  'const',
  'enum',
  'oneOf',
  'maximum',
  'minimum',
  'maxLength',
  'pattern',
  'format',
  'maxItems',
  'minItems',
  'items',
  'required',
  'propertyNames',
  'additionalProperties',
  'properties',
] as const
type RuleKeyword = Exclude<(typeof RULE_KEYWORDS)[number], 'items' | 'propertyNames' | 'properties'>

/**
 * Each rule that a value breaks, of a value before those of what is in it. The alternatives of a oneOf must be of different types: of the one
 * that has the type of the value its own errors are told. Fields that are undefined count as absent.
 */
export function schemaErrors(schema: JsonSchema, value: unknown): readonly SchemaError[] {
  const walk = new Walk()
  walk.check(schema, value)
  return walk.errors
}

class Walk {
  readonly errors: SchemaError[] = []
  /** Where the walk is. */
  readonly #path: (string | number)[] = []
  #isKey = false

  check(schema: JsonSchema, value: unknown): void {
    if (schema.type !== undefined && !acceptsType(schema, value)) this.#add('type', schema, value)
    if (schema.const !== undefined && schema.const !== value) this.#add('const', schema, value)
    if (schema.enum !== undefined && !schema.enum.includes(value)) this.#add('enum', schema, value)
    if (schema.oneOf !== undefined) {
      const meant = schema.oneOf.find((alternative) => acceptsType(alternative, value))
      if (meant === undefined) this.#add('oneOf', schema, value)
      else this.check(meant, value)
    }
    if (typeof value === 'string') this.#checkText(schema, value)
    else if (typeof value === 'number') this.#checkNumber(schema, value)
    else if (Array.isArray(value)) this.#checkList(schema, value)
    else if (isJsonObject(value)) this.#checkObject(schema, value)
  }

  #checkText(schema: JsonSchema, text: string): void {
    const { maxLength, pattern, format } = schema
    // Characters beyond 16 bits take two units; most texts are short even in units.
    if (maxLength !== undefined && text.length > maxLength && Array.from(text).length > maxLength) this.#add('maxLength', schema, text)
    if (pattern !== undefined && !compiled(pattern).test(text)) this.#add('pattern', schema, text)
    if (format !== undefined && formats[format]?.accepts(text) !== true) this.#add('format', schema, text)
  }

  #checkNumber(schema: JsonSchema, number: number): void {
    if (schema.maximum !== undefined && number > schema.maximum) this.#add('maximum', schema, number)
    if (schema.minimum !== undefined && number < schema.minimum) this.#add('minimum', schema, number)
  }

  #checkList(schema: JsonSchema, list: readonly unknown[]): void {
    const { maxItems, minItems, items } = schema
    if (maxItems !== undefined && list.length > maxItems) this.#add('maxItems', schema, list)
    if (minItems !== undefined && list.length < minItems) this.#add('minItems', schema, list)
    if (items !== undefined) for (let index = 0; index < list.length; index++) this.#step(index, items, list[index])
  }

  #checkObject(schema: JsonSchema, object: Readonly<Record<string, unknown>>): void {
    const { required, propertyNames, additionalProperties: others, properties } = schema
    if (required !== undefined) for (const name of required) if (object[name] === undefined) this.#addAt(name, 'required', schema, object)
    if (propertyNames !== undefined) for (const name of Object.keys(object)) this.#checkKey(name, propertyNames)
    if (others === false || typeof others === 'object') {
      for (const name of Object.keys(object)) {
        if (properties !== undefined && Object.hasOwn(properties, name)) continue
        if (others === false) this.#addAt(name, 'additionalProperties', schema, object)
        else this.#step(name, others, object[name])
      }
    }
    for (const name in properties) {
      const value = object[name]
      if (value !== undefined) this.#step(name, properties[name] as JsonSchema, value) // its own key
    }
  }

  #checkKey(name: string, schema: JsonSchema): void {
    this.#isKey = true
    this.#step(name, schema, name)
    this.#isKey = false
  }

  #step(to: string | number, schema: JsonSchema, value: unknown): void {
    this.#path.push(to)
    this.check(schema, value)
    this.#path.pop()
  }

  #addAt(name: string, keyword: RuleKeyword, schema: JsonSchema, value: unknown): void {
    this.#path.push(name)
    this.#add(keyword, schema, value)
    this.#path.pop()
  }

  #add(keyword: RuleKeyword, schema: JsonSchema, value: unknown): void {
    this.errors.push({ keyword, path: [...this.#path], value, isKey: this.#isKey, schema })
  }
}

const expressions = new Map<string, RegExp>()

function compiled(pattern: string): RegExp {
  let expression = expressions.get(pattern)
  if (expression === undefined) {
    expression = new RegExp(pattern, 'u')
    expressions.set(pattern, expression)
  }
  return expression
}
