import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApiSchema } from '../../../src/api/openapi-schema.ts'
import { definitions } from '../../../src/api/scheme.ts'
import { openApiDocument } from '../../../src/apiserver/openapi.ts'

// biome-ignore lint/suspicious/noExplicitAny: the test walks through a document.
type Any = any

for (const definition of definitions) {
  const { group, version, kind, plural, scope } = definition
  const document: Any = openApiDocument(definition.apiVersion, '0.0.0', [definition])
  const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  const item = scope === 'Namespaced' ? `${base}/namespaces/{namespace}/${plural}/{name}` : `${base}/${plural}/{name}`

  test(`the patch of ${kind} names its kind, lets the server validate, and lists the patches that kubectl may apply with`, () => {
    const { patch } = document.paths[item] ?? {}
    assert.equal(patch !== undefined, definition.verbs.includes('patch'))
    if (patch === undefined) return
    assert.deepEqual(patch['x-kubernetes-group-version-kind'], { group, version, kind })
    assert.equal(patch['x-kubernetes-action'], 'patch')
    assert.ok(patch.parameters.some((parameter: Any) => parameter.name === 'fieldValidation' && parameter.in === 'query'))
    const types = Object.keys(patch.requestBody.content)
    assert.ok(types.includes('application/merge-patch+json') && types.includes('application/apply-patch+yaml'))
    assert.equal(types.includes('application/strategic-merge-patch+json'), group !== 'pmk.dev')
  })

  test(`exactly one schema has the kind ${kind}, and it tells what its fields are`, () => {
    const schemas = Object.values<Any>(document.components.schemas).filter((schema) =>
      schema['x-kubernetes-group-version-kind'].some((gvk: Any) => gvk.kind === kind && gvk.group === group && gvk.version === version),
    )
    assert.equal(schemas.length, 1)
    assert.equal(schemas[0].properties.metadata.properties.name.type, 'string')
    assert.ok(schemas[0].description.length > 0)
  })

  test(`the document of ${kind} refers to nothing that isn't there, and holds no word that OpenAPI 3.0 lacks`, () => {
    walk(document, (key, value) => {
      assert.ok(!['const', 'propertyNames', '$schema', 'x-pmk', 'x-pmk-include'].includes(key) || typeof value === 'object', key)
      if (key === '$ref') assert.ok(document.components.schemas[String(value).replace('#/components/schemas/', '')], String(value))
      if (key === 'type' && typeof value !== 'object') assert.equal(typeof value, 'string')
    })
  })
}

test('what is a number or a text says so by the extension', () => {
  const schema = openApiSchema({ type: ['integer', 'string'], 'x-kubernetes-int-or-string': true, description: 'Either.' })
  assert.deepEqual(schema, { 'x-kubernetes-int-or-string': true, description: 'Either.' })
})

test('a constant becomes an enum of one, and a field called like a keyword stays a field', () => {
  const schema = openApiSchema({ type: 'object', properties: { const: { const: 'x', type: 'string' } }, additionalProperties: false })
  assert.deepEqual(schema, { type: 'object', properties: { const: { type: 'string', enum: ['x'] } } })
})

function walk(value: Any, visit: (key: string, value: unknown) => void): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, child] of Object.entries(value)) {
    visit(key, child)
    walk(child, visit)
  }
}
