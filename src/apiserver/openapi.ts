import { type Json, openApiSchema } from '../api/openapi-schema.ts'
import type { ResourceDefinition, ResourceVerb } from '../api/scheme.ts'
import { isJsonObject } from '../base/json.ts'
import { announcedPatchTypes } from './request-body.ts'
import { resourcePaths } from './resource-routes.ts'

const DRY_RUN = parameter('dryRun', 'string', 'All: check and answer as if it were done, and store nothing.')
const FIELD_MANAGER = parameter('fieldManager', 'string', 'Who owns the fields that are written. At most 128 printable characters.')
const FIELD_VALIDATION = parameter('fieldValidation', 'string', 'What to do about unknown and duplicate fields: Ignore, Warn or Strict.')
const FORCE = parameter('force', 'boolean', 'Take fields from their owners. For apply only.')
const WRITE = [DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION]
const SELECTION = [
  parameter('labelSelector', 'string', 'Only objects with these labels.'),
  parameter('fieldSelector', 'string', 'Only objects with these fields.'),
  parameter('resourceVersion', 'string', 'From which state on.'),
  parameter('resourceVersionMatch', 'string', 'How resourceVersion is meant: NotOlderThan or Exact.'),
]
const LIST = [
  ...SELECTION,
  parameter('limit', 'integer', 'At most so many objects an answer.'),
  parameter('continue', 'string', 'Goes on where the answer with this token ended.'),
  parameter('watch', 'boolean', 'Answer with a stream of changes.'),
  parameter('allowWatchBookmarks', 'boolean', 'Send bookmarks in a watch.'),
  parameter('sendInitialEvents', 'boolean', 'Begin a watch with the present state.'),
  parameter('timeoutSeconds', 'integer', 'When a watch ends.'),
]
const DELETE = [
  DRY_RUN,
  parameter('gracePeriodSeconds', 'integer', 'Seconds that a polite stop may take.'),
  parameter('propagationPolicy', 'string', 'What becomes of dependents: Orphan, Background or Foreground.'),
]

/** The OpenAPI 3.0 document of one group version, from the schemas of its kinds. */
export function openApiDocument(apiVersion: string, version: string, definitions: readonly ResourceDefinition[]): Json {
  const paths: Record<string, unknown> = {}
  const schemas: Record<string, unknown> = {}
  for (const definition of definitions) {
    schemas[schemaName(definition)] = {
      ...(openApiSchema(definition.schema) as object),
      'x-kubernetes-group-version-kind': [groupVersionKind(definition)],
    }
    schemas[`${schemaName(definition)}List`] = listSchema(definition)
    Object.assign(paths, pathsOf(definition))
  }
  return { openapi: '3.0.0', info: { title: `pmk ${apiVersion}`, version }, paths, components: { schemas } }
}

function pathsOf(definition: ResourceDefinition): Json {
  const { all, collection, item } = resourcePaths(definition)
  const namespaced = definition.scope === 'Namespaced'
  const namespace = namespaced ? [pathParameter('namespace', 'The namespace of the object.')] : []
  const name = pathParameter('name', 'The name of the object.')
  const operation = operations(definition)
  const paths: Record<string, Json> = {
    [placeholders(collection)]: {
      get: operation('list', 'list', LIST, listRef(definition)),
      post: operation(
        'post',
        'create',
        WRITE,
        ref(definition),
        { 'application/json': ref(definition), 'application/yaml': ref(definition) },
        201,
      ),
      delete: operation('deletecollection', 'deleteCollection', [...DELETE, ...SELECTION], listRef(definition)),
      parameters: namespace,
    },
    [placeholders(item)]: {
      get: operation('get', 'read', [parameter('resourceVersion', 'string', 'A state at least as new as this.')], ref(definition)),
      put: operation('put', 'replace', WRITE, ref(definition), {
        'application/json': ref(definition),
        'application/yaml': ref(definition),
      }),
      patch: operation('patch', 'patch', [...WRITE, FORCE], ref(definition), patchBodies(definition)),
      delete: operation('delete', 'delete', DELETE, { type: 'object' }),
      parameters: [name, ...namespace],
    },
  }
  if (namespaced) paths[placeholders(all)] = { get: operation('list', 'listForAllNamespaces', LIST, listRef(definition)) }
  if (definition.subresources.status !== undefined) {
    paths[`${placeholders(item)}/status`] = {
      get: operation('get', 'readStatus', [], ref(definition)),
      put: operation('put', 'replaceStatus', WRITE, ref(definition), { 'application/json': ref(definition) }),
      patch: operation('patch', 'patchStatus', [...WRITE, FORCE], ref(definition), patchBodies(definition)),
      parameters: [name, ...namespace],
    }
  }
  return served(paths, definition)
}

