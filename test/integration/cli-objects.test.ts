import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { definitions, findByName } from '../../src/api/scheme.ts'
import { TestApiServer } from '../support/api-server.ts'
import { type CliAnswer, type CliOptions, runPmk } from '../support/cli.ts'
import { eventually } from '../support/eventually.ts'

let server: TestApiServer
let home = ''
let dir = ''
before(async () => {
  server = await TestApiServer.start()
  home = dirname(server.socketPath)
  dir = await mkdtemp(join(tmpdir(), 'pmk-cli-'))
})
after(async () => {
  await server.stop()
  await rm(dir, { recursive: true, force: true })
})
afterEach(async () => {
  const { items } = await server.client.for('Process').list()
  for (const { metadata } of items) {
    const ref = { name: metadata.name, namespace: metadata.namespace ?? 'default' }
    await server.client.for('Process').delete(ref)
    // No controller runs here that would stop it and take the finalizer off.
    await release(ref)
  }
})

function pmk(line: string, options: CliOptions = {}): Promise<CliAnswer> {
  return runPmk(words(line), { home, cwd: dir, ...options })
}

async function ok(line: string, options: CliOptions = {}): Promise<string> {
  const answer = await pmk(line, options)
  assert.deepEqual({ code: answer.code, stderr: answer.stderr }, { code: 0, stderr: '' }, line)
  return answer.stdout
}

/** Words of a command line; single quotes keep spaces. */
function words(line: string): readonly string[] {
  return [...line.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ''))
}

async function release(ref: { readonly name: string; readonly namespace: string }): Promise<void> {
  await server.client
    .for('Process')
    .patch(ref, { type: 'merge', value: { metadata: { finalizers: null } } })
    .catch(() => {})
}

function processText(name: string, spec = 'command: [sleep, "1000"]'): string {
  return `apiVersion: pmk.dev/v1\nkind: Process\nmetadata:\n  name: ${name}\nspec:\n  ${spec.replaceAll('\n', '\n  ')}\n`
}

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(dir, name), text)
  return join(dir, name)
}

test('apply says created, then unchanged, then configured', async () => {
  const path = await file('web.yaml', processText('web'))
  assert.equal(await ok(`apply -f ${path}`), 'process.pmk.dev/web created\n')
  assert.equal(await ok(`apply -f ${path}`), 'process.pmk.dev/web unchanged\n')
  await file('web.yaml', processText('web', 'command: [sleep, "2000"]'))
  assert.equal(await ok(`apply -f ${path} --dry-run=server`), 'process.pmk.dev/web configured (server dry run)\n')
  assert.equal(await ok(`apply -f ${path}`), 'process.pmk.dev/web configured\n')
  assert.deepEqual((await server.client.for('Process').get({ name: 'web' })).spec.command, ['sleep', '2000'])
})

test('one bad document among several: nothing is applied, and each mistake has its file and line', async () => {
  const bad = `${processText('good')}---\n${processText('bad', 'comand: [x]')}---\n${processText('worse', 'command: [x]\nreplicas: -1\nnice: 50')}`
  const path = await file('bad.yaml', bad)
  const answer = await pmk(`apply -f ${path}`)
  assert.equal(answer.code, 1)
  assert.equal(answer.stdout, '')
  assert.equal(
    answer.stderr,
    [
      `error: ${path}:13: unknown field "spec.comand" (did you mean spec.command?)`,
      'The Process "worse" is invalid:',
      `* spec.replicas: Invalid value: -1: must be at least 0 (${path}:21)`,
      `* spec.nice: Invalid value: 50: must be at most 19 (${path}:22)`,
      'Nothing was applied.',
      '',
    ].join('\n'),
  )
  assert.deepEqual((await server.client.for('Process').list()).items, [])
})

test('a namespace and what is in it can be applied together, in any order', async () => {
  const text = `${processText('web').replace('name: web', 'name: web\n  namespace: shop')}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n`
  assert.equal(await ok('apply -f -', { input: text }), 'namespace/shop created\nprocess.pmk.dev/web created\n')
  assert.equal(await ok('get ps -n shop -o name'), 'process.pmk.dev/web\n')
})

