import type { JsonSchema, ResourceDefinition } from '../api/scheme.ts'
import { CliError } from './cli-error.ts'
import { definitionNamed } from './resources.ts'
import { suggest } from './suggest.ts'
import { defineVerb, type Verb } from './verb.ts'

const WIDTH = 80

export const verb: Verb = defineVerb({
  usage: 'explain KIND[.FIELD.FIELD…] [flags]',
  description:
    'Tells what a field of a manifest means: its type, default and unit, and whether a change of it restarts programs. Needs no server.',
  examples: ['pmk explain process', 'pmk explain process.spec.livenessProbe', 'pmk explain process.spec --recursive'],
  flags: { recursive: { type: 'boolean', help: 'All fields below, without their descriptions' } },
  async run({ ctx, args, flags }) {
    const [path, ...more] = args
    if (path === undefined || more.length > 0) {
      throw new CliError(
        path === undefined
          ? "you must say what to explain; 'pmk api-resources' lists the kinds"
          : 'only one field can be explained at a time',
        { usage: true },
      )
    }
    const [kind = '', ...steps] = path.split('.').filter((step) => step !== '')
    const definition = definitionNamed(kind)
    const found = follow(definition, steps)
    ctx.io.write(explainText(definition, steps, found, flags.recursive))
    return 0
  },
})

interface Found {
  readonly schema: JsonSchema
  /** A field on the way here is of the launch. */
  readonly restart: boolean
  readonly required: boolean
}

/** Lists and maps are passed through to their items, as kubectl does. */
function follow(definition: ResourceDefinition, steps: readonly string[]): Found {
  let found: Found = { schema: definition.schema, restart: false, required: false }
  for (const [at, step] of steps.entries()) {
    const inner = shapeOf(found.schema)
    const field = Object.hasOwn(inner.properties ?? {}, step) ? inner.properties?.[step] : undefined
    if (field === undefined) {
      const meant = suggest(step, Object.keys(inner.properties ?? {}))
      const hint = meant === undefined ? '' : `; did you mean "${[...steps.slice(0, at), meant].join('.')}"?`
      throw new CliError(`field "${steps.slice(0, at + 1).join('.')}" does not exist in ${definition.kind}${hint}`)
    }
    found = { schema: field, restart: found.restart || field['x-pmk-restart'] === true, required: inner.required?.includes(step) ?? false }
  }
  return found
}

/** The object that a schema is about in the end: the item of a list, the value of a map, the branch that has fields. */
function shapeOf(schema: JsonSchema): JsonSchema {
  if (schema.items !== undefined) return shapeOf(schema.items)
  if (schema.properties === undefined && typeof schema.additionalProperties === 'object') return shapeOf(schema.additionalProperties)
  const branch = schema.oneOf?.find(({ properties }) => properties !== undefined)
  return schema.properties === undefined && branch !== undefined ? branch : schema
}

function explainText(definition: ResourceDefinition, steps: readonly string[], found: Found, recursive: boolean): string {
  const { group, kind, version } = definition
  const { schema } = found
  const fields = Object.entries(shapeOf(schema).properties ?? {})
  const inSpec = steps[0] === 'spec' && kind === 'Process'
  const lines = [...(group === '' ? [] : [`GROUP:      ${group}`]), `KIND:       ${kind}`, `VERSION:    ${version}`, '']
  if (steps.length > 0) lines.push(`FIELD: ${steps.at(-1)} <${typeOf(schema)}>${found.required ? ' -required-' : ''}`, '')
  lines.push('DESCRIPTION:', ...wrap(schema.description ?? '<empty>', 4))
  lines.push(...factsOf(schema, steps.at(-1) ?? '').map((fact) => `    ${fact}`))
  if (inSpec && steps.length > 1) {
    const mixed = !found.restart && hasRestartInside(schema)
    lines.push(
      `    Change: ${found.restart ? 'restarts the program' : mixed ? 'some of its fields restart the program' : 'takes effect on the running program'}`,
    )
  }
  const shape = shapeOf(schema)
  if (shape !== schema && shape.description !== undefined && shape.description !== schema.description)
    lines.push(...wrap(shape.description, 4))
  if (fields.length > 0)
    lines.push('', 'FIELDS:', ...(recursive ? listAll(schema, 2, inSpec, found.restart) : fieldLines(shape, inSpec, found.restart)))
  return `${lines.join('\n')}\n`
}

