import {
  forbiddenField,
  hidden,
  invalidField,
  invalidType,
  requiredField,
  tooLongField,
  tooManyItems,
  unsupportedField,
} from './field-errors.ts'
import { formats } from './formats.ts'
import { formatPath, pathOf } from './schema-path.ts'
import type { JsonSchema, ResourceDefinition } from './scheme.ts'
import type { Cause } from './status.ts'
import { acceptsType, type Path } from './structure.ts'

/** A violation as the schema validator reports it, with the value and the schema it is about. */
export interface SchemaError {
  readonly keyword: string
  readonly instancePath: string
  readonly schemaPath: string
  readonly params: Readonly<Record<string, unknown>>
  /** Set when the error is about the name of a key. */
  readonly propertyName?: string
  readonly message?: string
  readonly data?: unknown
  readonly schema?: unknown
  readonly parentSchema?: Readonly<Record<string, unknown>>
}

/** Of the errors about a oneOf those of the alternative that the value was meant for; the rest as they are. */
export function meantErrors(errors: readonly SchemaError[]): readonly SchemaError[] {
  return errors.filter((error) => {
    if (error.keyword === 'propertyNames') return false
    return errors.every((other) => {
      if (other.keyword !== 'oneOf') return true
      const alternatives = other.parentSchema?.oneOf as readonly JsonSchema[]
      const fitting = alternatives.findIndex((branch) => acceptsType(branch, other.data))
      if (error === other) return fitting < 0
      const inside = error.schemaPath.startsWith(`${other.schemaPath}/`) && `${error.instancePath}/`.startsWith(`${other.instancePath}/`)
      return !inside || (fitting >= 0 && error.schemaPath.startsWith(`${other.schemaPath}/${fitting}/`))
    })
  })
}

/** The cause for people that a violation stands for. */
export function causeOf(definition: ResourceDefinition, error: SchemaError): Cause {
  const path = pathOf(definition.schema, error.instancePath)
  const field = formatPath(definition.schema, path)
  // An error about the name of a key has the name as its value.
  if (error.propertyName !== undefined) {
    return keywordCause(error, formatPath(definition.schema, [...path, error.propertyName]), error.propertyName)
  }
  if (error.keyword === 'required') return requiredField(formatPath(definition.schema, [...path, String(error.params.missingProperty)]))
  if (error.keyword === 'additionalProperties') {
    return forbiddenField(
      formatPath(definition.schema, [...path, String(error.params.additionalProperty)]),
      'there is no such field; remove it',
    )
  }
  return keywordCause(error, field, isConfidential(definition, path) ? hidden : error.data)
}

function keywordCause(error: SchemaError, field: string, value: unknown): Cause {
  const { params } = error
  switch (error.keyword) {
    case 'type':
      return invalidType(field, error.data, `must be ${nameTypes(params.type)}`)
    case 'oneOf':
      return invalidType(
        field,
        error.data,
        `must be ${nameTypes((error.schema as readonly JsonSchema[]).flatMap(({ type }) => type ?? []))}`,
      )
    case 'const':
      return unsupportedField(field, value, [params.allowedValue])
    case 'enum':
      return unsupportedField(field, value, params.allowedValues as readonly unknown[])
    case 'minimum':
      return invalidField(field, value, `must be at least ${params.limit}`)
    case 'maximum':
      return invalidField(field, value, `must be at most ${params.limit}`)
    case 'minItems':
      return invalidField(field, value, `must have at least ${params.limit} ${params.limit === 1 ? 'item' : 'items'}`)
    case 'maxItems':
      return tooManyItems(field, (error.data as readonly unknown[]).length, Number(params.limit))
    case 'minLength':
      return invalidField(field, value, `must have at least ${params.limit} ${params.limit === 1 ? 'character' : 'characters'}`)
    case 'maxLength':
      return tooLongField(field, `may not be more than ${params.limit} characters`)
    case 'pattern':
      return invalidField(field, value, patternAdvice(String(params.pattern)))
    case 'format':
      return invalidField(field, value, formats[String(params.format)]?.advice ?? `must be of format ${params.format}`)
    default:
      return invalidField(field, value, error.message ?? `breaks the rule ${error.keyword}`)
  }
}

const PATTERNS: Readonly<Record<string, string>> = {
  '^/': 'must be an absolute path, beginning with /',
  '^/[^:]*$': 'must be an absolute path, beginning with / and without a colon',
  '^[0-9]+%?$': 'must be a number or a percentage such as 25%',
  '^[A-Za-z_][A-Za-z0-9_]*$': 'must be the name of a variable: letters, digits and _, not beginning with a digit',
  '^[A-Za-z_]?[A-Za-z0-9_]*$': 'must be the beginning of the name of a variable: letters, digits and _, not beginning with a digit',
  '^0?[0-7]{3}$': 'must be a mask of three octal digits such as "022" or "0022"',
  '^[A-Z_]+$': 'must be a capability in capitals without CAP_, such as NET_BIND_SERVICE',
  '^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$': 'must be numbers and ranges of CPUs such as 0-3,6',
  '^[-._a-zA-Z0-9]{1,253}$': "a key must consist of at most 253 letters, digits, '-', '_' and '.'",
  '^[1-5][0-9]{2}(-[1-5][0-9]{2})?(,[1-5][0-9]{2}(-[1-5][0-9]{2})?)*$': 'must be status codes and ranges of them such as 200-299,304',
}

function patternAdvice(pattern: string): string {
  return PATTERNS[pattern] ?? `must match the regular expression ${pattern}`
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
}

function nameTypes(types: unknown): string {
  const names = [types].flat().map((type) => TYPES[String(type)] ?? String(type))
  return new Intl.ListFormat('en-GB', { type: 'disjunction' }).format([...new Set(names)])
}

/** Values that must not get into messages: the content of Secrets, and headers, which carry passwords. */
function isConfidential(definition: ResourceDefinition, path: Path): boolean {
  if (definition.kind === 'Secret') return path[0] === 'data' || path[0] === 'stringData'
  return path.at(-1) === 'value' && (path.includes('httpHeaders') || path.includes('env'))
}
