import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ApiError, apiError } from '../../../src/api/status.ts'
import { CliError } from '../../../src/cli/cli-error.ts'
import { compileColumns } from '../../../src/cli/custom-columns.ts'
import { describeError, exitCodeOf } from '../../../src/cli/errors.ts'
import { layoutOf } from '../../../src/cli/get-table.ts'
import { parseOutput } from '../../../src/cli/output.ts'
import { definitionNamed, definitionsNamed, pathOf, printedName } from '../../../src/cli/resources.ts'
import { comparatorOf } from '../../../src/cli/sort-by.ts'
import { suggest } from '../../../src/cli/suggest.ts'
import { cellText, formatTable } from '../../../src/cli/table.ts'

test('a table has three spaces between its columns and none at the ends', () => {
  const text = formatTable(
    ['Name', 'Ready', 'Age'],
    [
      ['web', '1/2', '5m'],
      ['a-long-name', '1/1', '10d'],
    ],
    { headers: true },
  )
  assert.equal(text, 'NAME          READY   AGE\nweb           1/2     5m\na-long-name   1/1     10d\n')
})

test('a later part of a table keeps to the columns of the first', () => {
  const widths: number[] = []
  formatTable(['Name', 'Age'], [['a-long-name', '1m']], { headers: true, widths })
  assert.equal(formatTable(['Name', 'Age'], [['web', '2m']], { headers: false, widths }), 'web           2m\n')
})

test('what a program writes into its status cannot steer the terminal', () => {
  assert.equal(formatTable(['A'], [['\u001b[31mred\nnext']], { headers: false }), '^[[31mred^Jnext\n')
})

test('status is coloured only where colour is asked for', () => {
  assert.equal(formatTable(['Status', 'X'], [['Running', '1']], { headers: false, colour: true }), '\u001b[32mRunning\u001b[0m   1\n')
  assert.equal(formatTable(['Status', 'X'], [['Running', '1']], { headers: false }), 'Running   1\n')
})

test('an empty cell says so', () => {
  assert.deepEqual([cellText(null), cellText(''), cellText(0), cellText(false)], ['<none>', '<none>', '0', 'false'])
})

test('columns of low priority are for wide output, namespaces for all of them', () => {
  const definition = definitionNamed('ps')
  const columns = [
    { name: 'Name', priority: 0 },
    { name: 'Revision', priority: 1 },
  ]
  const flags = { 'all-namespaces': true, 'no-headers': false, 'show-labels': true, 'label-columns': ['x/tier'] }
  const object = {
    apiVersion: 'v1',
    kind: 'X',
    metadata: { name: 'web', namespace: 'prod', labels: { b: '2', 'x/tier': 'front' } },
  } as never
  const layout = layoutOf(definition, columns, { wide: false, kinds: true, flags })
  assert.deepEqual(layout.headers, ['Namespace', 'Name', 'tier', 'Labels'])
  assert.deepEqual(layout.row({ cells: ['web', 'r1'], object }), ['prod', 'process.pmk.dev/web', 'front', 'b=2,x/tier=front'])
  assert.deepEqual(layoutOf(definition, columns, { wide: true, kinds: false, flags }).headers, [
    'Namespace',
    'Name',
    'Revision',
    'tier',
    'Labels',
  ])
})

test('custom columns show what paths lead to', () => {
  const { headers, row } = compileColumns('NAME:.metadata.name,ARGS:.spec.args[0,1],NO:.x')
  assert.deepEqual(headers, ['NAME', 'ARGS', 'NO'])
  assert.deepEqual(row({ metadata: { name: 'web' }, spec: { args: ['a', 'b'] } }), ['web', 'a,b', '<none>'])
  assert.throws(() => compileColumns('NAME'), { message: 'unexpected custom-columns spec: NAME, expected <header>:<json-path-expr>' })
})

