import type { Json } from '../api/openapi-schema.ts'
import type { ResourceDefinition, ResourceVerb } from '../api/scheme.ts'
import { isJsonObject } from '../base/json.ts'
import { announcedPatchTypes } from './request-body.ts'
import { resourcePaths } from './resource-routes.ts'

export interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

/** References to what all kinds have in common. */
export interface MetaRefs {
  readonly status: Json
  readonly deleteOptions: Json
  readonly scale: Json
}

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

/** The paths of one kind, with what can be done there. `schema` and `list` are the names of its schemas. */
export function openApiPaths(definition: ResourceDefinition, schema: Json, list: Json, meta: MetaRefs): Json {
  const { all, collection, item } = resourcePaths(definition)
  const namespaced = definition.scope === 'Namespaced'
  const namespace = namespaced ? [pathParameter('namespace', 'The namespace of the object.')] : []
  const name = pathParameter('name', 'The name of the object.')
  const operation = operations(definition)
  const paths: Record<string, Json> = {
    [placeholders(collection)]: {
      get: operation('list', 'list', LIST, list),
      post: operation('post', 'create', WRITE, schema, { 'application/json': schema, 'application/yaml': schema }, 201),
      delete: operation('deletecollection', 'deleteCollection', [...DELETE, ...SELECTION], list, {
        'application/json': meta.deleteOptions,
      }),
      parameters: namespace,
    },
    [placeholders(item)]: {
      get: operation('get', 'read', [parameter('resourceVersion', 'string', 'A state at least as new as this.')], schema),
      put: operation('put', 'replace', WRITE, schema, {
        'application/json': schema,
        'application/yaml': schema,
      }),
      patch: operation('patch', 'patch', [...WRITE, FORCE], schema, patchBodies(definition)),
      delete: operation('delete', 'delete', DELETE, meta.status, { 'application/json': meta.deleteOptions }),
      parameters: [name, ...namespace],
    },
  }
  if (namespaced) paths[placeholders(all)] = { get: operation('list', 'listForAllNamespaces', LIST, list) }
  if (definition.subresources.status !== undefined) {
    paths[`${placeholders(item)}/status`] = {
      get: operation('get', 'readStatus', [], schema),
      put: operation('put', 'replaceStatus', WRITE, schema, { 'application/json': schema }),
      patch: operation('patch', 'patchStatus', [...WRITE, FORCE], schema, patchBodies(definition)),
      parameters: [name, ...namespace],
    }
  }
  if (definition.subresources.scale !== undefined) {
    const operation = operations(definition, SCALE)
    paths[`${placeholders(item)}/scale`] = {
      get: operation('get', 'readScale', [], meta.scale),
      put: operation('put', 'replaceScale', WRITE, meta.scale, { 'application/json': meta.scale }),
      patch: operation('patch', 'patchScale', [...WRITE, FORCE], meta.scale, patchBodies(definition)),
      parameters: [name, ...namespace],
    }
  }
  return served(paths, definition)
}

const SCALE: GroupVersionKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' }

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

function operations(definition: ResourceDefinition, subject: GroupVersionKind = groupVersionKind(definition)) {
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
    'x-kubernetes-group-version-kind': subject,
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

export function groupVersionKind({ group, version, kind }: ResourceDefinition): GroupVersionKind {
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
