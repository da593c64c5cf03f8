import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { definitionOf } from '../../../src/api/scheme.ts'
import { formatFieldPath } from '../../../src/registry/field-path.ts'
import { fieldSet, LEAF_SET, pathsOf } from '../../../src/registry/field-set.ts'
import { decodeOwners, encodeOwners, type Owner, ownable } from '../../../src/registry/managed-fields.ts'

/** An owner of `.name` and nothing else, whose time is so many seconds. */
const updater = (manager: string, second: number, apiVersion = 'v1', operation: Owner['operation'] = 'Update'): Owner => ({
  manager,
  operation,
  apiVersion,
  time: `2025-01-01T00:00:${String(second).padStart(2, '0')}Z`,
  fields: fieldSet(false, [[`f:${manager}`, LEAF_SET]]),
})

const shown = (owners: readonly Owner[]): string[] =>
  (encodeOwners(owners) ?? []).map(
    ({ manager, apiVersion, time, fieldsV1 }) =>
      `${manager} ${apiVersion} ${time?.slice(17, 19)} ${Object.keys(fieldsV1 ?? {})
        .map((element) => element.slice(2))
        .join(',')}`,
  )

describe('more than ten updaters', () => {
  const recent = Array.from({ length: 8 }, (_, index) => updater(`m${index}`, 20 + index))

  it('become ten by merging the oldest of each API version, oldest first', () => {
    const old = [updater('a', 1, 'v1'), updater('b', 2, 'v2'), updater('c', 3, 'v1'), updater('d', 4, 'v2'), updater('e', 5, 'v1')]
    assert.deepEqual(shown([...recent, ...old]).slice(0, 3), ['ancient-changes v2 04 b,d', 'ancient-changes v1 05 a,c,e', 'm0 v1 20 m0'])
  })

  it('stay more than ten when no two have the same API version, and appliers never count', () => {
    const owners = Array.from({ length: 12 }, (_, index) => updater(`m${index}`, index, `v${index}`))
    assert.equal(shown(owners).length, 12)
    const appliers = Array.from({ length: 20 }, (_, index) => updater(`a${index}`, index, 'v1', 'Apply'))
    assert.equal(shown([...appliers, ...recent]).length, 28)
  })

  it('are merged into what was merged before', () => {
    const before = [updater('ancient-changes', 10), updater('x', 11), updater('y', 12)]
    assert.deepEqual(shown([...recent, ...before]).slice(0, 2), ['ancient-changes v1 11 ancient-changes,x', 'y v1 12 y'])
  })

  it('leave one entry of the merged however old that was', () => {
    const before = [updater('a', 1), updater('b', 2), updater('ancient-changes', 30)]
    const merged = shown([...recent, ...before])
    assert.equal(merged.length, 10)
    assert.deepEqual([merged[0], merged.at(-1)], ['b v1 02 b', 'ancient-changes v1 30 a,ancient-changes'])
  })
})

describe('a list of managedFields', () => {
  const entry = { manager: 'm', operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { 'f:a': {} } }
  const decode = (part: object): readonly Owner[] | undefined => decodeOwners([{ ...entry, ...part }])

  it('may leave out manager, time and fields', () => {
    assert.deepEqual(decode({ manager: undefined })?.[0]?.manager, '')
    assert.equal(decode({ fieldsV1: undefined })?.length, 1)
    assert.equal(encodeOwners(decode({ fieldsV1: undefined }) ?? []), undefined, 'who owns nothing is not written')
  })

  for (const part of [
    { operation: 'Delete' },
    { operation: undefined },
    { apiVersion: '' },
    { apiVersion: undefined },
    { fieldsType: '' },
    { fieldsType: 'FieldsV2' },
    { fieldsV1: { 'k:{': {} } },
    { fieldsV1: [] },
  ]) {
    it(`can't be read with ${JSON.stringify(part)} ${Object.keys(part).join()}`, () => assert.equal(decode(part), undefined))
  }

  it('has one Apply entry of a manager whatever its API version, and an Update entry for each', () => {
    const owners = (operation: string): number | undefined =>
      decodeOwners([
        { ...entry, operation },
        { ...entry, operation, apiVersion: 'v2', fieldsV1: { 'f:b': {} } },
      ])?.length
    assert.deepEqual([owners('Apply'), owners('Update')], [1, 2])
  })
})

it('nobody owns what belongs to the server, and the status only through /status', () => {
  const names = ['name', 'namespace', 'uid', 'resourceVersion', 'generation', 'creationTimestamp', 'selfLink', 'managedFields', 'labels']
  const all = fieldSet(false, [
    ['f:apiVersion', LEAF_SET],
    ['f:kind', LEAF_SET],
    [
      'f:metadata',
      fieldSet(
        true,
        names.map((name) => [`f:${name}`, LEAF_SET]),
      ),
    ],
    ['f:spec', LEAF_SET],
    ['f:status', LEAF_SET],
  ])
  const owned = (kind: 'Process' | 'ConfigMap', subresource?: string): string =>
    pathsOf(ownable(definitionOf(kind), all, subresource))
      .map(formatFieldPath)
      .join(' ')
  assert.equal(owned('Process'), '.spec .metadata.labels')
  assert.equal(owned('Process', 'status'), '.status')
  assert.equal(owned('Process', 'scale'), '.spec .metadata.labels')
  assert.equal(owned('ConfigMap'), '.spec .status .metadata.labels')
})
