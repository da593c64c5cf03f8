import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findByName } from '../../../src/api/scheme.ts'

const rows: readonly (readonly [name: string, kind: string | undefined])[] = [
  ['processes', 'Process'],
  ['Process', 'Process'],
  ['proc', 'Process'],
  ['processes.pmk.dev', 'Process'],
  ['processes.v1.pmk.dev', 'Process'],
  ['processes.example.org', undefined],
  ['pods', 'Pod'],
  ['po', 'Pod'],
  ['pods.metrics.k8s.io', 'PodMetrics'],
  ['source', 'ManifestSource'],
  ['sources', 'ManifestSource'],
  ['crd', 'CustomResourceDefinition'],
  ['nodes', 'Node'],
  ['nonsense', undefined],
]
for (const [name, kind] of rows) {
  test(`${name} means ${kind ?? 'nothing'}`, () => assert.equal(findByName(name)?.kind, kind))
}
