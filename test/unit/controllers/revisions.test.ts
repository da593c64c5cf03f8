import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ownerReferenceTo } from '../../../src/api/owners.ts'
import { launchDataOf, type ReadData } from '../../../src/controllers/launch-data.ts'
import { chooseRevision, isAdoptableRevision, obsoleteRevisions, revisionName } from '../../../src/controllers/revisions.ts'
import { rolloutActor } from '../../../src/controllers/rollout-actor.ts'
import { schedule } from '../../../src/controllers/scheduler.ts'
import type { ManagedFieldsEntry, Revision, Secret } from '../../../src/generated/types.ts'
import { instanceOf, processOf, revisionOf } from '../../support/process-objects.ts'

const none = { fingerprint: undefined, incomplete: false }
const process = processOf({ command: ['nginx'], args: ['-g', 'daemon off;'] })

test('the name of a revision never changes from one version of pmk to the next', () => {
  // Golden: another name here restarts every Process of every user at the next upgrade.
  assert.equal(revisionName(process, none, 0), 'web-b405f3b4')
  assert.equal(
    revisionName(processOf({ command: ['nginx'], args: ['-g', 'daemon off;'], workingDir: '/', replicas: 7, stopSignal: 'QUIT' }), none, 0),
    revisionName(process, none, 0),
  )
  assert.notEqual(revisionName(process, { fingerprint: 'abc', incomplete: false }, 0), revisionName(process, none, 0))
  assert.notEqual(revisionName(process, none, 1), revisionName(process, none, 0))
})

test('the first revision has number 1, a new one follows the highest', () => {
  assert.deepEqual(chooseRevision(process, none, []), { type: 'create', name: revisionName(process, none, 0), number: 1, collisions: 0 })
  const choice = chooseRevision(process, none, [mine('web-a', 3, { command: ['a'] }), mine('web-b', 9, { command: ['b'] })])
  assert.equal(choice.type === 'create' && choice.number, 10)
})

test('a revision of the same launch is used, whatever its name', () => {
  const same = mine('web-strange', 2, { command: ['nginx'], args: ['-g', 'daemon off;'] })
  assert.deepEqual(chooseRevision(process, none, [mine('web-a', 1, {}), same]), { type: 'use', revision: same })
})

test('one that is not the newest becomes it', () => {
  const same = mine('web-x', 2, { command: ['nginx'], args: ['-g', 'daemon off;'] })
  assert.deepEqual(chooseRevision(process, none, [same, mine('web-a', 5, {})]), { type: 'renumber', revision: same, number: 6 })
})

test('a revision of another object keeps its name, and another name is found', () => {
  const foreign = {
    ...revisionOf(revisionName(process, none, 0)),
    metadata: {
      ...revisionOf('x').metadata,
      name: revisionName(process, none, 0),
      ownerReferences: [{ apiVersion: 'v1', kind: 'Other', name: 'o', uid: 'u', controller: true }],
    },
  }
  const choice = chooseRevision(process, none, [foreign])
  assert.deepEqual(choice, { type: 'create', name: revisionName(process, none, 1), number: 1, collisions: 1 })
  assert.equal(isAdoptableRevision(process, foreign), false)
})

test('those without an owner, or of an earlier Process of the name, are taken over', () => {
  assert.equal(isAdoptableRevision(process, revisionOf('web-a')), true)
  const earlier = { ...ownerReferenceTo(process), uid: 'earlier' }
  assert.equal(isAdoptableRevision(process, revisionOf('web-a', { metadata: { ownerReferences: [earlier] } })), true)
  assert.equal(isAdoptableRevision(process, mine('web-a', 1, {})), false)
})

test('the oldest beyond the limit go, never one that is in use', () => {
  const limited = processOf({ revisionHistoryLimit: 2 }, { status: { currentRevision: 'web-3', updateRevision: 'web-7' } })
  const all = [1, 2, 3, 4, 5, 6, 7].map((number) => mine(`web-${number}`, number, {}))
  const instances = [instanceOf(0, { revision: 'web-2', runs: 'web-1' })]
  const names = obsoleteRevisions(limited, all, instances).map(({ metadata }) => metadata.name)
  assert.deepEqual(names, ['web-4'])
})

