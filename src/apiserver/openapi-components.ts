import type { Json } from '../api/openapi-schema.ts'
import { isJsonObject } from '../base/json.ts'
import { META } from './openapi-meta.ts'

const INT_OR_STRING = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString'

/** Types that belong to every group, by the names that Kubernetes has for them. */
const SHARED: Readonly<Record<string, string>> = {
  ObjectMeta: `${META}.ObjectMeta`,
  OwnerReference: `${META}.OwnerReference`,
  ManagedFieldsEntry: `${META}.ManagedFieldsEntry`,
  Condition: `${META}.Condition`,
}

/** What is said at the place where a type is used, and not of the type itself. */
const OF_THE_PLACE = ['description', 'default']

/** The named schemas of one document. */
export class Components {
  readonly schemas: Record<string, Json> = {}
  readonly #prefix: string

  /** `prefix`: what the names of types begin with that belong to the document's own group, `dev.pmk.v1`. */
  constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** Adds the schema of a kind. Types with a title get a schema of their own, so that each is told once, by its name. */
  addKind(name: string, schema: Json, groupVersionKind: object): Json {
    // The server sets what isn't sent, and every client sends what says which kind it is.
    const required = (Array.isArray(schema.required) ? schema.required : []).filter((field) => !IDENTITY.includes(field))
    const { title: _, required: __, properties, ...rest } = schema
    this.schemas[name] = {
      ...rest,
      ...(required.length === 0 ? {} : { required }),
      properties: this.#each({ ...(isJsonObject(properties) ? properties : {}), ...TYPE_FIELDS }),
      'x-kubernetes-group-version-kind': [groupVersionKind],
    }
    return refTo(name)
  }

  /** Gives the reference to it. */
  add(name: string, schema: Json): Json {
    this.schemas[name] ??= schema
    return refTo(name)
  }

  #lift(schema: Json): Json {
    if (schema['x-kubernetes-int-or-string'] === true) return this.#use(INT_OR_STRING, schema, EITHER)
    const lifted = this.#inside(schema)
    const { title } = schema
    if (typeof title !== 'string' || !isJsonObject(schema.properties)) return lifted
    const { title: _, required, ...type } = lifted
    // What the server sets is required of what is stored, not of what is sent.
    const whole = required === undefined || title === 'ObjectMeta' ? type : { ...type, required }
    return this.#use(SHARED[title] ?? `${this.#prefix}.${title}`, schema, whole)
  }

  #inside(schema: Json): Json {
    const { properties, items, additionalProperties } = schema
    return {
      ...schema,
      ...(isJsonObject(properties) ? { properties: this.#each(properties) } : {}),
      ...(isJsonObject(items) ? { items: this.#lift(items) } : {}),
      ...(isJsonObject(additionalProperties) ? { additionalProperties: this.#lift(additionalProperties) } : {}),
    }
  }

  #each(properties: Json): Json {
    return Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, this.#lift(property as Json)]))
  }

  /** A use of a type. OpenAPI 3.0 lets nothing stand beside a reference. */
  #use(name: string, use: Json, type: Json): Json {
    const isOfPlace = ([keyword]: [string, unknown]): boolean => OF_THE_PLACE.includes(keyword)
    this.schemas[name] ??= Object.fromEntries(Object.entries(type).filter((entry) => !isOfPlace(entry)))
    const said = Object.fromEntries(Object.entries(use).filter(isOfPlace))
    return Object.keys(said).length === 0 ? refTo(name) : { ...said, allOf: [refTo(name)] }
  }
}

function refTo(name: string): Json {
  return { $ref: `#/components/schemas/${name}` }
}

const IDENTITY: readonly unknown[] = ['apiVersion', 'kind', 'metadata']
const TYPE_FIELDS = {
  apiVersion: { type: 'string', description: 'The group and the version of the schema that this object follows.' },
  kind: { type: 'string', description: 'The name of the schema that this object follows, in CamelCase.' },
}
const EITHER: Json = {
  description: 'A number, or a text such as 25%.',
  format: 'int-or-string',
  'x-kubernetes-int-or-string': true,
  oneOf: [{ type: 'integer' }, { type: 'string' }],
}
