import type { Attributes } from '../access/attributes.ts'
import { parseFieldSelector } from '../api/selector.ts'
import { hasReason } from '../api/status.ts'
import { isWatch } from './list-options.ts'
import { type Query, textParameter } from './query.ts'

/** What of a request says what it wants. */
export interface Wish {
  readonly method: string
  readonly path: string
  readonly parameters: Readonly<Record<string, string>>
  readonly query: Query
}

/**
 * What rights a route takes, read off its address as Kubernetes does: `/api/VERSION/…` and `/apis/GROUP/VERSION/…` with something
 * behind are resources, everything else is a path. So no route can be without, and what is asked is what the router has matched.
 */
export function attributesOfRoute(route: string): (wish: Wish) => Attributes {
  const [, root, ...segments] = route.split('/')
  const [group = '', , ...rest] = root === 'api' ? ['', ...segments] : segments
  const isResource = (root === 'api' || root === 'apis') && rest.length > 0
  if (!isResource) return ({ method, path }) => ({ type: 'path', verb: method === 'HEAD' ? 'get' : method.toLowerCase(), path })
  const isNamespaced = rest[0] === 'namespaces' && rest[1] === ':namespace' && rest.length > 2
  const [resource = '', , ...under] = isNamespaced ? rest.slice(2) : rest
  const subresource = under.join('/')
  return ({ method, parameters, query }) => {
    const { name = '', namespace = '' } = parameters
    const verb = verbOf(method, name !== '', query)
    return {
      type: 'resource',
      verb,
      group,
      resource,
      subresource,
      // A Namespace counts as lying in itself, so that whoever has rights in it can look at it.
      namespace: resource === 'namespaces' && !isNamespaced ? name : namespace,
      name: name === '' && method !== 'POST' ? selectedName(query) : name,
    }
  }
}

function verbOf(method: string, isOne: boolean, query: Query): string {
  switch (method) {
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return isOne ? 'delete' : 'deletecollection'
    default:
      if (isWatch(query)) return 'watch'
      return isOne ? 'get' : 'list'
  }
}

/** Who asks for all objects of one name asks for that object. */
function selectedName(query: Query): string {
  const text = textParameter(query, 'fieldSelector')
  if (text === undefined) return ''
  try {
    return parseFieldSelector(text).find(({ path, negated }) => path === 'metadata.name' && !negated)?.value ?? ''
  } catch (err) {
    // The route refuses it, if the user may get so far.
    if (hasReason(err, 'BadRequest')) return ''
    throw err
  }
}
