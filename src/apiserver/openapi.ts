import { type Json, openApiSchema } from '../api/openapi-schema.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import { Components } from './openapi-components.ts'
import { deleteOptionsSchema, listMetaSchema, META, scaleSchema, statusSchema } from './openapi-meta.ts'
import { type GroupVersionKind, groupVersionKind, openApiPaths } from './openapi-paths.ts'

/** The OpenAPI 3.0 document of one group version, from the schemas of its kinds. */
export function openApiDocument(apiVersion: string, version: string, definitions: readonly ResourceDefinition[]): Json {
  const [first] = definitions
  const components = new Components(first === undefined ? '' : prefixOf(first))
  const listMeta = components.add(`${META}.ListMeta`, listMetaSchema)
  const meta = {
    status: components.add(`${META}.Status`, statusSchema(listMeta)),
    deleteOptions: components.add(`${META}.DeleteOptions`, deleteOptionsSchema),
    get scale() {
      return components.add('io.k8s.api.autoscaling.v1.Scale', scaleSchema)
    },
  }
  const paths: Record<string, unknown> = {}
  for (const definition of definitions) {
    const name = `${prefixOf(definition)}.${definition.kind}`
    const schema = components.addKind(name, openApiSchema(definition.schema), groupVersionKind(definition))
    const list = components.add(`${name}List`, listSchema(groupVersionKind(definition), schema, listMeta))
    Object.assign(paths, openApiPaths(definition, schema, list, meta))
  }
  return { openapi: '3.0.0', info: { title: `pmk ${apiVersion}`, version }, paths, components: { schemas: components.schemas } }
}

function listSchema(gvk: GroupVersionKind, items: Json, metadata: Json): Json {
  return {
    description: `A list of objects of kind ${gvk.kind}.`,
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { type: 'string', description: 'The group and the version of the schema that this list follows.' },
      kind: { type: 'string', description: `${gvk.kind}List` },
      metadata: { description: 'The state of which this is a list.', allOf: [metadata] },
      items: { type: 'array', description: 'The objects.', items },
    },
    'x-kubernetes-group-version-kind': [{ ...gvk, kind: `${gvk.kind}List` }],
  }
}

/** As Kubernetes names schemas: `dev.pmk.v1`, `io.k8s.api.core.v1`, `io.k8s.api.rbac.v1`. */
function prefixOf({ group, version }: ResourceDefinition): string {
  const [first, ...rest] = group.split('.')
  const isKubernetes = group === '' || rest.slice(-2).join('.') === 'k8s.io'
  return isKubernetes ? `io.k8s.api.${first === '' ? 'core' : first}.${version}` : `${group.split('.').reverse().join('.')}.${version}`
}
