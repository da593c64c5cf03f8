import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { commandLine, isAlive, missing, Server } from '../support/pmk.ts'

const isRoot = process.getuid?.() === 0

test('a program, its hooks, probes and actions see the same file system, which is the one asked for', {
  skip: isRoot ? missing('unshare', 'mount') : 'NOT TESTED: needs root, to mount',
  timeout: 120_000,
}, async (t) => {
  const server = await Server.start()
  const place = mkdtempSync('/run/pmk-view-')
  t.after(async () => {
    await server.close()
    rmSync(place, { recursive: true })
  })
  for (const name of ['data', 'secret', 'shut']) mkdirSync(join(place, name))
  writeFileSync(join(place, 'secret', 'key'), 'swordfish')
  const view = `    readOnlyPaths: [/]
    writablePaths: [${place}/data]
    hiddenPaths: [${place}/secret]`
  const manifest = (more: string): string => `apiVersion: pmk.dev/v1
kind: Process
metadata: {name: closed}
spec:
  script: |
    for p in ${place}/shut ${place}/data; do touch $p/pmk-probe 2>/dev/null && echo "$p open" || echo "$p closed"; done
    cat ${place}/secret/key || :
    exec sleep 100000
  securityContext:
${view}
${more}
  lifecycle: {preStart: [{exec: {command: [sh, -c, "echo hook >${place}/data/hook; ls -A ${place}/secret >>${place}/data/hook; ! touch ${place}/shut/x"]}}]}
  readinessProbe: {exec: {command: [sh, -c, "! touch ${place}/shut/x 2>/dev/null"]}, periodSeconds: 1}
  actions: [{name: look, exec: {command: [sh, -c, "ls -A ${place}/secret /tmp; touch ${place}/shut/y"]}}]
`
  await server.apply(manifest('    privateTmp: false'))
  await server.ok('wait', '--for=condition=Ready', 'process/closed', '--timeout=60s')
  await eventually(async () => assert.match(await server.ok('logs', 'closed'), /closed\n.*open\n/s))
  assert.match(await server.ok('logs', 'closed'), /^\S+\/shut closed\n\S+\/data open\ncat: .*No such file/)
  assert.equal(readFileSync(join(place, 'data', 'hook'), 'utf8'), 'hook\n')
  const look = await server.pmk('action', 'closed', 'look')
  assert.equal(look.code, 1, look.stderr)
  assert.match(look.stdout + look.stderr, /Read-only file system/)

  // A private /tmp is a change of the launch: it rolls.
  assert.match((await server.pmkWithInput(manifest('    privateTmp: true'), 'diff', '-f', '-')).stdout, /privateTmp/)
  await server.apply(manifest('    privateTmp: true').replace('echo hook', 'echo hook >/tmp/own; echo hook'))
  await eventually(async () => {
    const { spec, status } = await server.client.for('Instance').get({ namespace: 'default', name: 'closed-0' })
    assert.equal(spec.template.securityContext?.privateTmp, true)
    assert.ok(status?.ready && status.revision === spec.revision, `the new revision is ${status?.reason}: ${status?.message}`)
  })
  assert.ok(!existsSync('/tmp/own'), 'the host sees nothing of it')
  assert.match((await server.pmk('action', 'closed', 'look')).stdout, /own/)

  await server.apply(manifest('    privateTmp: true').replace(`[${place}/secret]`, '[/no/such/place]'))
  await eventually(async () => assert.match(await server.ok('why', 'closed'), /hiddenPaths: \/no\/such\/place: no such file/))
})

test('an ordinary user is told what its server can not do, and all else works', {
  skip: isRoot ? missing('setpriv') : 'NOT TESTED: needs root, to be somebody else',
  timeout: 120_000,
}, async (t) => {
  const [node = '', ...words] = commandLine()
  const asUser = ['--reuid=65534', '--regid=65534', '--clear-groups', '--', node, ...words]
  const probe = spawnSync('setpriv', [...asUser, 'version', '--client'], { env: { PATH: '/usr/bin:/bin' } })
  if (probe.error !== undefined || /EACCES|Cannot find module/.test(String(probe.stderr))) {
    t.skip('NOT TESTED: this repository can not be read by an ordinary user')
    return
  }
  const server = new Server({ under: ['setpriv', ...asUser.slice(0, 4)] })
  chownSync(server.dataDir, 65534, 65534)
  t.after(() => server.close())
  await server.run()
  const node_ = await eventually(async () => {
    const found = await server.client.for('Node').get({ name: 'test' })
    assert.ok(found.status?.conditions, 'it has conditions')
    return found
  })
  // Who was started with a higher one can't go back.
  const nice = getPriority()
  const supports = node_.status?.conditions?.find(({ type }) => type === 'HostSupports')
  assert.equal(supports?.status, 'False')
  for (const field of ['runAsUser', 'capabilities', `nice below ${nice}`, 'RealTime', 'oomScoreAdj', 'readOnlyPaths', 'privateTmp']) {
    assert.match(supports?.message ?? '', new RegExp(field))
  }
  const refused = async (name: string, spec: string, message: RegExp): Promise<void> => {
    await server.apply(`apiVersion: pmk.dev/v1\nkind: Process\nmetadata: {name: ${name}}\nspec: {command: [sleep, "100000"], ${spec}}\n`)
    await eventually(async () => {
      const { status } = await server.client.for('Instance').get({ namespace: 'default', name: `${name}-0` })
      assert.match(status?.message ?? '', message)
      assert.ok((status?.hostGaps ?? []).length > 0, 'the gap is named')
    })
  }
  await refused('other', 'securityContext: {runAsUser: daemon}', /user daemon needs .* SETUID/)
  await refused('first', `nice: ${nice - 5}`, new RegExp(`nice value below ${nice} needs .* SYS_NICE`))
  await refused('closed', 'securityContext: {readOnlyPaths: [/]}', /readOnlyPaths.*SYS_ADMIN/)
  await refused('private', 'securityContext: {privateTmp: true}', /privateTmp.*SYS_ADMIN/)

  // What it can do it does, and a stop ends all: without cgroups, by family, environment and memory.
  const pids = join(server.dataDir, 'pids')
  const stubborn = `trap "" TERM HUP INT; echo $$ >>${pids}; while :; do sleep 1; done`
  writeFileSync(join(server.dataDir, 'stubborn'), stubborn, { mode: 0o644 })
  await server.apply(`apiVersion: pmk.dev/v1
kind: Process
metadata: {name: stubborn}
spec:
  script: |
    (setsid sh ${server.dataDir}/stubborn &)
    (sh -c 'setsid sh ${server.dataDir}/stubborn &' &)
    sh ${server.dataDir}/stubborn &
    . ${server.dataDir}/stubborn
  nice: ${nice + 5}
  rlimits: {nofile: 512}
  terminationGracePeriodSeconds: 1
`)
  const started = await eventually(() => {
    const found = existsSync(pids) ? readFileSync(pids, 'utf8').trim().split('\n').map(Number) : []
    assert.equal(found.length, 4)
    return found
  })
  assert.equal(
    execFileSync('ps', ['-o', 'ni=,uid=', '-p', String(started[0])], { encoding: 'utf8' })
      .trim()
      .replace(/ +/, ' '),
    `${nice + 5} 65534`,
  )
  await server.ok('stop', 'stubborn', '--wait', '--timeout=60s')
  assert.deepEqual(started.filter(isAlive), [])
})
