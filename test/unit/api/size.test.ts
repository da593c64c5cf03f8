import assert from 'node:assert/strict'
import { test } from 'node:test'
import { invalidField, invalidObject } from '../../../src/api/field-errors.ts'
import { definitionOf } from '../../../src/api/scheme.ts'
import { MAX_DEPTH, MAX_VALUES, requireModest } from '../../../src/api/size.ts'
import { hasReason } from '../../../src/api/status.ts'
import { applyStrategicMerge } from '../../../src/api/strategic-merge.ts'
import { nearest } from '../../../src/api/suggest.ts'
import { decodeObject } from '../../../src/api/validate.ts'
import { patched } from '../../../src/registry/patched.ts'

const definition = definitionOf('Process')

test('an object of too many values is refused, however they are arranged; the last one that is allowed is not', () => {
  const isTooLarge = (err: unknown): boolean => hasReason(err, 'RequestEntityTooLarge')
  requireModest(Array.from({ length: MAX_VALUES - 1 }, () => 1))
  assert.throws(() => requireModest(Array.from({ length: MAX_VALUES }, () => 1)), isTooLarge)
  assert.throws(() => requireModest(Object.fromEntries(Array.from({ length: MAX_VALUES }, (_, at) => [`x${at}`, {}]))), isTooLarge)
})

test('a patch that nests an object into itself again and again is refused before anybody walks the result', () => {
  const wrap = [
    { op: 'move', from: '/spec', path: '/a' },
    { op: 'add', path: '/spec', value: {} },
    { op: 'move', from: '/a', path: '/spec/a' },
  ]
  const operations = Array.from({ length: 2_000 }, () => wrap).flat()
  assert.throws(
    () => patched(definition, { spec: {} }, { type: 'json', operations }),
    (err) => hasReason(err, 'BadRequest') && err.message === `nested more than ${MAX_DEPTH} levels deep`,
  )
})

test('of very many bad fields a hundred are told of, and how many more there are', () => {
  const causes = Array.from({ length: 5_000 }, (_, index) => invalidField(`spec.command[${index}]`, 1, 'must be a string'))
  const { status } = invalidObject(definition, 'web', causes)
  assert.equal(status.details?.causes?.length, 100)
  assert.match(status.message, /spec\.command\[99\]: .*, and 4900 more\]$/)
})

test('of very many unknown fields a hundred are told of', () => {
  const spec = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`x${at}`, 1]))
  const { strictErrors } = decodeObject(definition, { spec }, { fieldValidation: 'Strict' })
  assert.equal(strictErrors.length, 100)
})

test('a word of a million letters is nobody’s misspelling', () => {
  assert.equal(nearest(['command', 'replicas'], 'c'.repeat(1_000_000)), undefined)
  assert.equal(nearest(['command', 'replicas'], 'comand'), 'command')
})

test('a strategic merge of a set adds each item once, and takes out what it says', () => {
  const { schema } = definitionOf('ConfigMap')
  const merged = applyStrategicMerge(
    schema,
    { metadata: { finalizers: ['a/a', 'a/b'] } },
    { metadata: { finalizers: ['a/b', 'a/c', 'a/c'], '$deleteFromPrimitiveList/finalizers': ['a/a'] } },
  )
  assert.deepEqual(merged, { metadata: { finalizers: ['a/b', 'a/c'] } })
})
