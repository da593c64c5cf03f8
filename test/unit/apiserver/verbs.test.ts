import assert from 'node:assert/strict'
import { test } from 'node:test'
import { definitionOf, type ResourceDefinition } from '../../../src/api/scheme.ts'
import { discoveryRoutes } from '../../../src/apiserver/discovery.ts'
import { openApiDocument } from '../../../src/apiserver/openapi.ts'
import { resourceRoutes } from '../../../src/apiserver/resource-routes.ts'
import type { ApiRequest } from '../../../src/apiserver/route.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { createRegistry } from '../../../src/registry/resource-registry.ts'
import { MemoryStore } from '../../../src/storage/memory-store.ts'

const view: ResourceDefinition = { ...definitionOf('Instance'), verbs: ['get', 'list'] }
const question: ResourceDefinition = { ...definitionOf('Node'), verbs: ['create'], subresources: {} }

async function routesOf(definition: ResourceDefinition) {
  const registry = await createRegistry({ store: new MemoryStore({ clock: systemClock }), clock: systemClock })
  const routes = resourceRoutes(definition, { registry, clock: systemClock, random: Math.random })
  return Object.fromEntries(routes.map(({ path, methods }) => [path, Object.keys(methods)]))
}

test('a kind that can only be read has no routes that write', async () => {
  const base = '/apis/pmk.dev/v1'
  assert.deepEqual(await routesOf(view), {
    [`${base}/namespaces/:namespace/instances`]: ['GET'],
    [`${base}/namespaces/:namespace/instances/:name`]: ['GET'],
    [`${base}/instances`]: ['GET'],
    [`${base}/namespaces/:namespace/instances/:name/status`]: ['GET'],
  })
})

test('of a kind that can only be created there are no single objects', async () => {
  assert.deepEqual(await routesOf(question), { '/apis/pmk.dev/v1/nodes': ['POST'] })
})

test('discovery tells the verbs of each kind, and of its subresources no more than those', async () => {
  const route = discoveryRoutes([view, question]).find(({ path }) => path === '/apis/pmk.dev/v1')
  const answer = await route?.methods.GET?.({ headers: {} } as ApiRequest)
  assert.ok(answer !== undefined && 'text' in answer && typeof answer.text === 'string')
  const { resources } = JSON.parse(answer.text)
  const verbs = Object.fromEntries(resources.map((resource: { name: string; verbs: string[] }) => [resource.name, resource.verbs]))
  assert.deepEqual(verbs.instances, ['get', 'list'])
  assert.deepEqual(verbs['instances/status'], ['get'])
  assert.deepEqual(verbs.nodes, ['create'])
})

test('the OpenAPI document has the operations that there are', () => {
  const { paths } = openApiDocument('pmk.dev/v1', '0.0.0', [view, question]) as { paths: Record<string, object> }
  const operations = Object.entries(paths).map(([path, item]) => [path, Object.keys(item).filter((key) => key !== 'parameters')])
  assert.deepEqual(Object.fromEntries(operations), {
    '/apis/pmk.dev/v1/namespaces/{namespace}/instances': ['get'],
    '/apis/pmk.dev/v1/namespaces/{namespace}/instances/{name}': ['get'],
    '/apis/pmk.dev/v1/namespaces/{namespace}/instances/{name}/status': ['get'],
    '/apis/pmk.dev/v1/instances': ['get'],
    '/apis/pmk.dev/v1/nodes': ['post'],
  })
})
