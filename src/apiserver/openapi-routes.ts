import { createHash } from 'node:crypto'
import type { ResourceDefinition } from '../api/scheme.ts'
import { type Clock, epochOf, httpDateOf } from '../base/clock.ts'
import { groupVersionsOf, matchesEtag } from './discovery.ts'
import { openApiDocument } from './openapi.ts'
import { groupVersionPath } from './resource-routes.ts'
import { type Answer, type ApiRequest, JSON_TYPE, jsonAnswer, type Route } from './route.ts'

/** What the hash in the address makes true: such a document never changes. */
const FOREVER_MS = 365 * 24 * 60 * 60_000

interface Document {
  /** `apis/pmk.dev/v1` */
  readonly name: string
  readonly path: string
  /** Made when first asked for: most servers are never asked. */
  readonly read: () => { readonly text: string; readonly hash: string }
}

export function openApiRoutes(definitions: readonly ResourceDefinition[], version: string, clock: Clock): readonly Route[] {
  const documents = groupVersionsOf(definitions).map((groupVersion): Document => {
    const base = groupVersionPath(groupVersion)
    const [first] = groupVersion.definitions
    return {
      name: base.slice(1),
      path: `/openapi/v3${base}`,
      read: once(() => {
        const text = JSON.stringify(openApiDocument(first?.apiVersion ?? '', version, groupVersion.definitions))
        return { text, hash: createHash('sha256').update(text).digest('hex').toUpperCase() }
      }),
    }
  })
  return [
    { path: '/openapi/v3', methods: { GET: () => jsonAnswer(index(documents)) } },
    ...documents.map((document): Route => ({ path: document.path, methods: { GET: (request) => answer(document, request, clock) } })),
    // An empty Protocol Buffers document: clients take from it that there is nothing to validate locally.
    {
      path: '/openapi/v2',
      methods: { GET: () => ({ code: 200, contentType: 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf', text: '' }) },
    },
  ]
}

function index(documents: readonly Document[]): object {
  return { paths: Object.fromEntries(documents.map((document) => [document.name, { serverRelativeURL: address(document) }])) }
}

function address({ path, read }: Document): string {
  return `${path}?hash=${read().hash}`
}

function answer(document: Document, { query, headers }: ApiRequest, clock: Clock): Answer {
  const { text, hash } = document.read()
  const asked = query.get('hash')
  if (asked !== null && asked !== hash) {
    return { code: 301, contentType: JSON_TYPE, text: '', headers: { location: address(document), vary: 'Accept' } }
  }
  const expires = httpDateOf(epochOf(clock.now()) + FOREVER_MS)
  const common = { etag: `"${hash}"`, vary: 'Accept' }
  const caching = asked === null ? {} : { 'cache-control': 'public, immutable', expires }
  if (matchesEtag(headers['if-none-match'], common.etag))
    return { code: 304, contentType: JSON_TYPE, text: '', headers: { ...common, ...caching } }
  return { code: 200, contentType: JSON_TYPE, text, headers: { ...common, ...caching } }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
