import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ApiObject } from '../../../src/api/object.ts'
import { controllerOf, isControlledBy, isOwnedBy, ownerReferenceTo } from '../../../src/api/owners.ts'

const object = (uid: string, ownerReferences?: ApiObject['metadata']['ownerReferences']): ApiObject => ({
  apiVersion: 'pmk.dev/v1',
  kind: 'Process',
  metadata: {
    name: 'web',
    uid,
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: '2025-01-01T00:00:00Z',
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
  },
})

describe('owners', () => {
  it('are told by uid, not by name', () => {
    const owner = object('u1')
    const reference = ownerReferenceTo(owner)
    assert.deepEqual(reference, {
      apiVersion: 'pmk.dev/v1',
      kind: 'Process',
      name: 'web',
      uid: 'u1',
      controller: true,
      blockOwnerDeletion: true,
    })
    const owned = object('x', [{ ...reference, uid: 'u0', controller: false }, reference])
    assert.equal(controllerOf(owned), reference)
    assert.deepEqual([isOwnedBy(owned, owner), isOwnedBy(owned, object('u0')), isOwnedBy(owned, object('u2'))], [true, true, false])
    assert.deepEqual([isControlledBy(owned, owner), isControlledBy(owned, object('u0'))], [true, false])
    assert.deepEqual([controllerOf(owner), isOwnedBy(owner, owner)], [undefined, false])
  })
})
