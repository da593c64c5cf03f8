import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import { after, before, test } from 'node:test'
import { TestApiServer } from '../support/api-server.ts'
import { type CliAnswer, runPmk } from '../support/cli.ts'

let server: TestApiServer

before(async () => {
  server = await TestApiServer.start()
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  await server.client.for('ClusterRoleBinding').create({
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'readers' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'Group', name: 'readers' }],
  })
})

after(() => server.stop())

function pmk(...words: readonly string[]): Promise<CliAnswer> {
  return runPmk(words, { home: dirname(server.socketPath) })
}

const asReader = ['--as', 'ann', '--as-group', 'writers', '--as-group', 'readers']

test('can-i answers yes with 0 and no with 1, for kinds, subresources, paths and verbs of our own', async () => {
  const rows: readonly [readonly string[], number, string][] = [
    [['create', 'processes'], 0, 'yes\n'],
    [['runas', 'users.pmk.dev/root'], 0, 'yes\n'],
    [['list', 'proc', ...asReader], 0, 'yes\n'],
    [['create', 'proc', ...asReader], 1, 'no\n'],
    [['get', 'secrets/a', ...asReader], 1, 'no\n'],
    [['update', 'proc', 'web', '--subresource', 'scale', ...asReader], 1, 'no\n'],
    [['runas', 'users.pmk.dev/root', ...asReader], 1, 'no\n'],
    [['get', '/version', ...asReader], 0, 'yes\n'],
    [['get', '/pmk/v1/backup', ...asReader], 1, 'no\n'],
    [['create', 'processes', '-q', ...asReader], 1, ''],
  ]
  for (const [words, code, stdout] of rows) {
    const answer = await pmk('auth', 'can-i', ...words)
    assert.deepEqual({ code: answer.code, stdout: answer.stdout, stderr: answer.stderr }, { code, stdout, stderr: '' }, words.join(' '))
  }
})

test('can-i warns of kinds that there are not, and lists what may be done', async () => {
  const unknown = await pmk('auth', 'can-i', 'get', 'unicorns')
  assert.equal(unknown.stderr, "Warning: the server doesn't have a resource type 'unicorns'\n")
  const { code, stdout } = await pmk('auth', 'can-i', '--list', ...asReader)
  assert.equal(code, 0)
  assert.match(stdout, /^RESOURCES +NON-RESOURCE URLS +RESOURCE NAMES +VERBS\n/)
  assert.match(stdout, /processes\.pmk\.dev,processes\.pmk\.dev\/status,processes\.pmk\.dev\/scale +\[\] +\[\] +\[get list watch\]/)
})

test('whoami shows name and groups', async () => {
  const { stdout } = await pmk('auth', 'whoami', ...asReader)
  assert.equal(stdout, 'ATTRIBUTE   VALUE\nUsername    ann\nGroups      [writers readers system:authenticated]\n')
})