test('a field that a verb of pmk changed is taken back and named; one of another manager is a conflict', async () => {
  const path = await file('own.yaml', processText('own', 'replicas: 2\ncommand: [sleep, "1"]'))
  await ok(`apply -f ${path}`)
  await ok('scale own --replicas=5')
  const back = await pmk(`apply -f ${path}`)
  assert.deepEqual(back, {
    code: 0,
    stdout: 'process.pmk.dev/own configured\n',
    stderr: 'Warning: process.pmk.dev/own: took spec.replicas back from pmk-scale\n',
  })
  await server.client
    .for('Process')
    .patch({ name: 'own' }, { type: 'merge', value: { spec: { replicas: 7 } } }, { fieldManager: 'somebody' })
  const conflict = await pmk(`apply -f ${path}`)
  assert.equal(conflict.code, 1)
  assert.equal(
    conflict.stderr,
    [
      'Error from server (Conflict): Process "own" has fields of other managers:',
      `* "somebody" owns spec.replicas (${path}:6)`,
      'Leave these fields out, or take them with --force-conflicts.',
      '',
    ].join('\n'),
  )
  assert.equal(await ok(`apply -f ${path} --force-conflicts`), 'process.pmk.dev/own configured\n')
})

test('diff tells the lines, the fields and what restarts, with exit codes 0, 1 and above', async () => {
  const config = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: common}\ndata: {A: "1"}\n'
  const path = await file(
    'diff.yaml',
    `${config}---\n${processText('web', 'command: [a]\nnice: 1')}---\n${processText('uses', 'command: [b]\nenvFrom: [{configMapRef: {name: common}}]')}`,
  )
  await ok(`apply -f ${path}`)
  assert.equal(await ok(`diff -f ${path}`), '')
  await file(
    'diff.yaml',
    `${config.replace('"1"', '"2"')}---\n${processText('web', 'command: [a, b]\nnice: 1\nbackoff: {max: 5s}')}---\n${processText('uses', 'command: [b]\nenvFrom: [{configMapRef: {name: common}}]\nstopSignal: INT')}`,
  )
  const { code, stdout } = await pmk(`diff -f ${path}`)
  assert.equal(code, 1)
  assert.match(stdout, /^--- live\/configmap\/common\n\+\+\+ merged\/configmap\/common\n@@ .* @@\n/)
  assert.match(stdout, /^ {3}A: "1"$|^-\s+A: "1"$/m)
  assert.match(stdout, /^process\.pmk\.dev\/web: spec\.command changes \(restart\)$/m)
  assert.match(stdout, /^process\.pmk\.dev\/web: spec\.backoff\.max changes$/m)
  assert.match(stdout, /^process\.pmk\.dev\/uses: spec\.stopSignal changes$/m)
  assert.match(stdout, /Process web will restart: spec\.command\nProcess uses will restart: ConfigMap common\n$/)
  assert.deepEqual((await server.client.for('Process').get({ name: 'web' })).spec.command, ['a'])
  assert.equal((await pmk(`diff -f ${await file('broken.yaml', 'a: [')}`)).code, 2)
})

test('the values of a Secret are not shown by diff and describe', async () => {
  const secret = (password: string): string =>
    `apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: ${password}, user: shop}\n`
  await ok('apply -f -', { input: secret('hunter2') })
  const { code, stdout } = await pmk('diff -f -', { input: secret('swordfish') })
  assert.equal(code, 1)
  assert.match(stdout, /-\s+password: "?\*\*\* \(before\)"?\n\+\s+password: "?\*\*\* \(after\)"?/)
  for (const hidden of ['hunter2', 'swordfish', Buffer.from('hunter2').toString('base64'), Buffer.from('swordfish').toString('base64')]) {
    assert.ok(!stdout.includes(hidden), hidden)
    assert.ok(!(await ok('describe secret db')).includes(hidden), hidden)
  }
  assert.match(await ok('describe secret db'), /password: {2}7 bytes/)
  await ok('delete secret db')
})

