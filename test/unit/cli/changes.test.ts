import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyMergePatch } from '../../../src/api/patch.ts'
import { apiError } from '../../../src/api/status.ts'
import { describeApplyError, refuseAll } from '../../../src/cli/apply-errors.ts'
import { commandText, fields } from '../../../src/cli/describe-text.ts'
import { splitKeyChanges } from '../../../src/cli/key-values.ts'
import { mergePatchBetween } from '../../../src/cli/merge-patch.ts'
import { type Placed, placeManifests } from '../../../src/manifest/apply.ts'
import { parseManifests } from '../../../src/manifest/parse.ts'

const TEXT = 'apiVersion: pmk.dev/v1\nkind: Process\nmetadata:\n  name: web\nspec:\n  replicas: 2\n  command: [a]\n'

function placed(text = TEXT): Placed {
  const [one] = placeManifests(parseManifests('web.yaml', text), { namespace: 'default', only: false })
  assert.ok(one)
  return one
}

test('a merge patch holds what changed and nothing else', () => {
  const from = { a: 1, b: { c: 1, d: 2 }, list: [1, 2], gone: true, same: { x: 1 } }
  const to = { a: 1, b: { c: 1, d: 3 }, list: [2], same: { x: 1 }, more: { y: {} } }
  const patch = mergePatchBetween(from, to)
  assert.deepEqual(patch, { b: { d: 3 }, list: [2], gone: null, more: { y: {} } })
  assert.deepEqual(applyMergePatch(from, patch), to)
  assert.deepEqual(mergePatchBetween(from, from), {})
})

test('words of label and annotate are told apart from names', () => {
  assert.deepEqual(splitKeyChanges(['process', 'web', 'a=1', 'x.io/b=', 'c-'], 'label'), {
    names: ['process', 'web'],
    changes: { set: { a: '1', 'x.io/b': '' }, remove: ['c'] },
  })
  assert.deepEqual(splitKeyChanges(['ps/web', 'a=b=c'], 'label').changes.set, { a: 'b=c' })
  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [['ps', 'web'], /at least one label update is required/],
    [['ps', 'web', 'a=1', 'other'], /must come after the names; got "other"/],
    [['ps', 'web', 'a=1', 'a-'], /can not both modify and remove a label in the same command: a/],
  ]
  for (const [args, message] of refused) assert.throws(() => splitKeyChanges(args, 'label'), message)
})

test('a failure to apply names the file and the line of what is at fault', () => {
  const rows: readonly (readonly [Parameters<typeof apiError>, string])[] = [
    [
      ['Invalid', '', { kind: 'Process', name: 'web', causes: [{ field: 'spec.replicas', reason: '', message: 'too many' }] }],
      'The Process "web" is invalid: spec.replicas: too many (web.yaml:6)',
    ],
    [
      [
        'BadRequest',
        'Process in version "v1" cannot be handled as a Process: strict decoding error: unknown field "spec.a", unknown field "b" (did you mean c?)',
      ],
      'error: web.yaml:5: unknown field "spec.a"\nerror: web.yaml:1: unknown field "b" (did you mean c?)',
    ],
    [['Forbidden', 'no'], 'Error from server (Forbidden): no (web.yaml:1)'],
  ]
  for (const [args, text] of rows) assert.equal(describeApplyError(placed(), apiError(...args)), text)
})

test('all objects are checked before one failure is told, and then nothing is applied', async () => {
  const checked: string[] = []
  const all = ['a', 'b', 'c'].map((name) => placed(TEXT.replace('web', name)))
  const check = async (one: Placed): Promise<void> => {
    checked.push(one.ref.name)
    if (one.ref.name !== 'b') throw apiError('Forbidden', `no ${one.ref.name}`)
  }
  await assert.rejects(refuseAll(all, check), {
    message: 'Error from server (Forbidden): no a (web.yaml:1)\nError from server (Forbidden): no c (web.yaml:1)\nNothing was applied.',
    plain: true,
  })
  assert.deepEqual(checked, ['a', 'b', 'c'])
})

test('a mistake of our own is not taken for one of the manifest', async () => {
  const bug = new TypeError('x is not a function')
  await assert.rejects(
    refuseAll([placed()], async () => {
      throw bug
    }),
    bug,
  )
})

test('a namespace on the command line and another one in the manifest are refused', () => {
  const text = TEXT.replace('name: web', 'name: web\n  namespace: prod')
  assert.throws(() => placeManifests(parseManifests('web.yaml', text), { namespace: 'test', only: true }), {
    message: 'web.yaml:5: metadata.namespace: is "prod", which is not the namespace asked for, "test"; leave one of them out',
  })
  assert.deepEqual(placeManifests(parseManifests('web.yaml', text), { namespace: 'test', only: false })[0]?.ref, {
    name: 'web',
    namespace: 'prod',
  })
})

test('described fields stand in line, and what is not known is left out', () => {
  assert.equal(
    fields([
      ['A', 1],
      ['Long', 'x\ny'],
      ['None', undefined],
    ]),
    'A:     1\nLong:  x\n       y\n',
  )
  assert.equal(commandText(['a', '-b', "it's", '']), "a -b 'it'\\''s' ''")
})
