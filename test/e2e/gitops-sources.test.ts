import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { ManifestSource } from '../../src/generated/types.ts'
import { eventually } from '../support/eventually.ts'
import { isAlive, missing, run, Server } from '../support/pmk.ts'

let server: Server
let base: string
let kubeconfig: string
before(async () => {
  server = await Server.start({ port: 0 })
  base = mkdtempSync(join(tmpdir(), 'pmk-sources-'))
  kubeconfig = join(base, 'kubeconfig')
  writeFileSync(kubeconfig, await server.ok('kubeconfig'), { mode: 0o600 })
})
after(async () => {
  await server.ok('delete', 'sources', '--all')
  rmSync(base, { recursive: true, force: true })
  await server.close()
})

const LIMIT = { timeout: 90_000 }

/** Exit code, output and errors of the real kubectl. */
const kubectl = (...args: readonly string[]): ReturnType<typeof run> => run(['kubectl', ...args], { KUBECONFIG: kubeconfig, HOME: base })

function map(name: string, value = 'one'): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {value: ${value}}\n`
}

function sleeper(name: string, command = '[sleep, "1000000"]', more = ''): string {
  return `apiVersion: pmk.dev/v1\nkind: Process\nmetadata: {name: ${name}}\nspec: {command: ${command}${more}}\n`
}

/** Writes files of a source, by path. */
function write(name: string, files: Readonly<Record<string, string>>): string {
  const directory = join(base, name)
  mkdirSync(directory, { recursive: true })
  for (const [path, text] of Object.entries(files)) writeFileSync(join(directory, path), text)
  return directory
}

async function follow(name: string, spec = ''): Promise<void> {
  await server.apply(
    `apiVersion: pmk.dev/v1\nkind: ManifestSource\nmetadata: {name: ${name}}\nspec: {path: ${join(base, name)}, interval: 1h, ${spec}}\n`,
  )
}

function source(name: string): Promise<ManifestSource> {
  return server.client.for('ManifestSource').get({ name, namespace: 'default' })
}

/** Waits for `ready reason` of a source, and what it says of that. */
async function becomes(name: string, state: string, message: RegExp = /^/): Promise<ManifestSource> {
  let found: ManifestSource | undefined
  await eventually(
    async () => {
      found = await source(name)
      assert.equal(`${found.status?.ready} ${found.status?.reason}`, state, found.status?.message)
      assert.match(found.status?.message ?? '', message)
    },
    { within: 30_000 },
  )
  assert.ok(found !== undefined, 'it was found')
  return found
}

async function dataOf(name: string): Promise<string | undefined> {
  const { items } = await server.client.for('ConfigMap').list({ namespace: 'default', fieldSelector: `metadata.name=${name}` })
  return items[0]?.data?.value
}

async function pidOf(name: string): Promise<number> {
  let pid = 0
  await eventually(
    async () => {
      const { items } = await server.client.for('Instance').list({ namespace: 'default', labelSelector: `pmk.dev/process=${name}` })
      pid = items[0]?.status?.pid ?? 0
      assert.ok(pid > 0 && isAlive(pid), `${name} is not running`)
    },
    { within: 30_000 },
  )
  return pid
}

test('one broken file changes nothing, and is named in status, table and Event; with partial the others apply', LIMIT, async () => {
  write('broken', { 'a.yaml': map('broken-a') })
  await follow('broken')
  await becomes('broken', 'True Applied')
  write('broken', { 'a.yaml': map('broken-a', 'two'), 'b.yaml': `${map('broken-b')}---\n${sleeper('broken-p', 'sleep 1')}` })
  const { status } = await becomes('broken', 'False InvalidManifests')
  const told = /^b\.yaml:\d+: spec\.command: /
  assert.match(status?.errors?.[0] ?? '', told)
  assert.match(await server.ok('get', 'sources'), /^broken +False +InvalidManifests .* b\.yaml:\d+: spec\.command: /m)
  assert.match(await server.ok('get', 'events'), /Warning +InvalidManifests .* b\.yaml:\d+: spec\.command: /)
  assert.equal(await dataOf('broken-a'), 'one')
  assert.equal(await dataOf('broken-b'), undefined)
  await server.ok('patch', 'source', 'broken', '--type=merge', '-p', '{"spec": {"partial": true}}')
  assert.match((await becomes('broken', 'False PartiallyApplied')).status?.errors?.[0] ?? '', told)
  await eventually(async () => assert.equal(await dataOf('broken-a'), 'two', 'what is in order is not applied yet'))
})

test('a directory that vanishes takes no Process with it, and comes back without a restart', LIMIT, async () => {
  const directory = write('host', { 'p.yaml': sleeper('host-p'), 'a.yaml': map('host-a') })
  await follow('host', 'prune: true')
  const pid = await pidOf('host-p')
  renameSync(directory, `${directory}.away`)
  const { status } = await becomes('host', 'False PruneNeedsConfirmation')
  assert.equal(status?.pendingPrune?.objects, 2)
  assert.ok(isAlive(pid), 'the Process is left running')
  renameSync(`${directory}.away`, directory)
  await becomes('host', 'True Applied')
  assert.equal(await pidOf('host-p'), pid)
  // What a person made is nobody else's to prune, and what another source has neither.
  await server.apply(map('host-theirs'))
  rmSync(join(directory, 'a.yaml'))
  await eventually(async () => assert.equal(await dataOf('host-a'), undefined, 'it is not pruned yet'))
  assert.equal(await dataOf('host-theirs'), 'one')
  renameSync(directory, `${directory}.away`)
  await becomes('host', 'False PruneNeedsConfirmation')
  await server.ok('sync', 'host', '--confirm-prune', '--yes')
  await eventually(() => assert.ok(!isAlive(pid), 'it still runs'), { within: 30_000 })
  assert.equal(await dataOf('host-theirs'), 'one')
})

test('a source that is deleted stops its Processes with Prune, and leaves them running with Orphan', LIMIT, async () => {
  for (const policy of ['Prune', 'Orphan']) {
    const name = policy.toLowerCase()
    write(name, { 'p.yaml': sleeper(`${name}-p`) })
    await follow(name, `deletionPolicy: ${policy}`)
    const pid = await pidOf(`${name}-p`)
    await becomes(name, 'True Applied')
    await server.ok('delete', 'source', name, '--timeout=30s')
    assert.equal((await server.pmk('get', 'source', name)).code, 1)
    assert.equal((await server.pmk('get', 'process', `${name}-p`)).code, policy === 'Prune' ? 1 : 0)
    assert.equal(isAlive(pid), policy === 'Orphan')
    if (policy === 'Orphan') assert.doesNotMatch(await server.ok('get', 'process', `${name}-p`, '-o', 'yaml'), /pmk\.dev\/source/)
  }
})

test('what kubectl, pmk or another field manager changes is put back', { ...LIMIT, skip: missing('kubectl') }, async () => {
  write('kept', { 'a.yaml': map('kept-a'), 'p.yaml': sleeper('kept-p', '[sleep, "1000000"]', ', replicas: 1') })
  await follow('kept')
  await becomes('kept', 'True Applied')
  const changes: readonly [string, () => Promise<unknown>][] = [
    ['kubectl-patch', () => kubectl('patch', 'configmap', 'kept-a', '--type=merge', '-p', '{"data": {"value": "theirs"}}')],
    ['pmk-patch', () => server.ok('patch', 'configmap', 'kept-a', '--type=merge', '-p', '{"data": {"value": "theirs"}}')],
    [
      'robot',
      () =>
        server.client
          .for('ConfigMap')
          .patch({ name: 'kept-a' }, { type: 'merge', value: { data: { value: 'theirs' } } }, { fieldManager: 'robot' }),
    ],
    ['kubectl', () => kubectl('delete', 'configmap', 'kept-a')],
  ]
  for (const [manager, change] of changes) {
    const before = await server.client.for('ConfigMap').get({ name: 'kept-a', namespace: 'default' })
    const answer = await change()
    await eventually(async () => {
      assert.equal(await dataOf('kept-a'), 'one', `${manager}: ${JSON.stringify(answer)}`)
      const object = await server.client.for('ConfigMap').get({ name: 'kept-a', namespace: 'default' })
      assert.notEqual(object.metadata.resourceVersion, before.metadata.resourceVersion, `${manager} changed nothing`)
    })
  }
  await eventually(async () => {
    const events = await server.ok('get', 'events')
    assert.match(events, /DriftRestored .*ConfigMap default\/kept-a: data\.value \(kubectl-patch\)/)
    assert.match(events, /DriftRestored .*ConfigMap default\/kept-a: data\.value \(pmk-patch\)/)
    assert.match(events, /DriftRestored .*ConfigMap default\/kept-a: data\.value \(robot\)/)
    assert.match(events, /DriftRestored .*ConfigMap default\/kept-a was deleted/)
  })
  await kubectl('scale', 'process', 'kept-p', '--replicas=3')
  await eventually(async () => {
    assert.match(await server.ok('get', 'events'), /DriftRestored .*Process default\/kept-p: spec\.replicas/)
    assert.equal((await server.client.for('Process').get({ name: 'kept-p', namespace: 'default' })).spec.replicas, 1, 'replicas')
  })
})

test('with drift: Report it is told with fields and manager, and left', { ...LIMIT, skip: missing('kubectl') }, async () => {
  write('told', { 'a.yaml': map('told-a'), 'p.yaml': sleeper('told-p', '[sleep, "1000000"]', ', replicas: 1') })
  await follow('told', 'drift: Report')
  await becomes('told', 'True Applied')
  assert.equal((await kubectl('scale', 'process', 'told-p', '--replicas=2')).code, 0)
  await eventually(async () => {
    const drifted = (await source('told')).status?.conditions?.find(({ type }) => type === 'Drifted')
    assert.equal(drifted?.status, 'True', 'not told of yet')
    assert.match(drifted?.message ?? '', /^Process default\/told-p: spec\.replicas \(kubectl[a-z-]*\)$/)
  })
  assert.equal((await server.client.for('Process').get({ name: 'told-p', namespace: 'default' })).spec.replicas, 2)
  await server.ok('sync', 'told')
  assert.equal((await server.client.for('Process').get({ name: 'told-p', namespace: 'default' })).spec.replicas, 1)
})

test('a source waits for another one, which names the Process that gave up and why', LIMIT, async () => {
  const failing = `${sleeper('dep-p', '[sh, -c, "exit 3"]', ', backoff: {initial: 1ms}, restartLimit: {count: 2, window: 1m}, minReadySeconds: 60')}`
  write('first', { 'p.yaml': failing })
  write('second', { 'a.yaml': map('second-a') })
  await follow('second', 'dependsOn: [{name: first}]')
  await follow('first', 'wait: true, timeout: 30s')
  const gaveUp = /Process default\/dep-p is GaveUp: dep-p-0: Gave up after 2 restarts within 1m.*; see pmk why dep-p$/
  await becomes('first', 'False HealthCheckFailed', gaveUp)
  await becomes('second', 'False DependencyNotReady', /^waits for ManifestSource default\/first, which is HealthCheckFailed: /)
  await becomes('second', 'False DependencyNotReady', gaveUp)
  assert.equal(await dataOf('second-a'), undefined)
  write('first', { 'p.yaml': sleeper('dep-p') })
  await becomes('first', 'True Applied')
  await becomes('second', 'True Applied')
  assert.equal(await dataOf('second-a'), 'one')
})