test('get shows tables, whole objects and parts of them', async () => {
  await ok('apply -f -', { input: `${processText('web')}---\n${processText('db', 'replicas: 3\ncommand: [db]')}` })
  await ok('label ps db tier=back')
  assert.match(await ok('get processes'), /^NAME +READY +STATUS +RESTARTS +AGE\ndb +0\/3 .*\nweb +0\/1 .*\n$/)
  assert.match(await ok('get ps -o wide'), /^NAME .* COMMAND\n/)
  assert.match(await ok('get ps,cm'), /^NAME .*\nprocess\.pmk\.dev\/db .*\nprocess\.pmk\.dev\/web /)
  assert.match(await ok('get ps web db --no-headers'), /^web .*\ndb .*\n$/)
  assert.match(await ok('get ps -A --show-labels'), /^NAMESPACE +NAME .* LABELS\ndefault +db .* tier=back\ndefault +web .* <none>\n$/)
  assert.match(await ok('get ps -L tier'), /TIER\ndb .*back\n/)
  assert.match(await ok('get ps -l tier=back --no-headers'), /^db .*\n$/)
  assert.match(await ok('get ps --field-selector metadata.name=web --no-headers'), /^web .*\n$/)
  assert.match(await ok('get ps --sort-by .spec.replicas --no-headers'), /^web .*\ndb .*\n$/)
  assert.equal(await ok('get ps -o name'), 'process.pmk.dev/db\nprocess.pmk.dev/web\n')
  assert.equal(await ok("get ps -o jsonpath='{.items[*].spec.replicas}'"), '3 1')
  assert.equal(await ok('get ps/db -o jsonpath={.spec.replicas}'), '3')
  assert.equal(await ok('get ps -o custom-columns=N:.metadata.name,R:.spec.replicas'), 'N     R\ndb    3\nweb   1\n')
  const whole = JSON.parse(await ok('get ps web -o json'))
  assert.deepEqual([whole.kind, whole.metadata.name, whole.metadata.managedFields], ['Process', 'web', undefined])
  assert.ok(JSON.parse(await ok('get ps web -o json --show-managed-fields')).metadata.managedFields.length > 0)
  assert.equal(JSON.parse(await ok('get ps -o json')).kind, 'List')
  assert.match(await ok('get ps web -o yaml'), /^apiVersion: pmk\.dev\/v1\nkind: Process\n/)
  assert.match(await ok('get all'), /web/)
})

test('get answers for what is not there as kubectl does', async () => {
  assert.deepEqual(await pmk('get ps'), { code: 0, stdout: '', stderr: 'No resources found in default namespace.\n' })
  assert.deepEqual(await pmk('get ps nope'), {
    code: 1,
    stdout: '',
    stderr: 'Error from server (NotFound): processes.pmk.dev "nope" not found\n',
  })
  assert.deepEqual(await pmk('get ps nope --ignore-not-found'), { code: 0, stdout: '', stderr: '' })
  const selector = await pmk("get ps -l 'a in'")
  assert.equal(selector.code, 1)
  assert.match(selector.stderr, /^Error from server \(BadRequest\): /)
})

test('get -w shows the list and then each change, until it is interrupted', async () => {
  await ok('apply -f -', { input: processText('web') })
  const end = new AbortController()
  let shown = ''
  const watching = pmk('get ps -w', { signal: end.signal, onOutput: (text) => (shown += text) })
  await eventually(() => assert.match(shown, /^NAME .*\nweb .*\n$/))
  await ok('scale web --replicas=4')
  await eventually(() => assert.match(shown, /\nweb +0\/4 .*\n$/))
  end.abort(new Error('interrupted'))
  assert.equal((await watching).code, 130)
})

test('labels and annotations are set, guarded and removed', async () => {
  await ok('apply -f -', { input: processText('web') })
  assert.equal(await ok('label process web tier=front'), 'process.pmk.dev/web labeled\n')
  assert.equal(await ok('label process web tier=front'), 'process.pmk.dev/web not labeled\n')
  assert.deepEqual(await pmk('label process web tier=back'), {
    code: 1,
    stdout: '',
    stderr: "error: 'tier' already has a value (front), and --overwrite is false\n",
  })
  assert.equal(await ok('label ps/web tier=back --overwrite'), 'process.pmk.dev/web labeled\n')
  assert.equal(await ok("annotate ps --all note='two words' a.b/c=1"), 'process.pmk.dev/web annotated\n')
  const { labels, annotations } = (await server.client.for('Process').get({ name: 'web' })).metadata
  assert.deepEqual([labels, annotations], [{ tier: 'back' }, { note: 'two words', 'a.b/c': '1' }])
  await ok('annotate ps web note- a.b/c-')
  assert.equal((await pmk('label ps web')).code, 1)
})

