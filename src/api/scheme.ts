import { schemas } from '../generated/schemas.ts'
import type { Kind } from './object.ts'

/** A JSON Schema (2020-12) without references. */
export interface JsonSchema {
  readonly title?: string
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: boolean | JsonSchema
  readonly propertyNames?: JsonSchema
  readonly items?: JsonSchema
  readonly oneOf?: readonly JsonSchema[]
  /** A change of this field needs a new start of the program. */
  readonly 'x-pmk-restart'?: boolean
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map'
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  readonly 'x-kubernetes-map-type'?: 'granular' | 'atomic'
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean
  readonly 'x-kubernetes-int-or-string'?: boolean
  readonly [keyword: string]: unknown
}

/** One column of a table. */
export interface Column {
  readonly name: string
  /** date: a Timestamp, shown as an age. */
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  /**
   * Text with paths in braces: `{status.readyReplicas:0}/{spec.replicas}`. Of several paths, `{spec.command|spec.script}`, the
   * first that leads to something counts; after a colon comes what to show when none does. `.length` counts items or keys,
   * `[example.org/a]` is a key with dots of its own, `.lower` is for words, `.number` makes 1 or 0 of true or false, `.0` is the first item of an array; the items of a whole
   * one are joined by spaces. `.users`, `.groups` and `.serviceAccounts` are the names of such subjects of a binding.
   */
  readonly value: string
  /** 1: only with `-o wide`. */
  readonly priority?: number
  readonly description: string
}

export interface ScalePaths {
  readonly specReplicas: string
  readonly statusReplicas: string
  readonly selector: string
}

/** Requests that an agent carries out once, as subresources of Process and Instance. */
export type RequestName = 'signal' | 'action' | 'reload' | 'pause' | 'log' | 'usage'

/** What can be asked for on a kind itself, in Kubernetes' words; of its subresources discovery tells by itself. */
export type ResourceVerb = (typeof ALL_VERBS)[number]

const ALL_VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] as const

/** All of it is read from the schema file and its `x-pmk` block. */
export interface ResourceDefinition {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  /** `pmk.dev/v1`, or `v1` for the core group. */
  readonly apiVersion: string
  readonly kind: Kind
  /** Names the definition inside pmk. It is the kind, but for the second of two kinds that share their name in different groups. */
  readonly id: Kind
  /** Nothing of it is stored: each of its objects is another view of one of this kind. */
  readonly viewOf?: Kind
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly scope: 'Namespaced' | 'Cluster'
  /** What isn't here is answered 405. All of them, unless the schema says otherwise; in the order of the alphabet. */
  readonly verbs: readonly ResourceVerb[]
  readonly maxNameLength: number
  /** subdomain: DNS-1123 subdomain; label: without dots; segment: whatever can stand between two slashes of a path. */
  readonly nameFormat: 'subdomain' | 'label' | 'segment'
  readonly subresources: {
    readonly status?: object
    readonly scale?: ScalePaths
    readonly requests?: readonly RequestName[]
    /** It can be asked what it would do now. */
    readonly preview?: object
  }
  /** Put on every new object. */
  readonly finalizers: readonly string[]
  /** Besides metadata.name and metadata.namespace. */
  readonly selectableFields: readonly string[]
  readonly columns: readonly Column[]
  readonly schema: JsonSchema
}

/** The definitions of all kinds, by name. */
export const definitions: readonly ResourceDefinition[] = Object.values(schemas).map((schema) => define(schema as JsonSchema))

const byId = new Map(definitions.map((definition) => [definition.id, definition]))
const byType = new Map(definitions.map((definition) => [`${definition.apiVersion} ${definition.kind}`, definition]))

/** Kinds whose objects come, go and are followed like any other: not those that are a view of others, or only a question. */
export const keptDefinitions: readonly ResourceDefinition[] = definitions.filter(
  ({ verbs, viewOf }) => viewOf === undefined && (['list', 'watch', 'delete'] as const).every((verb) => verbs.includes(verb)),
)

export function definitionOf(id: Kind): ResourceDefinition {
  const definition = byId.get(id)
  if (definition === undefined) throw new Error(`no definition of kind ${id}`)
  return definition
}

/** Undefined for a kind, or an API version of it, that isn't served. */
export function findDefinition(apiVersion: string, kind: string): ResourceDefinition | undefined {
  return byType.get(`${apiVersion} ${kind}`)
}

/**
 * Finds a kind as people name it: kind, plural, singular or short name, any case, with or without `.group`. Of several that share
 * a name the first one that can be watched: `pods` are Pods, and not what they use.
 */
export function findByName(name: string): ResourceDefinition | undefined {
  const [word = '', ...group] = name.toLowerCase().split('.')
  const named = definitions.filter(
    (definition) =>
      (group.length === 0 || group.join('.') === definition.group || group.join('.') === `${definition.version}.${definition.group}`) &&
      [definition.plural, definition.singular, ...definition.shortNames].includes(word),
  )
  return named.find(({ verbs }) => verbs.includes('watch')) ?? named[0]
}

/** `processes.pmk.dev`, or `secrets` for the core group: how messages name a resource. */
export function qualifiedResource(definition: ResourceDefinition): string {
  return definition.group === '' ? definition.plural : `${definition.plural}.${definition.group}`
}

/** Whether it is a kind of Kubernetes itself, which clients know without asking what it looks like. */
export function isKubernetesKind({ group }: ResourceDefinition): boolean {
  return group !== 'pmk.dev'
}

/** Whether its objects are only questions, which are answered and never stored. */
export function isQuestion({ verbs }: ResourceDefinition): boolean {
  return verbs.length === 1 && verbs[0] === 'create'
}

function define(schema: JsonSchema): ResourceDefinition {
  const meta = schema['x-pmk'] as Omit<ResourceDefinition, 'apiVersion' | 'id' | 'kind' | 'schema'> & { readonly kind?: Kind }
  const id = schema.title as Kind
  return {
    ...meta,
    apiVersion: meta.group === '' ? meta.version : `${meta.group}/${meta.version}`,
    id,
    kind: meta.kind ?? id,
    verbs: meta.verbs ?? ALL_VERBS,
    nameFormat: meta.nameFormat ?? 'subdomain',
    finalizers: meta.finalizers ?? [],
    schema,
  }
}
