import type { ApiObject } from '../api/object.ts'
import { definitions, findByName, qualifiedResource, type ResourceDefinition } from '../api/scheme.ts'
import type { Client, Ref, ResourceClient } from '../client/client.ts'
import { CliError } from './cli-error.ts'

/** The client of a kind that is known only at run time. */
export function resourceOf(client: Client, definition: ResourceDefinition): ResourceClient<ApiObject> {
  // All clients of kinds have this shape; what is read from one is only looked at as an ApiObject.
  return client.for(definition.id) as unknown as ResourceClient<ApiObject>
}

/** The kind that a person means, by any of its names. */
export function definitionNamed(name: string): ResourceDefinition {
  const found = findByName(name)
  if (found !== undefined) return found
  const candidates = definitions.flatMap(({ plural, singular }) => [plural, singular])
  throw new CliError(`the server doesn't have a resource type "${name}"`, { meant: { word: name.toLowerCase(), candidates } })
}

/** The kinds of `processes,instances`, or of a category such as `all`. */
export function definitionsNamed(names: string): readonly ResourceDefinition[] {
  const found = names.split(',').flatMap((name) => {
    const members = definitions.filter(({ categories }) => categories.includes(name.toLowerCase()))
    return members.length > 0 && findByName(name) === undefined ? members : [definitionNamed(name)]
  })
  return [...new Set(found)]
}

/** The ref of a name in the namespace of the command line; kinds of the whole cluster have none. */
export function refIn(definition: ResourceDefinition, namespace: string, name: string): Ref {
  return definition.scope === 'Cluster' ? { name } : { name, namespace }
}

/** `process.pmk.dev/web`, as kubectl prints names. */
export function printedName(definition: ResourceDefinition, name: string): string {
  return `${qualifiedResource({ ...definition, plural: definition.singular })}/${name}`
}

/** The path of a collection or an object. */
export function pathOf(definition: ResourceDefinition, namespace: string | undefined, name?: string): string {
  const root = definition.group === '' ? `/api/${definition.version}` : `/apis/${definition.group}/${definition.version}`
  const inside = definition.scope === 'Cluster' || namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`
  return `${root}${inside}/${definition.plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`
}