test('patch and scale change what they say', async () => {
  await ok('apply -f -', { input: processText('web') })
  assert.equal(await ok(`patch ps web -p '{"spec":{"nice":3}}'`), 'process.pmk.dev/web patched\n')
  assert.equal(await ok(`patch ps web -p '{"spec":{"nice":3}}'`), 'process.pmk.dev/web patched (no change)\n')
  assert.equal(await ok(`patch ps web --type=json -p '[{"op":"replace","path":"/spec/nice","value":4}]'`), 'process.pmk.dev/web patched\n')
  assert.equal(await ok('get ps web -o jsonpath={.spec.nice}'), '4')
  for (const name of ['A', 'B']) {
    assert.equal(
      await ok(`patch ps web --type=strategic -p '{"spec":{"env":[{"name":"${name}","value":"1"}]}}'`),
      'process.pmk.dev/web patched\n',
    )
  }
  assert.equal(await ok('get ps web -o jsonpath={.spec.env[*].name}'), 'A B')
  const bad = await pmk(`patch ps web -p '{"spec":{"nice":99}}'`)
  assert.deepEqual([bad.code, bad.stderr], [1, 'The Process "web" is invalid: spec.nice: Invalid value: 99: must be at most 19\n'])
  assert.equal(await ok('scale web --replicas=3'), 'process.pmk.dev/web scaled\n')
  assert.deepEqual((await pmk('scale web --replicas=1 --current-replicas=2')).stderr, 'error: Expected replicas to be 2, was 3\n')
  assert.match((await pmk('scale nope --replicas=1')).stderr, /no Process "nope" in namespace default/)
  assert.match((await pmk('scale wbe --replicas=1')).stderr, /did you mean "web"\?/)
})

test('delete waits until the object is gone, and gives up when the time is over', async () => {
  await ok('apply -f -', { input: `${processText('web')}---\n${processText('db')}` })
  const late = await pmk('delete process web --timeout=200ms')
  assert.deepEqual(late, {
    code: 1,
    stdout: 'process.pmk.dev "web" deleted\n',
    stderr: 'error: timed out waiting for the end of process.pmk.dev/web\n',
  })
  const deleting = pmk('delete process --all')
  await eventually(async () =>
    assert.ok((await server.client.for('Process').get({ name: 'db' })).metadata.deletionTimestamp, 'it is being deleted'),
  )
  await release({ name: 'web', namespace: 'default' })
  await release({ name: 'db', namespace: 'default' })
  assert.equal((await deleting).code, 0)
  assert.deepEqual(await pmk('delete process web'), {
    code: 1,
    stdout: '',
    stderr: 'Error from server (NotFound): processes.pmk.dev "web" not found\n',
  })
  assert.equal(await ok('delete process web --ignore-not-found'), '')
  assert.equal(await ok('delete ps --all'), 'No resources found\n')
})

test('delete does what its flags say', async () => {
  const path = await file('del.yaml', processText('web'))
  await ok(`apply -f ${path}`)
  assert.equal(await ok(`delete -f ${path} --dry-run=server`), 'process.pmk.dev "web" deleted (server dry run)\n')
  assert.equal((await server.client.for('Process').get({ name: 'web' })).metadata.deletionTimestamp, undefined)
  assert.equal(await ok(`delete -f ${path} --force --wait=false`), 'process.pmk.dev "web" force deleted\n')
  assert.equal((await server.client.for('Process').get({ name: 'web' })).metadata.deletionGracePeriodSeconds, 0)
  assert.equal((await pmk('delete ps')).code, 1)
})

test('wait ends with the condition, the value, the creation or the end', async () => {
  const waiting = pmk('wait --for=create ps/web')
  await ok('apply -f -', { input: processText('web') })
  assert.deepEqual(await waiting, { code: 0, stdout: 'process.pmk.dev/web created\n', stderr: '' })
  const ready = pmk('wait --for=condition=Ready ps/web')
  const value = pmk("wait --for=jsonpath='{.status.readyReplicas}'=1 ps/web")
  const web = await server.client.for('Process').get({ name: 'web' })
  const condition = {
    type: 'Ready',
    status: 'True' as const,
    observedGeneration: web.metadata.generation,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  }
  await server.client.for('Process').updateStatus({
    ...web,
    status: { ...web.status, observedGeneration: web.metadata.generation, readyReplicas: 1, conditions: [condition] },
  })
  assert.equal((await ready).stdout, 'process.pmk.dev/web condition met\n')
  assert.equal((await value).stdout, 'process.pmk.dev/web condition met\n')
  assert.deepEqual(await pmk('wait --for=condition=Other ps/web --timeout=100ms'), {
    code: 1,
    stdout: '',
    stderr: 'error: timed out waiting for the condition on process.pmk.dev/web\n',
  })
  await ok('scale web --replicas=2')
  assert.equal((await pmk('wait --for=condition=Ready ps/web --timeout=0')).code, 1, 'the condition is about the generation before')
  const gone = pmk('wait --for=delete ps/web')
  await ok('delete ps web --wait=false')
  await release({ name: 'web', namespace: 'default' })
  assert.deepEqual(await gone, { code: 0, stdout: 'process.pmk.dev/web deleted\n', stderr: '' })
  assert.equal((await pmk('wait --for=delete ps/web')).code, 0)
})

