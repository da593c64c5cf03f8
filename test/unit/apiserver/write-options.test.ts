import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError } from '../../../src/api/status.ts'
import { warningHeaders } from '../../../src/apiserver/warnings.ts'
import { deleteOptions, type WriteRequest, writeContext } from '../../../src/apiserver/write-options.ts'

function requestOf(query: string, userAgent?: string): WriteRequest {
  return {
    query: new URLSearchParams(query),
    user: { name: 'me', groups: [] },
    userAgent,
    warn: () => {},
    admit: () => {},
  }
}

function fieldOf(fn: () => unknown): string | undefined {
  try {
    fn()
  } catch (err) {
    assert.ok(err instanceof ApiError, String(err))
    assert.equal(err.status.code, 422)
    return err.status.details?.causes?.[0]?.field
  }
  return undefined
}

const managers: readonly [query: string, userAgent: string | undefined, expect: string][] = [
  ['fieldManager=me', 'kubectl/v1.33', 'me'],
  ['', 'kubectl/v1.33.0 (linux/amd64)', 'kubectl'],
  ['', 'pmk', 'pmk'],
  ['', undefined, 'unknown'],
  ['', '/1.0', 'unknown'],
  ['', `${'x'.repeat(200)}/1`, 'x'.repeat(128)],
]
for (const [query, userAgent, expect] of managers) {
  test(`a write with ${query || 'no manager'} by ${userAgent?.slice(0, 20)} is of ${expect.slice(0, 10)}`, () => {
    assert.equal(writeContext('CreateOptions', requestOf(query, userAgent)).fieldManager, expect)
  })
}

const refused: readonly [query: string, field: string][] = [
  [`fieldManager=${'x'.repeat(129)}`, 'fieldManager'],
  ['fieldManager=a%0ab', 'fieldManager'],
  ['dryRun=Some', 'dryRun'],
  ['dryRun=All&dryRun=None', 'dryRun'],
  ['fieldValidation=Lenient', 'fieldValidation'],
]
for (const [query, field] of refused) {
  test(`${query.slice(0, 30)} is refused, naming ${field}`, () => {
    assert.equal(
      fieldOf(() => writeContext('PatchOptions', requestOf(query))),
      field,
    )
  })
}

test('server-side apply needs a field manager of its own', () => {
  assert.equal(
    fieldOf(() => writeContext('PatchOptions', requestOf('', 'kubectl/v1'), { apply: true })),
    'fieldManager',
  )
})

test('dryRun and fieldValidation are read from the query, with Warn as the default', () => {
  const context = writeContext('CreateOptions', requestOf('dryRun=All&fieldValidation=Strict'))
  assert.deepEqual([context.dryRun, context.fieldValidation], [true, 'Strict'])
  const plain = writeContext('CreateOptions', requestOf(''))
  assert.deepEqual([plain.dryRun, plain.fieldValidation], [false, 'Warn'])
})

const body = (value: unknown) => ({ value, duplicates: [] })

test('options of a deletion come from the body', () => {
  const given = {
    preconditions: { uid: 'u', resourceVersion: '3' },
    propagationPolicy: 'Foreground',
    gracePeriodSeconds: 0,
    dryRun: ['All'],
  }
  const { query, context } = deleteOptions(body(given), requestOf(''))
  assert.deepEqual(query, { uid: 'u', resourceVersion: '3', propagation: 'Foreground', gracePeriodSeconds: 0 })
  assert.equal(context.dryRun, true)
})

test('options of a deletion come from the query when there is no body', () => {
  const { query } = deleteOptions(undefined, requestOf('propagationPolicy=Orphan&gracePeriodSeconds=-5'))
  assert.deepEqual(query, { propagation: 'Orphan', gracePeriodSeconds: 1 })
  assert.deepEqual(deleteOptions(undefined, requestOf('orphanDependents=false')).query, { propagation: 'Background' })
})

const badDeletes: readonly [value: unknown, field: string][] = [
  [{ propagationPolicy: 'Now' }, 'propagationPolicy'],
  [{ propagationPolicy: 'Orphan', orphanDependents: true }, 'propagationPolicy'],
  [{ gracePeriodSeconds: '5' }, 'gracePeriodSeconds'],
  [{ gracePeriodSeconds: 1.5 }, 'gracePeriodSeconds'],
  [{ preconditions: { uid: 5 } }, 'preconditions.uid'],
  [{ preconditions: [] }, 'preconditions'],
  [{ dryRun: 'All' }, 'dryRun'],
  [{ dryRun: ['Some'] }, 'dryRun'],
  [{ kind: 'Process' }, 'kind'],
  [[], ''],
]
for (const [value, field] of badDeletes) {
  test(`a deletion with ${JSON.stringify(value)} is refused, naming ${field || 'the body'}`, () => {
    assert.equal(
      fieldOf(() => deleteOptions(body(value), requestOf(''))),
      field,
    )
  })
}

test('warnings are quoted, without control characters, each once, and bounded', () => {
  assert.deepEqual(warningHeaders(['unknown field "spec.x"', 'a\r\nb\\c', 'a\r\nb\\c']), [
    '299 - "unknown field \\"spec.x\\""',
    '299 - "a b\\\\c"',
  ])
  assert.equal(Buffer.from(warningHeaders(['größer'])[0] ?? '', 'latin1').toString('utf8'), '299 - "größer"')
  const many = warningHeaders(Array.from({ length: 10 }, (_, index) => `${index}`.repeat(1_000)))
  assert.equal(many.length, 5)
  assert.equal(many[4], '299 - "6 more could not be shown"')
})