const withSecret = processOf({ env: [{ name: 'P', valueFrom: { secretKeyRef: { name: 'db', key: 'password', optional: false } } }] })

test('data changes the fingerprint, another key does not', () => {
  const one = fingerprint({ db: secret('u1', { password: 'b25l', other: 'eA==' }) })
  assert.equal(fingerprint({ db: secret('u1', { password: 'b25l', other: 'eQ==' }) }), one)
  assert.notEqual(fingerprint({ db: secret('u1', { password: 'dHdv' }) }), one)
})

test('a fingerprint tells nothing to who does not know the uid of the Secret', () => {
  assert.notEqual(fingerprint({ db: secret('u1', { password: 'b25l' }) }), fingerprint({ db: secret('u2', { password: 'b25l' }) }))
})

test('what is missing is incomplete unless it is optional', () => {
  assert.equal(launchDataOf(withSecret.spec, () => undefined).incomplete, true)
  const optional = processOf({ envFrom: [{ secretRef: { name: 'db', optional: true } }, { configMapRef: { name: 'c', optional: true } }] })
  assert.equal(launchDataOf(optional.spec, () => undefined).incomplete, false)
  assert.deepEqual(
    launchDataOf(process.spec, () => undefined),
    none,
  )
})

test('with data missing the newest revision of the template stays, and a new template gets its own', () => {
  const newest = { ...mine('web-a', 3, launchOf(withSecret)), spec: { process: 'web', dataHash: 'before', template: launchOf(withSecret) } }
  const data = launchDataOf(withSecret.spec, () => undefined)
  assert.deepEqual(chooseRevision(withSecret, data, [newest]), { type: 'use', revision: newest })
  assert.equal(chooseRevision(withSecret, data, [newest, mine('web-b', 4, {})]).type, 'create')
})

test('the actor is who changed the spec last', () => {
  const entry = (manager: string, second: number, fields: object, rest: Partial<ManagedFieldsEntry> = {}): ManagedFieldsEntry => ({
    manager,
    operation: 'Update',
    time: `2026-01-01T00:00:0${second}Z`,
    fieldsV1: fields,
    ...rest,
  })
  const managedFields = [
    entry('pmk', 1, { 'f:spec': {} }),
    entry('pmk-restart', 3, { 'f:spec': { 'f:restartedAt': {} } }),
    entry('labeller', 5, { 'f:metadata': { 'f:labels': {} } }),
    entry('pmk-controllers', 6, { 'f:status': {} }, { subresource: 'status' }),
  ]
  assert.equal(rolloutActor(processOf({}, { metadata: { managedFields } })), 'pmk-restart')
  assert.equal(rolloutActor(processOf({})), undefined)
})

test('each goes where there are fewest then, the first name among equals', () => {
  assert.deepEqual(
    schedule(4, [
      { name: 'b', instances: 1 },
      { name: 'a', instances: 2 },
      { name: 'c', instances: 2 },
    ]),
    ['b', 'a', 'b', 'c'],
  )
  assert.deepEqual(schedule(2, []), [])
  assert.deepEqual(schedule(0, [{ name: 'a', instances: 0 }]), [])
})

function mine(name: string, number: number, template: object): Revision {
  return revisionOf(name, {
    revision: number,
    spec: { process: 'web', template },
    metadata: { ownerReferences: [ownerReferenceTo(process)] },
  })
}

function launchOf(owner: typeof process): object {
  return { command: owner.spec.command, env: [{ name: 'P', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }] }
}

function secret(uid: string, data: Readonly<Record<string, string>>): Secret {
  return { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: { ...process.metadata, name: 'db', uid }, data }
}

function fingerprint(secrets: Readonly<Record<string, Secret>>): string | undefined {
  const read: ReadData = (_kind, name) => secrets[name]
  return launchDataOf(withSecret.spec, read).fingerprint
}