test('edit stores what was saved, opens again with the reason for a mistake, and keeps the text of an edit given up', async () => {
  await ok('apply -f -', { input: processText('web') })
  const script = async (name: string, text: string): Promise<string> => {
    await writeFile(join(dir, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
    return join(dir, name)
  }
  const good = await script('good.sh', 'sed -i "s/replicas: 1/replicas: 2/" "$1"')
  assert.equal(await ok('edit ps web', { env: { EDITOR: good } }), 'process.pmk.dev/web edited\n')
  assert.deepEqual(await pmk('edit ps web', { env: { EDITOR: 'true' } }), {
    code: 0,
    stdout: '',
    stderr: 'Edit cancelled, no changes made.\n',
  })

  const twice = await script(
    'twice.sh',
    'if grep -q "must be at least 0" "$1"; then sed -i "s/replicas: -1/replicas: 3/" "$1"; else sed -i "s/replicas: 2/replicas: -1/" "$1"; fi',
  )
  assert.equal(await ok('edit ps web', { env: { EDITOR: twice } }), 'process.pmk.dev/web edited\n')
  assert.equal((await server.client.for('Process').get({ name: 'web' })).spec.replicas, 3)

  const stubborn = await script('stubborn.sh', 'sed -i "s/replicas: 3/replicas: many/" "$1"')
  const given = await pmk('edit ps web', { env: { EDITOR: stubborn } })
  assert.equal(given.code, 1)
  const kept = /the edited text is in (\S+)/.exec(given.stderr)?.[1] ?? ''
  assert.match(given.stderr, /spec\.replicas/)
  await rm(dirname(kept), { recursive: true })
})

test('edit leaves what somebody else changed meanwhile, and asks before it overwrites the same field', async () => {
  await ok('apply -f -', { input: processText('web', 'replicas: 1\nnice: 1\ncommand: [a]') })
  const body = (value: string): string => `{\\"spec\\":{${value}}}`
  // The editor is also the somebody else: it changes the stored object through the socket before it saves.
  const other = (value: string): string =>
    `curl -s --unix-socket ${server.socketPath} -X PATCH -H content-type:application/merge-patch+json -d "${body(value)}" http://x/apis/pmk.dev/v1/namespaces/default/processes/web >/dev/null`
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(dir, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
    return join(dir, name)
  }
  const apart = await write('apart.sh', `${other('\\"nice\\":5')}\nsed -i "s/replicas: 1/replicas: 2/" "$1"`)
  await ok('edit ps web', { env: { EDITOR: apart, PATH: process.env.PATH ?? '' } })
  const { spec } = await server.client.for('Process').get({ name: 'web' })
  assert.deepEqual([spec.nice, spec.replicas], [5, 2])

  const same = await write(
    'same.sh',
    `if grep -q "somebody else" "$1"; then cp "$1" ${dir}/seen; else ${other('\\"replicas\\":9')}; sed -i "s/replicas: 2/replicas: 4/" "$1"; fi`,
  )
  assert.equal(await ok('edit ps web', { env: { EDITOR: same } }), 'process.pmk.dev/web edited\n')
  const { readFile } = await import('node:fs/promises')
  assert.match(await readFile(join(dir, 'seen'), 'utf8'), /# \* spec\.replicas: 9\n/)
  assert.equal((await server.client.for('Process').get({ name: 'web' })).spec.replicas, 4)
})

test('describe tells of an object, its conditions and its events; a bare name is a Process', async () => {
  await ok('apply -f -', { input: processText('web', "description: The shop\ncommand: [sleep, '1 2']\nbackoff: {max: 5s}") })
  const { metadata } = await server.client.for('Process').get({ name: 'web' })
  const instance = await server.client.for('Instance').create({
    apiVersion: 'pmk.dev/v1',
    kind: 'Instance',
    metadata: { name: 'web-0' },
    spec: { process: 'web', index: 0, nodeName: 'here', revision: 'web-1', template: { command: ['sleep', '1'] } },
  })
  for (const [object, reason, second] of [
    [{ kind: 'Process', metadata }, 'Rolled', 0],
    [instance, 'Started', 1],
  ] as const) {
    const { name, uid } = object.metadata
    await server.client.for('Event').create({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.1`, namespace: 'default' },
      involvedObject: { kind: object.kind, name, namespace: 'default', uid },
      reason,
      message: 'All is new',
      type: 'Normal',
      lastTimestamp: `2026-01-01T00:00:0${second}Z`,
    } as never)
  }
  const text = await ok('describe web')
  assert.match(text, /^Name: +web\nNamespace: +default\nKind: +Process\n/)
  assert.match(text, /^Description: +The shop$/m)
  assert.match(text, /^Command: +sleep '1 2'$/m)
  assert.match(text, /^ {2}backoff:\n {4}max: 5s$/m)
  assert.doesNotMatch(text, /searchPath/, 'defaults are left out')
  assert.match(
    text,
    /^Events:\n {2}AGE +TYPE +REASON +OBJECT +MESSAGE\n {2}\S+ +Normal +Rolled +web +All is new\n {2}\S+ +Normal +Started +web-0 +All is new$/m,
  )
  assert.match(await ok('events --for web'), /Rolled +Process\/web +All is new\n$/)
  assert.match((await pmk('describe nope')).stderr, /no Process or Instance "nope" in namespace default/)
})

test('every kind can be explained and listed, without a server', async () => {
  for (const plural of new Set(definitions.map((definition) => definition.plural))) {
    const { code, stdout } = await runPmk(['explain', plural, '--recursive'])
    assert.equal(code, 0)
    assert.match(stdout, new RegExp(`^KIND: +${findByName(plural)?.kind}$`, 'm'))
  }
  assert.match(
    (await runPmk(['explain', 'process.spec.backoff'])).stdout,
    /max <string>\n {4}The longest wait\.\n {4}Unit: a duration.*\n {4}Default: 1m\n/,
  )
  assert.match((await runPmk(['explain', 'process.spec.command'])).stdout, /Change: restarts the program/)
  assert.equal(
    (await runPmk(['explain', 'process.spec.replica'])).stderr,
    'error: field "spec.replica" does not exist in Process; did you mean "spec.replicas"?\n',
  )
  assert.match((await runPmk(['api-resources'])).stdout, /^processes +proc,ps +pmk\.dev\/v1 +true +Process$/m)
})

test('init writes a manifest that apply takes as it is', async () => {
  const text = await ok("init tick -e 'A=b c' --replicas 2 --port 80 -- sh -c 'while sleep 1; do date; done' -1 yes")
  assert.equal(await ok('apply -f -', { input: text }), 'process.pmk.dev/tick created\n')
  const { spec } = await server.client.for('Process').get({ name: 'tick' })
  assert.deepEqual(spec.command, ['sh', '-c', 'while sleep 1; do date; done', '-1', 'yes'])
  assert.deepEqual([spec.workingDir, spec.replicas, spec.env?.[0]?.value], [dir, 2, 'b c'])
  assert.equal((await pmk('init Bad -- x')).code, 1)
  await ok('init a -f init.yaml -- true').catch(() => {})
  assert.match((await pmk('init a -f init.yaml -- true')).stderr, /is there already; --force writes over it/)
})

test('completion knows verbs, kinds, names and flags', async () => {
  await ok('apply -f -', { input: processText('web') })
  assert.match(await ok('complete -- ge'), /^get\n$/)
  assert.match(await ok('complete -- get proc'), /^processes\n$/)
  assert.equal(await ok('complete -- get ps w'), 'web\n')
  assert.equal(await ok('complete -- describe ps/w'), 'ps/web\n')
  await server.client.for('ManifestSource').create({
    apiVersion: 'pmk.dev/v1',
    kind: 'ManifestSource',
    metadata: { name: 'host', namespace: 'default' },
    spec: { path: '/srv', suspend: true },
  } as never)
  assert.equal(await ok('complete -- sync h'), 'host\n')
  assert.equal(await ok('complete -- suspend source/h'), 'source/host\n')
  assert.match(await ok('complete -- sync --w'), /^--watch\n--wait\n$/)
  assert.match(await ok('complete -- get --watch'), /^--watch\n--watch-only\n$/)
  for (const shell of ['bash', 'zsh', 'fish']) assert.match(await ok(`completion ${shell}`), /complete --/)
})