function fieldLines(shape: JsonSchema, inSpec: boolean, restart: boolean): readonly string[] {
  return Object.entries(shape.properties ?? {}).flatMap(([name, field]) => [
    `  ${heading(name, field, shape, inSpec, restart)}`,
    ...wrap(field.description ?? '<no description>', 4),
    ...factsOf(field, name).map((fact) => `    ${fact}`),
    '',
  ])
}

function listAll(schema: JsonSchema, depth: number, inSpec: boolean, restart: boolean): readonly string[] {
  const shape = shapeOf(schema)
  return Object.entries(shape.properties ?? {}).flatMap(([name, field]) => [
    `${' '.repeat(depth)}${heading(name, field, shape, inSpec, restart)}`,
    ...listAll(field, depth + 2, inSpec, restart || field['x-pmk-restart'] === true),
  ])
}

function heading(name: string, field: JsonSchema, parent: JsonSchema, inSpec: boolean, restart: boolean): string {
  const required = parent.required?.includes(name) ? ' -required-' : ''
  const restarts = inSpec && (restart || field['x-pmk-restart'] === true) ? ' (restart)' : ''
  return `${name} <${typeOf(field)}>${required}${restarts}`
}

function typeOf(schema: JsonSchema): string {
  if (schema.oneOf !== undefined) return [...new Set(schema.oneOf.map(typeOf))].join(' or ')
  if (schema.items !== undefined) return `[]${typeOf(schema.items)}`
  if (schema.properties !== undefined) return schema.title ?? 'Object'
  if (typeof schema.additionalProperties === 'object') return `map[string]${typeOf(schema.additionalProperties)}`
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  const { type } = schema
  return type === undefined ? 'Object' : typeof type === 'string' ? type : type.join(' or ')
}

const FORMATS: Readonly<Record<string, string>> = {
  duration: 'a duration, such as 500ms, 10s or 1h30m',
  quantity: 'a quantity, such as 512Mi or 1.5',
  signal: 'a signal, such as TERM or HUP',
  'date-time': 'a time, such as 2026-11-22T12:00:00Z',
  byte: 'base64',
}

function factsOf(schema: JsonSchema, name: string): readonly string[] {
  const unit = FORMATS[schema.format ?? ''] ?? (name.endsWith('Seconds') ? 'seconds' : undefined)
  const { minimum, maximum } = schema
  const range =
    minimum !== undefined && maximum !== undefined
      ? `${minimum} to ${maximum}`
      : minimum !== undefined
        ? `at least ${minimum}`
        : maximum !== undefined
          ? `at most ${maximum}`
          : undefined
  const hasDefault = schema.default !== undefined && !(typeof schema.default === 'object' && JSON.stringify(schema.default) === '{}')
  return [
    ...(schema.enum === undefined ? [] : [`One of: ${schema.enum.join(', ')}`]),
    ...(unit === undefined ? [] : [`Unit: ${unit}`]),
    ...(range === undefined ? [] : [`Range: ${range}`]),
    ...(hasDefault ? [`Default: ${typeof schema.default === 'string' ? schema.default || '""' : JSON.stringify(schema.default)}`] : []),
  ]
}

function hasRestartInside(schema: JsonSchema): boolean {
  return Object.values(shapeOf(schema).properties ?? {}).some((field) => field['x-pmk-restart'] === true || hasRestartInside(field))
}

function wrap(text: string, indent: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line].map((part) => `${' '.repeat(indent)}${part}`)
}
