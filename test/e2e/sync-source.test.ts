import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { type Answer, commandLine, missing, run, Server } from '../support/pmk.ts'

let server: Server
let base: string
before(async () => {
  server = await Server.start()
  base = mkdtempSync(join(tmpdir(), 'pmk-sync-'))
})
after(async () => {
  await server.ok('delete', 'sources', '--all')
  rmSync(base, { recursive: true, force: true })
  await server.close()
})

const map = (name: string, value = '1'): string => `apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}}
data: {value: "${value}"}
`

/** A directory with a source that looks at it only when it is asked to. */
async function follow(name: string, spec = ''): Promise<string> {
  const directory = join(base, name)
  mkdirSync(directory)
  writeFileSync(join(directory, 'one.yaml'), map(`${name}-one`))
  await server.apply(`apiVersion: pmk.dev/v1
kind: ManifestSource
metadata: {name: ${name}}
spec: {path: ${directory}, interval: 1h, ${spec}}
`)
  await server.ok('wait', `source/${name}`, '--for=condition=Ready', '--timeout=30s')
  return directory
}

test('a sync tells the revision and the counts of what is applied then', { timeout: 60_000 }, async () => {
  const directory = await follow('plain')
  writeFileSync(join(directory, 'two.yaml'), map('plain-two'))
  const answer = await server.ok('sync', 'plain')
  assert.match(answer, /^manifestsource\.pmk\.dev\/plain synced: 2 objects of 2 files at sha256:[0-9a-f]{10}/)
  assert.match(await server.ok('get', 'configmap', 'plain-two'), /plain-two/)
  for (const name of ['source/plain', 'src/plain'])
    assert.match(await server.ok('sync', name, '-o', 'name'), /^manifestsource\.pmk\.dev\/plain\n$/)
  assert.match(await server.ok('sync', 'plain', '--wait=false'), /^manifestsource\.pmk\.dev\/plain sync requested\n$/)
  assert.match(await server.ok('get', 'source', 'plain'), /^NAME +READY +REASON +REVISION +OBJECTS +AGE +MESSAGE\nplain +True +Applied /)
})

test('a sync of a broken file fails with its file and line, and so does the table', { timeout: 60_000 }, async () => {
  const directory = await follow('broken')
  writeFileSync(
    join(directory, 'bad.yaml'),
    `${map('fine')}---\napiVersion: pmk.dev/v1\nkind: Process\nmetadata: {name: bad}\nspec: {command: [sleep, 1d], replicas: many, restartPolicy: Some}\n`,
  )
  const { code, stdout, stderr } = await server.pmk('sync', 'broken')
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /^error: manifestsource\.pmk\.dev\/broken is not Ready \(InvalidManifests\): Nothing was changed\. /)
  assert.match(stderr, /bad\.yaml:9: spec\.replicas: /)
  assert.match(stderr, /^bad\.yaml:9: spec\.restartPolicy: /m)
  assert.match(stderr, /^Applied is still sha256:/m)
  assert.match(await server.ok('get', 'sources'), /^broken +False +InvalidManifests .*\.yaml:\d+: /m)
  const both = await server.pmk('sync', '--all')
  assert.equal(both.code, 1)
  assert.match(both.stdout, /\/plain synced/)
  assert.match(both.stderr, /\/broken is not Ready/)
})

test('a removal of everything is shown, asked for, and carried out once it is confirmed', { timeout: 60_000 }, async () => {
  const directory = await follow('going', 'prune: true')
  const early = await server.pmk('sync', 'going', '--confirm-prune')
  assert.equal(early.code, 1)
  assert.match(early.stderr, /no removal that waits to be confirmed/)
  rmSync(join(directory, 'one.yaml'))
  const told = await server.pmk('sync', 'going')
  assert.equal(told.code, 1)
  assert.match(told.stderr, /PruneNeedsConfirmation.*pmk sync going --confirm-prune/)
  const asked = await server.pmk('sync', 'going', '--confirm-prune')
  assert.equal(asked.code, 1)
  assert.match(asked.stderr, /This removes 1 object of source going:\n {2}ConfigMap default\/going-one\n/)
  assert.match(asked.stderr, /--yes/)
  await server.ok('get', 'configmap', 'going-one')
  assert.equal(await server.ok('sync', 'going', '--confirm-prune', '--yes'), 'ConfigMap default/going-one pruned\n')
  assert.equal((await server.pmk('get', 'configmap', 'going-one')).code, 1)
})

test('on a terminal a removal is asked for', { timeout: 60_000, skip: missing('script') }, async () => {
  const directory = await follow('asking', 'prune: true')
  rmSync(join(directory, 'one.yaml'))
  assert.equal((await server.pmk('sync', 'asking')).code, 1)
  // It gives the command a terminal, and types its input.
  const command = commandLine('sync', 'asking', '--confirm-prune').join(' ')
  const answer = (words: string): Promise<Answer> => run(['script', '-qec', command, '/dev/null'], { PMK_HOME: server.dataDir }, words)
  const no = await answer('no\n')
  assert.match(no.stdout, /Remove them\? \[y\/N\] [\s\S]*error: nothing was removed/)
  assert.equal(no.code, 1)
  await server.ok('get', 'configmap', 'asking-one')
  const yes = await answer('y\n')
  assert.match(yes.stdout, /ConfigMap default\/asking-one pruned/)
  assert.equal(yes.code, 0)
  assert.equal((await server.pmk('get', 'configmap', 'asking-one')).code, 1)
})