test('an output format that is not there is named with those that are', async () => {
  await assert.rejects(parseOutput('xml'), {
    message:
      'unable to match a printer suitable for the output format "xml", allowed formats are: custom-columns,json,jsonpath,jsonpath-as-json,name,wide,yaml',
  })
  await assert.rejects(parseOutput('json=x'), /output format "json=x"/)
  await assert.rejects(parseOutput('jsonpath'), { message: 'template format specified but no template given' })
})

test('kinds go by all of their names, and a slip is answered with what was meant', () => {
  for (const name of ['Process', 'processes', 'ps', 'proc', 'processes.pmk.dev', 'process.v1.pmk.dev'])
    assert.equal(definitionNamed(name).kind, 'Process')
  const told = (name: string): string => {
    try {
      return definitionNamed(name).kind
    } catch (err) {
      return describeError(err)
    }
  }
  assert.equal(told('proces'), `error: the server doesn't have a resource type "proces"; did you mean "processes"?`)
  assert.equal(told('widgets'), `error: the server doesn't have a resource type "widgets"`)
  assert.deepEqual(
    definitionsNamed('ps,inst,process').map(({ kind }) => kind),
    ['Process', 'Instance'],
  )
  assert.ok(definitionsNamed('all').some(({ kind }) => kind === 'Process'))
})

test('names and paths are those of Kubernetes', () => {
  assert.equal(printedName(definitionNamed('ps'), 'web'), 'process.pmk.dev/web')
  assert.equal(printedName(definitionNamed('cm'), 'web'), 'configmap/web')
  assert.equal(pathOf(definitionNamed('ps'), 'a b', '../x'), '/apis/pmk.dev/v1/namespaces/a%20b/processes/..%2Fx')
  assert.equal(pathOf(definitionNamed('nodes'), 'default', 'n1'), '/apis/pmk.dev/v1/nodes/n1')
  assert.equal(pathOf(definitionNamed('cm'), undefined), '/api/v1/configmaps')
})

test('sorting compares numbers and quantities by size and puts what has no value first', () => {
  const sorted = (path: string, objects: readonly object[]): readonly object[] => [...objects].sort(comparatorOf(path))
  assert.deepEqual(sorted('.a', [{ a: 10 }, { a: 9 }, {}]), [{}, { a: 9 }, { a: 10 }])
  assert.deepEqual(sorted('{.a}', [{ a: '1Gi' }, { a: '512Mi' }]), [{ a: '512Mi' }, { a: '1Gi' }])
  assert.deepEqual(sorted('.a', [{ a: 'b' }, { a: 'a' }]), [{ a: 'a' }, { a: 'b' }])
})

test('a slip of the finger is recognised, another word is not', () => {
  assert.equal(suggest('aply', ['apply', 'delete']), 'apply')
  assert.equal(suggest('gte', ['get', 'logs']), 'get')
  assert.equal(suggest('desc', ['describe', 'delete']), 'describe')
  assert.equal(suggest('frobnicate', ['apply', 'get']), undefined)
})

test('errors of the server are worded as kubectl words them', () => {
  assert.equal(
    describeError(apiError('NotFound', 'processes.pmk.dev "web" not found')),
    'Error from server (NotFound): processes.pmk.dev "web" not found',
  )
  const causes = [
    { field: 'spec.command', reason: 'FieldValueRequired', message: 'Required value' },
    { field: 'spec.replicas', reason: 'FieldValueInvalid', message: 'Invalid value: -1: must be at least 0' },
  ]
  const invalid = (count: number): ApiError => apiError('Invalid', 'long', { name: 'web', kind: 'Process', causes: causes.slice(0, count) })
  assert.equal(describeError(invalid(1)), 'The Process "web" is invalid: spec.command: Required value')
  assert.equal(
    describeError(invalid(2)),
    'The Process "web" is invalid:\n* spec.command: Required value\n* spec.replicas: Invalid value: -1: must be at least 0',
  )
  assert.equal(describeError(new CliError('no such thing', { exitCode: 3 })), 'error: no such thing')
  assert.equal(exitCodeOf(new CliError('x', { exitCode: 3 })), 3)
  assert.equal(exitCodeOf(new Error('x')), 1)
})
