/** What a request is about, as far as its first line tells. Absent parts are empty. */
export interface RequestInfo {
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; of other paths the method. */
  readonly verb: string
  readonly group: string
  /** Empty: the path is none of objects. */
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  /** Empty: a collection, or an object whose name only the body tells. */
  readonly name: string
  /** Without the query. */
  readonly path: string
}

const VERBS: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete', GET: 'get', HEAD: 'get' }

/** Under `namespaces/NAME` these are of the Namespace itself; everything else is a collection inside. */
const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize'])

/**
 * Takes a request apart by Kubernetes' rules for paths: `/api/VERSION/…` and `/apis/GROUP/VERSION/…`, then
 * `[namespaces/NAMESPACE/]RESOURCE[/NAME[/SUBRESOURCE]]`. Whether there is anything at that path is not looked at.
 */
export function requestInfo(method: string, url: string): RequestInfo {
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const [root, ...parts] = path.split('/').filter((part) => part !== '')
  const isCore = root === 'api' && parts.length >= 2
  if (!isCore && (root !== 'apis' || parts.length < 3)) {
    return { verb: method.toLowerCase(), group: '', resource: '', subresource: '', namespace: '', name: '', path }
  }
  const group = isCore ? '' : decoded(parts[0])
  const rest = parts.slice(isCore ? 1 : 2).map(decoded)
  const isInside = rest[0] === 'namespaces' && rest.length > 2 && !NAMESPACE_SUBRESOURCES.has(rest[2] ?? '')
  const [resource = '', name = '', subresource = ''] = isInside ? rest.slice(2) : rest
  const namespace = isInside ? (rest[1] ?? '') : group === '' && resource === 'namespaces' ? name : ''
  return { verb: verbOf(method, url, name), group, resource, subresource, namespace, name, path }
}

function verbOf(method: string, url: string, name: string): string {
  const verb = VERBS[method] ?? method.toLowerCase()
  if (verb === 'get' && isWatch(url)) return 'watch'
  if (name !== '') return verb
  return verb === 'get' ? 'list' : verb === 'delete' ? 'deletecollection' : verb
}

function isWatch(url: string): boolean {
  const mark = url.indexOf('?')
  if (mark < 0 || !url.includes('watch', mark)) return false
  const value = new URLSearchParams(url.slice(mark + 1)).get('watch')
  return value !== null && value !== '0' && value.toLowerCase() !== 'false'
}

/** As it stands where it can't be decoded: such a request is refused elsewhere. */
function decoded(part = ''): string {
  if (!part.includes('%')) return part
  try {
    return decodeURIComponent(part)
  } catch (err) {
    if (!(err instanceof URIError)) throw err
    return part
  }
}