test('a suspended source is left alone, and says how to go on', { timeout: 60_000 }, async () => {
  const directory = await follow('resting')
  assert.equal(await server.ok('suspend', 'source/resting', '--wait'), 'manifestsource.pmk.dev/resting suspended\n')
  writeFileSync(join(directory, 'two.yaml'), map('resting-two'))
  const { code, stderr } = await server.pmk('sync', 'resting')
  assert.equal(code, 1)
  assert.match(stderr, /is suspended.*pmk resume source\/resting/)
  assert.equal((await server.pmk('get', 'configmap', 'resting-two')).code, 1)
  assert.equal((await server.pmk('suspend', 'source/resting', '--for', '5m')).code, 1)
  await server.ok('resume', 'source/resting', '--wait')
  await eventually(async () => assert.equal((await server.pmk('get', 'configmap', 'resting-two')).code, 0, 'it is not applied yet'))
})

test('a source that waits for another says for which, and one that waits for itself fails at once', { timeout: 60_000 }, async () => {
  const waiting = (name: string, other: string): string =>
    `apiVersion: pmk.dev/v1\nkind: ManifestSource\nmetadata: {name: ${name}}\nspec: {path: ${base}/plain, dependsOn: [{name: ${other}}]}\n`
  await server.apply(waiting('early', 'nowhere'))
  const late = await server.pmk('sync', 'early', '--timeout=1s')
  assert.equal(late.code, 1)
  assert.match(late.stderr, /timed out waiting for .*\/early: .*ManifestSource default\/nowhere.*pmk describe source\/early/)
  await server.apply(`${waiting('ping', 'pong')}---\n${waiting('pong', 'ping')}`)
  const cycle = await server.pmk('sync', 'ping', '--timeout=30s')
  assert.equal(cycle.code, 1)
  assert.match(cycle.stderr, /\/ping is not Ready \(DependencyCycle\): /)
})

test('what is no source is named, with what may be meant', { timeout: 60_000 }, async () => {
  const { code, stderr } = await server.pmk('sync', 'plainn')
  assert.equal(code, 1)
  assert.match(stderr, /no ManifestSource "plainn" in namespace default; did you mean "plain"\?/)
  assert.equal((await server.pmk('suspend', 'plain')).code, 1, 'a bare name is a Process')
})

const sleeper = (name: string, spec: string): string => `apiVersion: pmk.dev/v1
kind: Process
metadata: {name: ${name}}
spec: {command: [sleep, "1000000"], ${spec}}
`

test('a Process that its source starts again after pmk stop says so, and how to keep it stopped', { timeout: 60_000 }, async () => {
  const directory = await follow('keeping')
  writeFileSync(join(directory, 'named.yaml'), sleeper('named', 'desiredState: Running'))
  writeFileSync(join(directory, 'open.yaml'), sleeper('open', ''))
  await server.ok('sync', 'keeping')
  await server.ok('wait', 'process/named', '--for=condition=Ready', '--timeout=30s')
  assert.match(
    await server.ok('why', 'named'),
    /^It is kept as its manifest says by ManifestSource default\/keeping\. .*pmk describe source\/keeping/m,
  )
  await server.pmk('stop', 'named', '--wait=false')
  await eventually(async () => {
    const text = await server.ok('why', 'named')
    assert.match(text, /ManifestSource default\/keeping.*desiredState.*pmk-stop.* ago\. .*change it there.*pmk suspend source\/keeping/)
  })
  await server.ok('wait', 'process/named', '--for=condition=Ready', '--timeout=30s')
  const why = JSON.parse(await server.ok('why', 'named', '-o', 'json')) as { source: { name: string; state: string } }
  assert.deepEqual([why.source.name, why.source.state], ['keeping', 'ready'])
  // What a manifest leaves open is the operator's.
  assert.match(await server.ok('stop', 'open'), /open stopped/)
  assert.match(await server.ok('why', 'open'), /desiredState Stopped was written by pmk stop/)
  await server.ok('suspend', 'source/keeping', '--wait')
  assert.match(await server.ok('why', 'named'), /applied by ManifestSource default\/keeping, which is suspended/)
})

test('describe tells of a source, and of an object which source keeps it', { timeout: 60_000 }, async () => {
  const text = await server.ok('describe', 'source', 'broken')
  assert.match(text, /^From: +\/.*\/broken$/m)
  assert.match(text, /^Ready: +False \(InvalidManifests\)$/m)
  assert.match(text, /^Applied: +sha256:[0-9a-f]{64}, .*ago\)$/m)
  assert.match(text, /^Attempted: +sha256:[0-9a-f]{64}$/m)
  assert.match(text, /^Errors:\n {2}bad\.yaml:9: /m)
  assert.match(text, /^Keeps applied:\n {2}ConfigMap \(1\): +default\/broken-one$/m)
  assert.match(text, /^Conditions:\n {2}TYPE .*\n(?:.*\n)* {2}Stalled +True +InvalidManifests /m)
  assert.match(text, /^Events:\n(?:.*\n)* .*Warning +InvalidManifests /m)
  assert.match(await server.ok('describe', 'configmap', 'plain-one'), /^Kept applied by: +ManifestSource default\/plain$/m)
})
