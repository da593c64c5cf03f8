import { apiError } from '../api/status.ts'

/** What a client wants an answer to look like. */
export type Rendering =
  | { readonly as: 'json' }
  | { readonly as: 'yaml' }
  | { readonly as: 'table'; readonly version: 'v1' | 'v1beta1' }
  | { readonly as: 'metadata' }

/** Which renderings an endpoint can give, besides JSON. */
export type Renderable = 'table' | 'metadata' | 'metadata-list' | 'yaml'

export const RESOURCE: ReadonlySet<Renderable> = new Set(['table', 'metadata', 'yaml'])
export const RESOURCE_LIST: ReadonlySet<Renderable> = new Set(['table', 'metadata-list', 'yaml'])
/** What isn't an object of a kind. */
export const DOCUMENT: ReadonlySet<Renderable> = new Set(['yaml'])
export const RESOURCE_WATCH: ReadonlySet<Renderable> = new Set(['table', 'metadata'])

interface Clause {
  readonly type: string
  readonly parameters: ReadonlyMap<string, string>
}

/** The first clause that can be satisfied wins; weights are ignored. Throws NotAcceptable when there is none. */
export function negotiate(accept: string | undefined, can: ReadonlySet<Renderable>): Rendering {
  const clauses = parseAccept(accept)
  if (clauses.length === 0) return { as: 'json' }
  for (const clause of clauses) {
    const rendering = satisfy(clause, can)
    if (rendering !== undefined) return rendering
  }
  throw apiError('NotAcceptable', `only the following media types are accepted: ${acceptedTypes(can).join(', ')}`)
}

export type DiscoveryForm = 'plain' | 'v2' | 'v2beta1'

/** The form of discovery that `/api` and `/apis` are answered in. */
export function negotiateDiscovery(accept: string | undefined): DiscoveryForm {
  const clauses = parseAccept(accept)
  if (clauses.length === 0) return 'plain'
  for (const { type, parameters } of clauses) {
    if (!isJson(type)) continue
    const as = parameters.get('as')
    if (as === undefined) return 'plain'
    const version = parameters.get('v')
    if (as !== 'APIGroupDiscoveryList' || parameters.get('g') !== 'apidiscovery.k8s.io') continue
    if (version === 'v2' || version === 'v2beta1') return version
  }
  throw apiError('NotAcceptable', 'only the following media types are accepted: application/json')
}

function satisfy({ type, parameters }: Clause, can: ReadonlySet<Renderable>): Rendering | undefined {
  if (type === 'application/yaml') return can.has('yaml') && !parameters.has('as') ? { as: 'yaml' } : undefined
  if (!isJson(type)) return undefined
  const as = parameters.get('as')
  if (as === undefined) return { as: 'json' }
  const version = parameters.get('v')
  if (parameters.get('g') !== 'meta.k8s.io') return undefined
  if (as === 'Table' && can.has('table') && (version === 'v1' || version === 'v1beta1')) return { as: 'table', version }
  if (as === 'PartialObjectMetadata' && can.has('metadata') && version === 'v1') return { as: 'metadata' }
  if (as === 'PartialObjectMetadataList' && can.has('metadata-list') && version === 'v1') return { as: 'metadata' }
  return undefined
}

function isJson(type: string): boolean {
  return type === 'application/json' || type === '*/*' || type === 'application/*'
}

function parseAccept(accept: string | undefined): readonly Clause[] {
  return (accept ?? '')
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map((text) => {
      const [type = '', ...parameters] = text.split(';').map((part) => part.trim())
      return {
        type: type.toLowerCase(),
        parameters: new Map(
          parameters.map((parameter) => {
            const equals = parameter.indexOf('=')
            return equals < 0 ? [parameter, ''] : [parameter.slice(0, equals).trim().toLowerCase(), parameter.slice(equals + 1).trim()]
          }),
        ),
      }
    })
}

function acceptedTypes(can: ReadonlySet<Renderable>): readonly string[] {
  const types = ['application/json']
  if (can.has('yaml')) types.push('application/yaml')
  if (can.has('table')) types.push('application/json;as=Table;v=v1;g=meta.k8s.io')
  if (can.has('metadata')) types.push('application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io')
  if (can.has('metadata-list')) types.push('application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io')
  return types
}
