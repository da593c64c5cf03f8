import assert from 'node:assert/strict'
import { test } from 'node:test'
import { launchTextOf } from '../../../src/api/launch-fields.ts'
import { applyMergePatch } from '../../../src/api/patch.ts'
import { definitionOf } from '../../../src/api/scheme.ts'
import { structure } from '../../../src/api/structure.ts'
import { rolloutState } from '../../../src/cli/rollout-status.ts'
import { chosenRevision, undoPatch } from '../../../src/cli/rollout-undo.ts'
import type { Process, ProcessStatus, Revision } from '../../../src/generated/types.ts'

function processOf(spec: object, status?: ProcessStatus): Process {
  const object = {
    apiVersion: 'pmk.dev/v1',
    kind: 'Process',
    metadata: { name: 'web', namespace: 'default', uid: 'p', generation: 2, resourceVersion: '1' },
    spec,
    ...(status && { status }),
  }
  return structure(definitionOf('Process').schema, object, { defaults: true, nulls: 'drop' }) as object as Process
}

const revisionOf = (template: object, revision = 1): Revision =>
  ({ kind: 'Revision', revision, metadata: { name: `web-${revision}` }, spec: { process: 'web', template } }) as object as Revision

interface UndoRow {
  readonly title: string
  readonly now: object
  readonly wanted: object
  readonly patch: object
}

const undoRows: readonly UndoRow[] = [
  { title: 'a changed command comes back', now: { command: ['b'] }, wanted: { command: ['a'] }, patch: { command: ['a'] } },
  {
    title: 'a field that the revision leaves out is removed',
    now: { command: ['a'], args: ['-v'], workingDir: '/srv' },
    wanted: { command: ['a'] },
    patch: { args: null, workingDir: null },
  },
  {
    title: 'a script takes the place of a command',
    now: { command: ['a'] },
    wanted: { script: 'exit 0' },
    patch: { command: null, script: 'exit 0' },
  },
  {
    title: 'inside of an object only what differs',
    now: { command: ['a'], securityContext: { umask: '0027', noNewPrivileges: true } },
    wanted: { command: ['a'], securityContext: { noNewPrivileges: true } },
    patch: { securityContext: { umask: null } },
  },
  {
    title: 'live fields are left alone',
    now: { command: ['b'], replicas: 3, terminationGracePeriodSeconds: 7 },
    wanted: { command: ['a'] },
    patch: { command: ['a'] },
  },
  { title: 'nothing when it is the same', now: { command: ['a'], replicas: 3 }, wanted: { command: ['a'] }, patch: {} },
]
for (const { title, now, wanted, patch } of undoRows) {
  test(`undo: ${title}`, () => {
    const process = processOf(now)
    assert.deepEqual(undoPatch(process, revisionOf(wanted)), patch)
    const after = applyMergePatch(process.spec, undoPatch(process, revisionOf(wanted))) as object
    assert.equal(launchTextOf(after), launchTextOf(processOf(wanted).spec), 'the launch is that of the revision')
  })
}

test('undo goes to the revision before the newest, or to the one named', () => {
  const all = [revisionOf({}, 2), revisionOf({}, 4), revisionOf({}, 5)]
  assert.equal(chosenRevision(all, 0, 'web').revision, 4)
  assert.equal(chosenRevision(all, 2, 'web').revision, 2)
  assert.throws(() => chosenRevision(all, 3, 'web'), /unable to find revision 3 of web: there is 2, 4, 5/)
  assert.throws(() => chosenRevision([revisionOf({}, 1)], 0, 'web'), /nothing to go back to/)
})

const done: ProcessStatus = { observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2 }
const stateRows: readonly {
  readonly title: string
  readonly spec?: object
  readonly status?: ProcessStatus
  readonly expect: readonly [string, RegExp]
}[] = [
  { title: 'complete', status: done, expect: ['complete', /successfully rolled out/] },
  { title: 'not observed yet', status: { ...done, observedGeneration: 1 }, expect: ['waiting', /to be observed/] },
  { title: 'half updated', status: { ...done, updatedReplicas: 1 }, expect: ['waiting', /1 out of 2 new Instances/] },
  {
    title: 'half updated and paused',
    spec: { updateStrategy: { paused: true } },
    status: { ...done, updatedReplicas: 1 },
    expect: ['waiting', /paused/],
  },
  { title: 'not available', status: { ...done, availableReplicas: 0 }, expect: ['waiting', /0 of 2 updated Instances are available/] },
  { title: 'surplus Instances', status: { ...done, replicas: 3 }, expect: ['waiting', /1 surplus/] },
  { title: 'stopped', spec: { desiredState: 'Stopped' }, status: { ...done, availableReplicas: 0 }, expect: ['complete', /is stopped/] },
  {
    title: 'over its deadline',
    status: { ...done, updatedReplicas: 1, conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }] },
    expect: ['failed', /exceeded its progress deadline/],
  },
]
for (const { title, spec = {}, status, expect } of stateRows) {
  test(`rollout status: ${title}`, () => {
    const { state, message } = rolloutState(processOf({ command: ['a'], replicas: 2, ...spec }, status))
    assert.equal(state, expect[0])
    assert.match(message, expect[1])
  })
}