/** The verbs behind the actions that aren't called like them. */
const VERBS: Readonly<Record<string, ResourceVerb>> = { post: 'create', put: 'update' }

/** What the kind can't be asked for is left out, and so are paths that are left with nothing. */
function served(paths: Readonly<Record<string, Json>>, { verbs }: ResourceDefinition): Json {
  const can = (operation: unknown): boolean => {
    const action = isJsonObject(operation) ? operation['x-kubernetes-action'] : undefined
    return typeof action !== 'string' || verbs.includes(VERBS[action] ?? (action as ResourceVerb))
  }
  const kept = Object.entries(paths).map(
    ([path, item]) => [path, Object.fromEntries(Object.entries(item).filter(([, operation]) => can(operation)))] as const,
  )
  return Object.fromEntries(kept.filter(([, item]) => Object.keys(item).some((key) => key !== 'parameters')))
}

function operations(definition: ResourceDefinition) {
  const operationOf = (
    action: string,
    verb: string,
    parameters: readonly Json[],
    answer: Json,
    bodies?: Readonly<Record<string, Json>>,
    code = 200,
  ): Json => ({
    operationId: `${verb}${definition.kind}`,
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': groupVersionKind(definition),
    parameters,
    ...(bodies === undefined ? {} : { requestBody: { content: contentOf(bodies) } }),
    responses: { [code]: { description: 'OK', content: contentOf({ 'application/json': answer }) } },
  })
  return operationOf
}

function contentOf(schemas: Readonly<Record<string, Json>>): Json {
  return Object.fromEntries(Object.entries(schemas).map(([type, schema]) => [type, { schema }]))
}

function patchBodies(definition: ResourceDefinition): Readonly<Record<string, Json>> {
  return Object.fromEntries(
    announcedPatchTypes(definition).map((type) => [
      type,
      type.includes('json-patch') ? { type: 'array', items: { type: 'object' } } : { type: 'object' },
    ]),
  )
}

function listSchema(definition: ResourceDefinition): Json {
  return {
    description: `A list of objects of kind ${definition.kind}.`,
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { type: 'string', description: definition.apiVersion },
      kind: { type: 'string', description: `${definition.kind}List` },
      metadata: { type: 'object', description: 'The state of which this is a list.' },
      items: { type: 'array', items: ref(definition) },
    },
    'x-kubernetes-group-version-kind': [{ ...groupVersionKind(definition), kind: `${definition.kind}List` }],
  }
}

/** `dev.pmk.v1.Process`, `io.k8s.api.core.v1.Secret`. */
function schemaName({ group, version, kind }: ResourceDefinition): string {
  return `${group === '' ? 'io.k8s.api.core' : group.split('.').reverse().join('.')}.${version}.${kind}`
}

function ref(definition: ResourceDefinition): Json {
  return { $ref: `#/components/schemas/${schemaName(definition)}` }
}

function listRef(definition: ResourceDefinition): Json {
  return { $ref: `#/components/schemas/${schemaName(definition)}List` }
}

function groupVersionKind({ group, version, kind }: ResourceDefinition): {
  readonly group: string
  readonly version: string
  readonly kind: string
} {
  return { group, version, kind }
}

function placeholders(path: string): string {
  return path.replaceAll(/:([a-z]+)/g, '{$1}')
}

function parameter(name: string, type: string, description: string): Json {
  return { name, in: 'query', description, schema: { type } }
}

function pathParameter(name: string, description: string): Json {
  return { name, in: 'path', required: true, description, schema: { type: 'string' } }
}
