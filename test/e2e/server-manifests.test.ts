import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { type Answer, commandLine, processesOf, run } from '../support/pmk.ts'

test('a server started with --manifests keeps that directory applied, and tells when it is started without', {
  timeout: 180_000,
}, async (t) => {
  const base = mkdtempSync(join(tmpdir(), 'pmk-manifests-'))
  const data = join(base, 'data')
  const pmk = (line: string): Promise<Answer> => run(commandLine(...line.split(' ')), { PMK_HOME: data })
  const ok = async (line: string): Promise<string> => {
    const { code, stdout, stderr } = await pmk(line)
    assert.equal(code, 0, `pmk ${line}: ${stdout}${stderr}`)
    return stdout
  }
  const restart = async (flags: string): Promise<string> => {
    await ok('server stop')
    return (await pmk(`server start --port=-1 ${flags}`.trim())).stderr
  }
  t.after(async () => {
    await pmk('delete sources --all')
    await pmk('delete processes --all')
    await pmk('server stop')
    for (const { pid } of processesOf(data)) process.kill(pid, 'SIGKILL')
    rmSync(base, { recursive: true, force: true })
  })
  const [first, second] = [join(base, 'My_Host'), join(base, 'second')]
  for (const directory of [first, second]) mkdirSync(directory)
  const web = (seconds: number): string =>
    `apiVersion: pmk.dev/v1\nkind: Process\nmetadata: {name: web}\nspec: {command: [sleep, "${seconds}"]}\n`
  writeFileSync(join(first, 'web.yaml'), web(1_000_001))
  writeFileSync(join(second, 'web.yaml'), web(1_000_002))

  assert.equal((await pmk(`server start --port=-1 --manifests ${first}`)).stderr, '')
  assert.match(await ok('get sources --show-labels'), /^my-host .*pmk\.dev\/made-by=manifests-flag$/m)
  await ok('wait source/my-host --for=condition=Ready --timeout=30s')
  assert.match(await ok('get process web -o jsonpath={.spec.command[1]}'), /^1000001$/)
  // What its users say of it besides stays.
  await ok('patch source my-host --type=merge -p {"spec":{"prune":true}}')

  assert.match((await pmk(`server start --port=-1 --manifests ${second}`)).stderr, /second is not followed: the server runs already/)

  assert.match(await restart(''), /My_Host is followed as before, although .*pmk delete source\/my-host/)
  await ok('get source my-host')

  assert.equal(await restart(`--manifests my-host=${second}`), '')
  assert.match(await ok('get source my-host -o jsonpath={.spec.path}:{.spec.prune}'), /\/second:true$/)
  await eventually(async () => assert.match(await ok('get process web -o jsonpath={.spec.command[1]}'), /^1000002$/))

  await ok('delete source my-host')
  const own = `apiVersion: pmk.dev/v1\nkind: ManifestSource\nmetadata: {name: second}\nspec: {path: ${first}, suspend: true}\n`
  assert.equal((await run(commandLine('apply', '-f', '-'), { PMK_HOME: data }, own)).code, 0)
  assert.match(await restart(`--manifests ${second}`), /second is not followed: there is a ManifestSource of its name/)
  assert.match(await ok('get source second -o jsonpath={.spec.path}'), /My_Host$/)
})

test('the directories of --manifests are named as they will be called, from wherever the server is started', async () => {
  const printed = await run(commandLine('server', 'install', '--print', '--init', 'systemd', '--manifests', 'here/My_Host'))
  assert.match(printed.stdout, new RegExp(`^ExecStart=.* server run --data-dir .* --manifests=my-host=${process.cwd()}/here/My_Host$`, 'm'))
  for (const [words, remedy] of [
    [['--manifests', '/'], /--manifests NAME=\//],
    [['--manifests', 'a/x', '--manifests', 'b/x'], /both be called x; give one another name: --manifests NAME=/],
  ] as const) {
    const { code, stderr } = await run(commandLine('server', 'run', ...words))
    assert.equal(code, 1)
    assert.match(stderr, remedy)
  }
})
