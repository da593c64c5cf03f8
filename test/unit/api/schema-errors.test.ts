import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { formats } from '../../../src/api/formats.ts'
import { RULE_KEYWORDS, schemaErrors } from '../../../src/api/schema-errors.ts'
import { definitionOf, definitions, type JsonSchema } from '../../../src/api/scheme.ts'
import { seededRandom } from '../../../src/base/random.ts'
import { Dice, sampleOf, spoil } from '../../support/spoil.ts'

const ANNOTATIONS = ['title', 'description', 'default']
/** Of a kind with many fields, and of one with few. */
const ROUNDS = { many: 600, few: 250 }
const MANY_FIELDS = 200

const ajv = new Ajv2020({
  allErrors: true,
  strict: false,
  strictNumbers: true,
  formats: Object.fromEntries(Object.entries(formats).map(([name, { accepts }]) => [name, accepts])),
})

/** Schemas inside a schema, and itself. */
function subschemas(schema: JsonSchema): readonly JsonSchema[] {
  const { properties, items, additionalProperties, propertyNames, oneOf } = schema
  const inner = [...Object.values(properties ?? {}), ...(oneOf ?? []), items, additionalProperties, propertyNames]
  return [schema, ...inner.flatMap((one) => (typeof one === 'object' ? subschemas(one) : []))]
}

/** Schemas that lie inside an alternative. */
const alternatives = new Set(
  definitions.flatMap(({ schema }) => subschemas(schema).flatMap(({ oneOf }) => (oneOf ?? []).flatMap(subschemas))),
)

const pointer = (path: readonly (string | number)[]): string =>
  path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

/** What ajv finds; the errors in the form in which schemaErrors tells them, without what is about alternatives. */
function expectedErrors(
  validate: ReturnType<typeof ajv.compile>,
  value: unknown,
): { readonly isSound: boolean; readonly told: readonly string[] } {
  if (validate(value)) return { isSound: true, told: [] }
  const told = (validate.errors ?? [])
    .filter(({ keyword, schemaPath }) => keyword !== 'propertyNames' && !/\/oneOf(\/|$)/.test(schemaPath))
    .map(({ keyword, instancePath, params, propertyName }) => {
      const name = propertyName ?? params.missingProperty ?? params.additionalProperty
      return `${keyword} ${instancePath}${name === undefined ? '' : pointer([name])}`
    })
  return { isSound: false, told }
}

describe('schemaErrors', () => {
  for (const { kind, schema } of definitions) {
    it(`knows each keyword of the schema: ${kind}`, () => {
      for (const one of subschemas(schema)) {
        for (const keyword of Object.keys(one))
          assert.ok(keyword.startsWith('x-') || [...RULE_KEYWORDS, ...ANNOTATIONS].includes(keyword), `${kind} uses ${keyword}`)
        const types = (one.oneOf ?? []).map(({ type }) => type)
        assert.ok(
          types.every((type) => typeof type === 'string'),
          'each alternative has one type',
        )
        assert.equal(new Set(types).size, types.length, 'alternatives are of different types')
      }
    })

    it(`finds what ajv finds in objects spoilt by chance, in the same order: ${kind}`, () => {
      const validate = ajv.compile(schema)
      const dice = new Dice(seededRandom(23))
      const seen = { sound: 0, broken: 0 }
      const rounds = subschemas(schema).length < MANY_FIELDS ? ROUNDS.few : ROUNDS.many
      for (let round = 0; round < rounds; round++) {
        let value = sampleOf(schema, dice)
        for (let times = dice.below(4); times > 0; times--) value = spoil(value, dice)
        const errors = schemaErrors(schema, value)
        seen[errors.length === 0 ? 'sound' : 'broken']++
        const outside = errors.filter(({ keyword, schema: rule }) => keyword !== 'oneOf' && !alternatives.has(rule))
        const found = outside.map(({ keyword, path }) => `${keyword} ${pointer(path)}`)
        const { isSound, told } = expectedErrors(validate, value)
        if (isSound === (errors.length === 0) && isDeepStrictEqual(found, told)) continue
        assert.deepEqual({ isSound: errors.length === 0, found }, { isSound, found: told }, JSON.stringify(value)?.slice(0, 2_000))
      }
      assert.ok(seen.sound > 5 && seen.broken > 50, JSON.stringify(seen))
    })
  }

  it('tells of an alternative only what is wrong with the one that is meant', () => {
    const schema = definitionOf('Process').schema.properties?.spec?.properties?.rlimits ?? {}
    const found = (value: unknown): string[] => schemaErrors(schema, value).map(({ keyword, path }) => `${keyword} ${pointer(path)}`)
    assert.deepEqual(found({ nofile: 5, core: 'unlimited', as: { soft: 1, hard: 'unlimited' } }), [])
    assert.deepEqual(found({ nofile: -1 }), ['minimum /nofile'])
    assert.deepEqual(found({ nofile: 'many' }), ['enum /nofile'])
    assert.deepEqual(found({ nofile: [] }), ['oneOf /nofile'])
    assert.deepEqual(found({ nofile: { soft: true, hard: 'few', x: 1 } }), [
      'additionalProperties /nofile/x',
      'oneOf /nofile/soft',
      'enum /nofile/hard',
    ])
    assert.deepEqual(found({ files: -1 }), ['enum /files', 'minimum /files'])
  })

  it('takes what is too large for a number as no number', () => {
    for (const type of ['integer', 'number'])
      assert.deepEqual(
        schemaErrors({ type, minimum: 0 }, JSON.parse('1e999')).map(({ keyword }) => keyword),
        ['type'],
      )
  })

  it('counts characters, not units of 16 bits', () => {
    assert.equal(schemaErrors({ maxLength: 2 }, '😀😀').length, 0)
    assert.equal(schemaErrors({ maxLength: 2 }, '😀😀x').length, 1)
  })
})
