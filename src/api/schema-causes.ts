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
import type { SchemaError } from './schema-errors.ts'
import { formatPath } from './schema-path.ts'
import type { JsonSchema, ResourceDefinition } from './scheme.ts'
import type { Cause } from './status.ts'
import type { Path } from './structure.ts'

/** The cause for people that a violation stands for. */
export function causeOf(definition: ResourceDefinition, { keyword, path, value, isKey, schema }: SchemaError): Cause {
  const field = formatPath(definition.schema, path)
  const shown = !isKey && isConfidential(definition, path) ? hidden : value
  switch (keyword) {
    case 'required':
      return requiredField(field)
    case 'additionalProperties':
      return forbiddenField(field, 'there is no such field; remove it')
    case 'type':
      return invalidType(field, value, `must be ${nameTypes([schema])}`)
    case 'oneOf':
      return invalidType(field, value, `must be ${nameTypes(schema.oneOf ?? [])}`)
    case 'const':
      return unsupportedField(field, shown, [schema.const])
    case 'enum':
      return unsupportedField(field, shown, schema.enum ?? [])
    case 'minimum':
      return invalidField(field, shown, `must be at least ${schema.minimum}`)
    case 'maximum':
      return invalidField(field, shown, `must be at most ${schema.maximum}`)
    case 'minItems':
      return invalidField(field, shown, `must have at least ${schema.minItems} ${schema.minItems === 1 ? 'item' : 'items'}`)
    case 'maxItems':
      return tooManyItems(field, (value as readonly unknown[]).length, Number(schema.maxItems))
    case 'maxLength':
      return tooLongField(field, `may not be more than ${schema.maxLength} characters`)
    case 'pattern':
      return invalidField(field, shown, patternAdvice(String(schema.pattern)))
    case 'format':
      return invalidField(field, shown, formats[String(schema.format)]?.advice ?? `must be of format ${schema.format}`)
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
  '^sha256:[0-9a-f]{64}$': 'must be sha256: and the 64 hexadecimal digits of the hash of the token, never the token itself',
  '^\\P{C}{1,253}$': 'must consist of 1 to 253 printable characters',
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

function nameTypes(alternatives: readonly JsonSchema[]): string {
  const names = alternatives.flatMap(({ type }) => type ?? []).map((type) => TYPES[type] ?? type)
  return new Intl.ListFormat('en-GB', { type: 'disjunction' }).format([...new Set(names)])
}

/** Values that must not get into messages: the content of Secrets, headers, which carry passwords, and what may be a token instead of its hash. */
function isConfidential(definition: ResourceDefinition, path: Path): boolean {
  if (definition.kind === 'Secret') return path[0] === 'data' || path[0] === 'stringData'
  if (definition.kind === 'Token') return path.at(-1) === 'hash'
  return path.at(-1) === 'value' && (path.includes('httpHeaders') || path.includes('env'))
}
