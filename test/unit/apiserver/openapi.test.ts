import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { openApiSchema } from '../../../src/api/openapi-schema.ts'
import { definitionOf, definitions } from '../../../src/api/scheme.ts'
import { groupVersionsOf } from '../../../src/apiserver/discovery.ts'
import { openApiDocument } from '../../../src/apiserver/openapi.ts'

// biome-ignore lint/suspicious/noExplicitAny: the test walks through a document.
type Any = any

/** Its schemas are compiled once. */
const validator = new Validator()

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
      schema['x-kubernetes-group-version-kind']?.some((gvk: Any) => gvk.kind === kind && gvk.group === group && gvk.version === version),
    )
    assert.equal(schemas.length, 1)
    const meta = document.components.schemas['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta']
    assert.equal(meta.properties.name.type, 'string')
    assert.match(schemas[0].properties.metadata.allOf[0].$ref, /ObjectMeta$/)
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

for (const { group, version, definitions: ofGroup } of groupVersionsOf(definitions)) {
  const document = openApiDocument(`${group}/${version}`, '0.0.0', ofGroup)

  test(`the document of ${group === '' ? 'the core group' : group} is one of OpenAPI 3.0`, async () => {
    const { valid, errors } = await validator.validate(JSON.parse(JSON.stringify(document)))
    assert.ok(valid, JSON.stringify(errors, null, 2))
  })

  test(`every field that ${group === '' ? 'the core group' : group} has is described`, () => {
    const undescribed: string[] = []
    for (const [name, schema] of Object.entries<Any>((document as Any).components.schemas)) {
      walk(schema, (key, value: Any) => {
        if (key !== 'properties' || typeof value !== 'object') return
        for (const [field, property] of Object.entries<Any>(value)) if (!property.description) undescribed.push(`${name}: ${field}`)
      })
    }
    assert.deepEqual(undescribed, [])
  })

  test(`no two operations on ${group === '' ? 'the core group' : group} have the same name`, () => {
    const names: string[] = []
    walk((document as Any).paths, (key, value) => {
      if (key === 'operationId') names.push(String(value))
    })
    assert.deepEqual(names, [...new Set(names)])
  })
}

test('a type that is used in several places is told once, with what is said of each place beside it', () => {
  const document = openApiDocument('pmk.dev/v1', '0.0.0', [definitionOf('Process')]) as Any
  const { schemas } = document.components
  const { readinessProbe, updateStrategy } = schemas['dev.pmk.v1.ProcessSpec'].properties
  assert.deepEqual(readinessProbe.allOf, [{ $ref: '#/components/schemas/dev.pmk.v1.Probe' }])
  assert.ok(readinessProbe.description.length > 0)
  assert.deepEqual(updateStrategy.default, {})
  assert.equal(schemas['dev.pmk.v1.Probe'].description, undefined)
  assert.equal(schemas['dev.pmk.v1.Process'].required.join(), 'spec')
  assert.equal(schemas['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'].required, undefined)
})

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
