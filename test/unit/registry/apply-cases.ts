import assert from 'node:assert/strict'
import { it } from 'node:test'
import { definitionOf, type JsonSchema, type ResourceDefinition } from '../../../src/api/scheme.ts'
import { ApiError } from '../../../src/api/status.ts'
import { deepFreeze } from '../../../src/base/json.ts'
import { formatFieldPath } from '../../../src/registry/field-path.ts'
import { EMPTY_SET, fromFieldsV1, pathsOf } from '../../../src/registry/field-set.ts'
import { type Fields, OneObject } from './one-object.ts'

/** What happens to an object, in order; of the fields that an update doesn't name those stay that are there, undefined takes one away. */
export type Step =
  | readonly ['apply' | 'force' | 'update', manager: string, fields: Fields]
  /** Refused with just these conflicts, `manager: path` each, and then nothing has changed. */
  | readonly ['conflict', manager: string, fields: Fields, ...conflicts: string[]]
  | readonly ['refused', manager: string, fields: Fields, why: RegExp]
  /** The program is updated to one in which these fields have other schemas. */
  | readonly ['schema', properties: Readonly<Record<string, JsonSchema>>]

export interface Case {
  readonly title: string
  readonly steps: readonly Step[]
  /** What is stored in the end, without apiVersion, kind and metadata. */
  readonly object?: Fields
  /** By `manager/Operation` all that each owns in the end, as paths with spaces in between. */
  readonly owners?: Readonly<Record<string, string>>
}

export const text: JsonSchema = { type: 'string' }
export const integer: JsonSchema = { type: 'integer' }
export const mapOf = (items: JsonSchema): JsonSchema => ({ type: 'object', additionalProperties: items })
export const setOf = (items: JsonSchema): JsonSchema => ({ type: 'array', 'x-kubernetes-list-type': 'set', items })
export const struct = (properties: Readonly<Record<string, JsonSchema>>): JsonSchema => ({ type: 'object', properties })
export const keyed = (keys: readonly string[], properties: Readonly<Record<string, JsonSchema>>): JsonSchema => ({
  type: 'array',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': keys,
  items: struct(properties),
})

const properties: Readonly<Record<string, JsonSchema>> = {
  text,
  number: integer,
  flag: { type: 'boolean' },
  set: setOf(text),
  numbers: setOf(integer),
  atomicList: { type: 'array', items: text },
  list: keyed(['name'], { name: text, value: integer, other: integer }),
  map: mapOf(text),
  atomicMap: { ...mapOf(text), 'x-kubernetes-map-type': 'atomic' },
  struct: struct({ name: text, value: integer, inner: struct({ name: text }) }),
  atomicStruct: { ...struct({ name: text, value: integer }), 'x-kubernetes-map-type': 'atomic' },
  listOfSets: keyed(['name'], { name: text, value: setOf(text) }),
  listOfMaps: keyed(['name'], { name: text, value: mapOf(text) }),
  mapOfSets: mapOf(setOf(text)),
  mapOfMaps: mapOf(mapOf(mapOf(text))),
  ports: keyed(['port', 'protocol'], { port: integer, protocol: { ...text, default: 'TCP' }, name: text }),
  book: keyed(['chapter', 'section'], {
    chapter: { ...integer, default: 1 },
    section: { ...text, default: 'A' },
    sentences: keyed(['page', 'line'], { page: { ...integer, default: 2 }, line: { ...integer, default: 3 }, text }),
  }),
  free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
}

function definitionWith(others: Readonly<Record<string, JsonSchema>>): ResourceDefinition {
  const base = definitionOf('ConfigMap')
  const { apiVersion, kind, metadata } = base.schema.properties ?? {}
  const known = Object.entries({ apiVersion, kind, metadata }).filter(([, schema]) => schema !== undefined)
  return { ...base, schema: struct({ ...(Object.fromEntries(known) as Record<string, JsonSchema>), ...properties, ...others }) }
}

/** Registers a test for each case. */
export function runCases(cases: readonly Case[]): void {
  for (const { title, steps, object, owners } of cases) {
    it(title, () => {
      let subject = new OneObject(definitionWith({}))
      for (const step of steps) {
        if (step[0] === 'schema') {
          const { live } = subject
          subject = new OneObject(definitionWith(step[1]))
          if (live !== undefined) subject.live = readAgain(live)
        } else run(subject, step)
      }
      if (object !== undefined) assert.deepEqual(contentOf(subject), object)
      if (owners !== undefined) assert.deepEqual(ownersOf(subject), owners)
    })
  }
}

/** An object as a program that was just started reads it. */
function readAgain<T>(object: T): T {
  return deepFreeze(JSON.parse(JSON.stringify(object)) as T)
}

function run(subject: OneObject, step: Exclude<Step, readonly ['schema', ...unknown[]]>): void {
  const [verb, manager, fields, ...expected] = step
  if (verb === 'update') subject.update(manager, fields)
  else if (verb === 'apply' || verb === 'force') {
    const stored = subject.apply(manager, fields, { force: verb === 'force' })
    assert.equal(subject.apply(manager, fields), stored, 'what is applied again changes nothing')
  } else {
    const before = subject.live
    const err = refusalOf(() => subject.apply(manager, fields))
    assert.equal(subject.live, before)
    if (verb === 'refused') assert.match(err.message, step[3])
    else {
      const conflicts = (err.status.details?.causes ?? []).map(({ message, field }) => `${/"(.*?)"/.exec(message)?.[1]}: ${field}`)
      assert.deepEqual(conflicts, expected)
    }
  }
}

function refusalOf(apply: () => unknown): ApiError {
  try {
    apply()
  } catch (err) {
    if (err instanceof ApiError) return err
    throw err
  }
  throw new Error('nothing was refused')
}

function contentOf({ live }: OneObject): Fields {
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...content } = { ...live } as Fields
  return content
}

function ownersOf(subject: OneObject): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(subject.owners).map(([owner, fields]) => [
      owner,
      pathsOf(fromFieldsV1(fields) ?? EMPTY_SET)
        .map(formatFieldPath)
        .join(' '),
    ]),
  )
}
