import { createHash } from 'node:crypto'
import type { RequestName, ResourceDefinition, ResourceVerb } from '../api/scheme.ts'
import { type DiscoveryForm, negotiateDiscovery } from './negotiation.ts'
import { documentRenderer } from './render.ts'
import { groupVersionPath } from './resource-routes.ts'
import { type Answer, type ApiRequest, JSON_TYPE, type Route } from './route.ts'

/** Of `/status` and `/scale`, where the kind itself has them. */
const SUBRESOURCE_VERBS: readonly ResourceVerb[] = ['get', 'patch', 'update']

/** The verbs of what an agent is asked for. */
const REQUEST_VERBS: Readonly<Record<RequestName, readonly string[]>> = {
  log: ['get'],
  usage: ['get'],
  signal: ['create'],
  reload: ['create'],
  pause: ['create'],
  action: ['create'],
}

interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

interface Subresource {
  readonly name: string
  readonly responseKind: GroupVersionKind
  readonly verbs: readonly string[]
}

interface GroupVersion {
  readonly group: string
  readonly version: string
  readonly definitions: readonly ResourceDefinition[]
}

/** What is served, told in both forms that clients know. */
export function discoveryRoutes(definitions: readonly ResourceDefinition[]): readonly Route[] {
  const groupVersions = groupVersionsOf(definitions)
  const core = groupVersions.filter(({ group }) => group === '')
  const named = groupVersions.filter(({ group }) => group !== '')
  const groups = [...new Set(named.map(({ group }) => group))]
  const groupsDocument = { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map((group) => apiGroup(group, named)) }
  return [
    { path: '/api', methods: { GET: negotiated((request) => apiVersions(core, request), core) } },
    { path: '/apis', methods: { GET: negotiated(() => groupsDocument, named) } },
    ...groups.map((group) => ({
      path: `/apis/${group}`,
      methods: {
        GET: (request: ApiRequest) => documentRenderer(request)({ kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group, named) }),
      },
    })),
    ...groupVersions.map((groupVersion) => {
      const list = resourceList(groupVersion)
      return { path: groupVersionPath(groupVersion), methods: { GET: (request: ApiRequest) => documentRenderer(request)(list) } }
    }),
  ]
}

export function groupVersionsOf(definitions: readonly ResourceDefinition[]): readonly GroupVersion[] {
  return [...groupBy(definitions, ({ apiVersion }) => apiVersion).values()].flatMap((ofVersion) => {
    const [first] = ofVersion
    return first === undefined ? [] : [{ group: first.group, version: first.version, definitions: ofVersion }]
  })
}

/** Subresources with what they answer. */
export function subresourcesOf({ group, version, kind, verbs: ofKind, subresources }: ResourceDefinition): readonly Subresource[] {
  const self = { group, version, kind }
  const { status, scale, preview, requests = [] } = subresources
  const verbs = SUBRESOURCE_VERBS.filter((verb) => ofKind.includes(verb))
  return [
    ...(status === undefined ? [] : [{ name: 'status', responseKind: self, verbs }]),
    ...(scale === undefined ? [] : [{ name: 'scale', responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' }, verbs }]),
    ...(preview === undefined ? [] : [{ name: 'preview', responseKind: { ...self, kind: 'SourcePreview' }, verbs: ['get'] }]),
    ...requests.map((name) => ({ name, responseKind: self, verbs: REQUEST_VERBS[name] })),
  ]
}

/** Answers in the form that Accept asks for, with an ETag by which clients know that nothing has changed. */
function negotiated(plain: (request: ApiRequest) => object, groupVersions: readonly GroupVersion[]): (request: ApiRequest) => Answer {
  const aggregated = { v2: aggregate(groupVersions, 'v2'), v2beta1: aggregate(groupVersions, 'v2beta1') }
  return (request) => {
    const form = negotiateDiscovery(request.headers.accept)
    const text = JSON.stringify(form === 'plain' ? plain(request) : aggregated[form])
    const etag = `"${createHash('sha256').update(text).digest('hex')}"`
    const headers = { vary: 'Accept', 'cache-control': 'public', etag }
    if (matchesEtag(request.headers['if-none-match'], etag)) return { code: 304, contentType: contentType(form), text: '', headers }
    return { code: 200, contentType: contentType(form), text, headers }
  }
}

export function matchesEtag(header: string | undefined, etag: string): boolean {
  return (header ?? '').split(',').some((tag) => [etag, '*'].includes(tag.trim().replace(/^W\//, '')))
}

/** Clients tell by this which form they got. */
function contentType(form: DiscoveryForm): string {
  return form === 'plain' ? JSON_TYPE : `${JSON_TYPE};g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList`
}

function apiVersions(core: readonly GroupVersion[], { headers }: ApiRequest): object {
  return {
    kind: 'APIVersions',
    versions: core.map(({ version }) => version),
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: headers.host ?? '' }],
  }
}

function apiGroup(group: string, groupVersions: readonly GroupVersion[]): object {
  const versions = groupVersions
    .filter((groupVersion) => groupVersion.group === group)
    .map(({ version }) => ({ groupVersion: `${group}/${version}`, version }))
  return { name: group, versions, preferredVersion: versions[0] }
}

function resourceList({ group, version, definitions }: GroupVersion): object {
  const resources = definitions.flatMap((definition) => {
    const namespaced = definition.scope === 'Namespaced'
    return [
      {
        name: definition.plural,
        singularName: definition.singular,
        namespaced,
        kind: definition.kind,
        verbs: definition.verbs,
        ...namesOf(definition),
      },
      ...subresourcesOf(definition).map(({ name, responseKind, verbs }) => ({
        name: `${definition.plural}/${name}`,
        singularName: '',
        namespaced,
        ...(responseKind.group === group ? {} : { group: responseKind.group, version: responseKind.version }),
        kind: responseKind.kind,
        verbs,
      })),
    ]
  })
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: group === '' ? version : `${group}/${version}`, resources }
}

function aggregate(groupVersions: readonly GroupVersion[], form: 'v2' | 'v2beta1'): object {
  const items = [...groupBy(groupVersions, ({ group }) => group)].map(([group, versions]) => ({
    metadata: { name: group, creationTimestamp: null },
    versions: versions.map(({ version, definitions }) => ({
      version,
      freshness: 'Current',
      resources: definitions.map((definition) => ({
        resource: definition.plural,
        responseKind: { group, version, kind: definition.kind },
        scope: definition.scope,
        singularResource: definition.singular,
        verbs: definition.verbs,
        ...namesOf(definition),
        ...subresourceEntries(definition),
      })),
    })),
  }))
  return { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${form}`, metadata: {}, items }
}

function subresourceEntries(definition: ResourceDefinition): object {
  const subresources = subresourcesOf(definition).map(({ name, responseKind, verbs }) => ({ subresource: name, responseKind, verbs }))
  return subresources.length === 0 ? {} : { subresources }
}

function namesOf({ shortNames, categories }: ResourceDefinition): object {
  return { ...(shortNames.length === 0 ? {} : { shortNames }), ...(categories.length === 0 ? {} : { categories }) }
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
