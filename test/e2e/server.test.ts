import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { inRepository, isAlive, processesOf, run, Server } from '../support/pmk.ts'

const sleeper = (name: string, more = ''): string =>
  `apiVersion: pmk.dev/v1\nkind: Process\nmetadata: {name: ${name}}\nspec:\n  command: [sleep, "1000000"]\n${more}---\n`
const programs = (dataDir: string): readonly number[] =>
  processesOf(dataDir)
    .filter(({ command }) => /^\S*sleep /.test(command))
    .map(({ pid }) => pid)

test('a stop leaves the processes running, the next server takes them back; a drain stops them first', { timeout: 120_000 }, async () => {
  const server = await Server.start()
  try {
    await server.apply(sleeper('base') + sleeper('upper', '  dependsOn: [{name: base}]\n'))
    await server.ok('wait', '--for=condition=Ready', 'processes', '--all', '--timeout=60s')
    const before = programs(server.dataDir)
    assert.equal(before.length, 2)

    await server.ok('server', 'stop')
    assert.deepEqual(before.map(isAlive), [true, true])
    assert.equal((await server.pmk('server', 'status')).code, 3)
    await server.run()
    assert.equal((await server.pmk('server', 'status')).code, 0)
    assert.deepEqual([...programs(server.dataDir)].sort(), [...before].sort())

    const audit = join(server.dataDir, 'audit.log')
    assert.equal(statSync(audit).mode & 0o777, 0o600)
    const lines = readFileSync(audit, 'utf8').split('\n').filter(Boolean)
    const written = lines.map((line) => JSON.parse(line)).filter(({ dryRun }) => dryRun !== true)
    // What controllers and agent wrote isn't among it.
    assert.deepEqual(written.map(({ verb, name, code }) => `${verb} ${name} ${code}`).sort(), ['patch base 201', 'patch upper 201'])

    await server.ok('server', 'stop', '--drain')
    assert.deepEqual(before.map(isAlive), [false, false])
    await server.run()
    await server.ok('wait', '--for=condition=Ready', 'processes', '--all', '--timeout=60s')
    assert.equal(programs(server.dataDir).length, 2, 'what is wanted to run comes back')
  } finally {
    await server.close()
  }
})

test('a second server on the same directory says so and touches nothing', { timeout: 120_000 }, async () => {
  const server = await Server.start()
  try {
    const second = await server.pmk('server', 'run')
    assert.equal(second.code, 1)
    assert.match(second.stderr, /[Aa]nother server/)
    assert.doesNotMatch(second.stderr, /\n\s+at /, 'no stack trace')
    const start = await server.pmk('server', 'start')
    assert.equal(start.code, 0)
    assert.match(start.stdout, /runs already/)
    await server.ok('get', 'processes')
  } finally {
    await server.close()
  }
})

test('Ctrl-C ends a server in the foreground', { timeout: 60_000 }, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'pmk-e2e-'))
  try {
    const child = spawn(process.execPath, [inRepository('dist/main.js'), 'server', 'run', '--data-dir', dataDir, '--port=-1'], {
      stdio: 'ignore',
    })
    const ended = new Promise<readonly [number | null, string | null]>((end) => child.once('exit', (code, signal) => end([code, signal])))
    await eventually(async () => {
      const status = await run([process.execPath, inRepository('dist/main.js'), 'server', 'status', '--data-dir', dataDir])
      assert.equal(status.code, 0, status.stdout)
    })
    child.kill('SIGINT')
    assert.deepEqual(await ended, [0, null])
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
})

test('a directory that will not do is refused with what to do', { timeout: 60_000 }, async () => {
  const parent = mkdtempSync(join(tmpdir(), 'pmk-e2e-'))
  const start = (dir: string): ReturnType<typeof run> =>
    run([process.execPath, inRepository('dist/main.js'), 'server', 'start', '--data-dir', dir])
  try {
    const long = await start(join(parent, 'x'.repeat(120)))
    assert.equal(long.code, 1)
    assert.match(long.stderr, /107/)

    const open = join(parent, 'open')
    mkdirSync(open)
    chmodSync(open, 0o755)
    writeFileSync(join(open, 'something'), '')
    const refused = await start(open)
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /chmod 700/)

    const file = join(parent, 'file')
    writeFileSync(file, '')
    const notDirectory = await start(file)
    assert.equal(notDirectory.code, 1)
    assert.match(notDirectory.stderr, /file/)
  } finally {
    rmSync(parent, { recursive: true, force: true })
  }
})

test('server install --print shows what would be installed', { timeout: 60_000 }, async () => {
  const install = (init: string): ReturnType<typeof run> =>
    run([process.execPath, inRepository('dist/main.js'), 'server', 'install', '--print', '--init', init, '--data-dir', "/srv/it's here"])
  const unit = await install('systemd')
  assert.equal(unit.code, 0, unit.stderr)
  for (const line of [
    'KillMode=process',
    'OOMPolicy=continue',
    'Delegate=yes',
    'DelegateSubgroup=server',
    'TasksMax=infinity',
    'Restart=always',
  ]) {
    assert.ok(unit.stdout.split('\n').includes(line), `${line} in ${unit.stdout}`)
  }
  if (process.getuid?.() !== 0) return
  const script = await install('sysv')
  assert.equal(script.code, 0, script.stderr)
  const check = await run(['sh', '-n'], {}, script.stdout)
  assert.equal(check.code, 0, check.stderr)
  assert.match(script.stdout, /PMK_HOME='\/srv\/it'\\''s here'/)
})

// LevelDB opens its files without close-on-exec: every program once had the store's log open for writing.
test('no program, action or probe inherits a file of the server', { timeout: 60_000 }, async () => {
  const server = await Server.start()
  try {
    await server.apply(`apiVersion: pmk.dev/v1
kind: Process
metadata: {name: curious}
spec:
  script: 'ls -l /proc/$$/fd; exec sleep 1000000'
  readinessProbe: {exec: {command: [sh, -c, '! ls -l /proc/$$/fd | grep -F "${server.dataDir}/db"']}, periodSeconds: 1}
  actions: [{name: look, exec: {command: [sh, -c, 'ls -l /proc/$$/fd']}}]
`)
    await server.ok('wait', '--for=condition=Ready', 'process/curious', '--timeout=30s')
    const seen = (await server.ok('logs', 'curious')) + (await server.ok('action', 'curious', 'look'))
    const targets = seen.split('\n').flatMap((line) => line.split(' -> ').slice(1))
    assert.ok(targets.length >= 6, seen)
    const unexpected = targets.filter((target) => !/^\/dev\/null$|^(pipe|socket):|\/logs\//.test(target))
    assert.deepEqual(unexpected, [])
  } finally {
    await server.close()
  }
})

test('the program as it is built makes its certificates, and serves with them', { timeout: 60_000 }, async () => {
  const server = await Server.start({ port: 0 })
  try {
    assert.match(await server.ok('server', 'status'), /^ready [^\n]*\nTLS at https:\/\/127\.0\.0\.1:\d+\n$/)
    const config = join(server.dataDir, 'kubeconfig')
    assert.equal(await server.ok('get', 'namespaces', '-o', 'name', '--kubeconfig', config), 'namespace/default\n')
    assert.match(await server.ok('kubeconfig', '--user', 'jane'), /^current-context: jane@pmk$/m)
    const before = readFileSync(config, 'utf8')
    await server.kill()
    await server.run()
    const ports = /127\.0\.0\.1:\d+/g
    assert.equal(readFileSync(config, 'utf8').replace(ports, ''), before.replace(ports, ''))
  } finally {
    await server.close()
  }
})
