import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { definitions } from '../../src/api/scheme.ts'
import { TestApiServer } from '../support/api-server.ts'

// biome-ignore lint/suspicious/noExplicitAny: the test walks through documents.
type Any = any

const V2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
const V2BETA1 = 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList'

let server: TestApiServer
before(async () => {
  server = await TestApiServer.start()
})
after(() => server.stop())

const get = async (path: string, accept = 'application/json'): Promise<Any> => (await server.raw('GET', path, { headers: { accept } })).json

/** `group/version plural[/subresource] kind verbs` of everything that the aggregated form tells. */
function fromAggregated(documents: readonly Any[]): string[] {
  const lines: string[] = []
  for (const group of documents.flatMap((document) => document.items)) {
    for (const version of group.versions) {
      for (const {
        resource,
        responseKind,
        scope,
        verbs,
        singularResource,
        subresources = [],
        shortNames,
        categories,
      } of version.resources) {
        const at = `${group.metadata.name}/${version.version}`
        const namespaced = scope === 'Namespaced'
        lines.push(JSON.stringify([at, resource, responseKind.kind, namespaced, verbs, singularResource, shortNames, categories]))
        for (const sub of subresources) {
          lines.push(JSON.stringify([at, `${resource}/${sub.subresource}`, sub.responseKind.kind, namespaced, sub.verbs]))
          assert.ok(sub.responseKind.kind && sub.responseKind.version)
        }
      }
    }
  }
  return lines.sort()
}

async function fromPlain(): Promise<string[]> {
  const paths = (await get('/api')).versions.map((version: string) => [`/api/${version}`, `/${version}`])
  for (const { name, versions } of (await get('/apis')).groups) {
    for (const { version } of versions) paths.push([`/apis/${name}/${version}`, `${name}/${version}`])
  }
  const lines: string[] = []
  for (const [path, at] of paths) {
    for (const { name, kind, namespaced, verbs, singularName, shortNames, categories } of (await get(path)).resources) {
      lines.push(
        JSON.stringify(
          name.includes('/')
            ? [at, name, kind, namespaced, verbs]
            : [at, name, kind, namespaced, verbs, singularName, shortNames, categories],
        ),
      )
    }
  }
  return lines.sort()
}

test('the plain and both aggregated documents tell the same', async () => {
  const plain = await fromPlain()
  assert.ok(plain.length > definitions.length)
  assert.deepEqual(fromAggregated([await get('/api', V2), await get('/apis', V2)]), plain)
  assert.deepEqual(fromAggregated([await get('/api', V2BETA1), await get('/apis', V2BETA1)]), plain)
})

test('the group tells its versions, and an unknown one is not there', async () => {
  const group = await get('/apis/pmk.dev')
  assert.deepEqual(group, {
    kind: 'APIGroup',
    apiVersion: 'v1',
    name: 'pmk.dev',
    versions: [{ groupVersion: 'pmk.dev/v1', version: 'v1' }],
    preferredVersion: { groupVersion: 'pmk.dev/v1', version: 'v1' },
  })
})

test('scale is of autoscaling/v1; requests of agents are listed with their verbs', async () => {
  const { resources } = await get('/apis/pmk.dev/v1')
  const named = (name: string): Any => resources.find((resource: Any) => resource.name === name)
  assert.deepEqual(named('processes/scale'), {
    name: 'processes/scale',
    singularName: '',
    namespaced: true,
    group: 'autoscaling',
    version: 'v1',
    kind: 'Scale',
    verbs: ['get', 'patch', 'update'],
  })
  assert.deepEqual(named('instances/log').verbs, ['get'])
  assert.deepEqual(named('processes/signal').verbs, ['create'])
  assert.equal(named('processes/log'), undefined)
  assert.deepEqual(named('processes').shortNames, ['proc', 'ps'])
})

for (const [accept, version] of [
  [V2, 'v2'],
  [V2BETA1, 'v2beta1'],
  [`${V2};profile=nopeer,${V2BETA1},application/json`, 'v2'],
  ['application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io', 'v2'],
] as const) {
  test(`Accept ${accept} is answered in ${version}, and says so`, async () => {
    for (const path of ['/api', '/apis']) {
      const answer = await server.raw('GET', path, { headers: { accept } })
      const type = String(answer.headers['content-type'])
      for (const part of ['application/json', 'g=apidiscovery.k8s.io', `v=${version}`, 'as=APIGroupDiscoveryList'])
        assert.ok(type.includes(part), type)
      assert.equal(answer.json.apiVersion, `apidiscovery.k8s.io/${version}`)
    }
  })
}

test('who knows a document by its ETag is told that nothing has changed, without a word that caches would keep', async () => {
  const seen = new Set<string>()
  for (const path of ['/api', '/apis']) {
    for (const accept of [V2, V2BETA1, 'application/json']) {
      const first = await server.raw('GET', path, { headers: { accept } })
      const etag = String(first.headers.etag)
      assert.equal(first.headers.vary, 'Accept')
      seen.add(etag)
      const again = await server.raw('GET', path, { headers: { accept, 'if-none-match': etag } })
      assert.equal(again.status, 304)
      assert.equal(again.headers.etag, etag)
      assert.equal(again.headers['content-type'], undefined)
      assert.equal(again.text, '')
      const other = await server.raw('GET', path, { headers: { accept, 'if-none-match': '"other"' } })
      assert.equal(other.status, 200)
    }
  }
  assert.equal(seen.size, 6)
})

test('the OpenAPI index leads to each document; a hash that is not the present one leads there, too', async () => {
  const { paths } = await get('/openapi/v3')
  const documents = new Set(definitions.map(({ group, apiVersion }) => (group === '' ? `api/${apiVersion}` : `apis/${apiVersion}`)))
  assert.deepEqual(Object.keys(paths).sort(), [...documents].sort())
  for (const { serverRelativeURL } of Object.values<Any>(paths)) {
    const answer = await server.raw('GET', serverRelativeURL)
    assert.equal(answer.status, 200)
    assert.match(String(answer.headers['cache-control']), /immutable/)
    assert.ok(answer.headers.expires)
    assert.equal(answer.json.openapi, '3.0.0')
    const again = await server.raw('GET', serverRelativeURL, { headers: { 'if-none-match': String(answer.headers.etag) } })
    assert.equal(again.status, 304)
    const wrong = await server.raw('GET', serverRelativeURL.replace(/hash=.*/, 'hash=0'))
    assert.equal(wrong.status, 301)
    assert.equal(wrong.headers.location, serverRelativeURL)
    const without = await server.raw('GET', serverRelativeURL.replace(/\?.*/, ''))
    assert.equal(without.headers['cache-control'], undefined)
  }
})

test('the old OpenAPI document is an empty one in protobuf', async () => {
  const answer = await server.raw('GET', '/openapi/v2', {
    headers: { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' },
  })
  assert.equal(answer.status, 200)
  assert.equal(answer.headers['content-type'], 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf')
  assert.equal(answer.text, '')
})
