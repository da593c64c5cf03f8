import { isJsonObject } from '../base/json.ts'
import type { JsonSchema } from './scheme.ts'

export type Json = Readonly<Record<string, unknown>>

/** JSON Schema words that OpenAPI 3.0 has too, or that clients understand. */
const KEPT = [
  'title',
  'description',
  'format',
  'default',
  'enum',
  'pattern',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'required',
]
const EXTENSIONS = /^x-(kubernetes-|pmk-restart$)/

/** A JSON Schema in the words of OpenAPI 3.0. */
export function openApiSchema(schema: JsonSchema): Json {
  const result: Record<string, unknown> = {}
  for (const [keyword, value] of Object.entries(schema)) if (KEPT.includes(keyword) || EXTENSIONS.test(keyword)) result[keyword] = value
  // What is a number or a text has no type there, but the extension says it.
  if (typeof schema.type === 'string') result.type = schema.type
  if (schema.const !== undefined) result.enum = [schema.const]
  if (schema.properties !== undefined) {
    result.properties = Object.fromEntries(Object.entries(schema.properties).map(([name, property]) => [name, openApiSchema(property)]))
  }
  if (schema.items !== undefined) result.items = openApiSchema(schema.items)
  if (typeof schema.additionalProperties === 'object') result.additionalProperties = openApiSchema(schema.additionalProperties)
  if (schema.oneOf !== undefined) result.oneOf = schema.oneOf.map(openApiSchema)
  return result
}

/**
 * The schema of a kind as a CustomResourceDefinition has it, structural: each node has one type, and metadata none of its own.
 * Alternatives that it has no words for are any value.
 */
export function structuralSchema({ properties = {}, ...schema }: JsonSchema): Json {
  const own = Object.entries(properties).filter(([name]) => !['apiVersion', 'kind', 'metadata'].includes(name))
  const fields = Object.fromEntries(own.map(([name, property]) => [name, structural(openApiSchema(property))]))
  const identity = { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' } }
  return { ...openApiSchema(schema), properties: { ...identity, ...fields } }
}

function structural({ oneOf, ...node }: Json): Json {
  const result: Record<string, unknown> = { ...node }
  if (isJsonObject(node.properties)) result.properties = mapValues(node.properties)
  if (isJsonObject(node.items)) result.items = structural(node.items)
  if (isJsonObject(node.additionalProperties)) result.additionalProperties = structural(node.additionalProperties)
  if (!Array.isArray(oneOf)) return result
  const isScalar = oneOf.every((alternative: Json) => alternative.type === 'integer' || alternative.type === 'string')
  const any = isScalar ? 'x-kubernetes-int-or-string' : 'x-kubernetes-preserve-unknown-fields'
  return { ...result, [any]: true }
}

function mapValues(properties: Json): Json {
  return Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, structural(property as Json)]))
}
