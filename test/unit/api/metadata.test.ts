import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { validateMetadata } from '../../../src/api/metadata.ts'
import { definitionOf } from '../../../src/api/scheme.ts'
import type { DecodedObject } from '../../../src/api/validate.ts'

const fieldsOf = (kind: 'Process' | 'Namespace' | 'ConfigMap', metadata: DecodedObject['metadata']): string[] =>
  validateMetadata(definitionOf(kind), metadata).map(({ field, reason }) => `${field} ${reason.slice(10)}`)
const good = { name: 'web', namespace: 'default' }
const owner = { apiVersion: 'pmk.dev/v1', kind: 'Process', name: 'a', uid: 'u' }

describe('validateMetadata', () => {
  const table: ['Process' | 'Namespace' | 'ConfigMap', DecodedObject['metadata'], ...string[]][] = [
    ['Process', good],
    ['Process', { ...good, name: 'a.b-c.1' }],
    ['Process', { ...good, name: 'a'.repeat(63) }],
    ['Process', { ...good, name: 'a'.repeat(64) }, 'metadata.name Invalid'],
    ['ConfigMap', { ...good, name: 'a'.repeat(253) }],
    ['Process', { ...good, name: 'Web' }, 'metadata.name Invalid'],
    ['Process', { ...good, name: '-web' }, 'metadata.name Invalid'],
    ['Process', { ...good, name: 'a..b' }, 'metadata.name Invalid'],
    ['Process', { ...good, name: 'web\n' }, 'metadata.name Invalid'],
    ['Process', { namespace: 'default' }, 'metadata.name Required'],
    ['Process', { name: 'web' }, 'metadata.namespace Required'],
    ['Process', { ...good, namespace: 'a.b' }, 'metadata.namespace Invalid'],
    ['Namespace', { name: 'prod' }],
    ['Namespace', { name: 'prod.eu' }, 'metadata.name Invalid'],
    ['Namespace', { name: 'prod', namespace: 'x' }, 'metadata.namespace Forbidden'],
    ['Process', { ...good, labels: { app: '', 'example.com/Tier_1': 'a.b' } }],
    ['Process', { ...good, labels: { 'a b': 'x' } }, 'metadata.labels Invalid'],
    ['Process', { ...good, labels: { '/a': 'x' } }, 'metadata.labels Invalid'],
    ['Process', { ...good, labels: { 'a/b/c': 'x' } }, 'metadata.labels Invalid'],
    ['Process', { ...good, labels: { 'Example.com/a': 'x' } }, 'metadata.labels Invalid'],
    ['Process', { ...good, labels: { app: '-x' } }, 'metadata.labels[app] Invalid'],
    ['Process', { ...good, labels: { app: 'x'.repeat(64) } }, 'metadata.labels[app] Invalid'],
    ['Process', { ...good, annotations: { 'Example.com/Key': 'any text\n' } }],
    ['Process', { ...good, annotations: { 'a key': '' } }, 'metadata.annotations Invalid'],
    ['Process', { ...good, annotations: { a: 'x'.repeat(256 * 1024 - 1) } }],
    ['Process', { ...good, annotations: { a: 'ä'.repeat(128 * 1024) } }, 'metadata.annotations TooLong'],
    ['Process', { ...good, finalizers: ['pmk.dev/stop', 'orphan', 'foregroundDeletion'] }],
    ['Process', { ...good, finalizers: ['stop'] }, 'metadata.finalizers[0] Invalid'],
    ['Process', { ...good, finalizers: ['pmk.dev/stop', 'pmk.dev/stop'] }, 'metadata.finalizers[1] Duplicate'],
    [
      'Process',
      {
        ...good,
        ownerReferences: [
          { ...owner, controller: true },
          { ...owner, uid: 'v' },
        ],
      },
    ],
    ['Process', { ...good, ownerReferences: [{ ...owner, name: '' }] }, 'metadata.ownerReferences[0].name Required'],
    [
      'Process',
      {
        ...good,
        ownerReferences: [
          { ...owner, controller: true },
          { ...owner, uid: 'v', controller: true },
        ],
      },
      'metadata.ownerReferences Invalid',
    ],
  ]
  for (const [kind, metadata, ...expected] of table) {
    it(`finds ${expected.join(', ') || 'nothing wrong'} in ${JSON.stringify(metadata).slice(0, 120)} of a ${kind}`, () => {
      assert.deepEqual(fieldsOf(kind, metadata), expected)
    })
  }
})
