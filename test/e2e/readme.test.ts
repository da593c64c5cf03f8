import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { commandLine, inRepository, processesOf, run, Server } from '../support/pmk.ts'

const readme = readFileSync(inRepository('README.md'), 'utf8')

/** Commands that go on until they are interrupted, or change the host itself: read, not run. */
const NOT_RUN = /^pmk (server install|logs -f)/

test('the first screen of README: from nothing to a process that heals itself, as it stands there', { timeout: 120_000 }, async () => {
  const block = readme.split('```sh\n')[2]?.split('```')[0] ?? ''
  assert.match(block, /^pmk server start\npmk init .*\npmk get processes\n$/)
  const home = mkdtempSync(join(tmpdir(), 'pmk-readme-'))
  // `pmk` as a command, as the alias of README makes it, but for the port, which is the user's.
  const bin = join(home, 'bin')
  mkdirSync(bin)
  writeFileSync(
    join(bin, 'pmk'),
    `#!/bin/sh\n[ "$*" != 'server start' ] || set -- "$@" --port=-1\nexec "${process.execPath}" "${inRepository('dist/main.js')}" "$@"\n`,
  )
  chmodSync(join(bin, 'pmk'), 0o755)
  const data = join(home, 'data')
  const shell = (script: string): ReturnType<typeof run> =>
    run(['bash', '-euo', 'pipefail', '-c', script], { PMK_HOME: data, PATH: `${bin}:${process.env.PATH}` })
  try {
    const first = await shell(block)
    assert.equal(first.code, 0, first.stdout + first.stderr)
    assert.match(first.stdout, /^NAME +READY +STATUS/m)
    assert.match(first.stdout, /^hello /m)
    await eventually(async () => assert.match((await shell('pmk get processes')).stdout, /^hello +1\/1 +Running +0/m))
    const killed = await shell('pmk signal hello KILL')
    assert.equal(killed.code, 0, killed.stderr)
    await eventually(async () => assert.match((await shell('pmk get processes')).stdout, /^hello +1\/1 +Running +1/m))
    assert.match((await shell('pmk why hello')).stdout, /KILL/)
  } finally {
    await shell('pmk delete processes --all; pmk server stop')
    for (const { pid } of processesOf(data)) process.kill(pid, 'SIGKILL')
    rmSync(home, { recursive: true, force: true })
  }
})

test('every command of the table of everyday commands does what it says', { timeout: 180_000 }, async (t) => {
  const server = await Server.start()
  const dir = mkdtempSync(join(tmpdir(), 'pmk-readme-'))
  t.after(async () => {
    rmSync(dir, { recursive: true, force: true })
    await server.close()
  })
  const web = (port: number): string => `apiVersion: pmk.dev/v1
kind: Process
metadata: {name: web}
spec:
  command: [sleep, "${port}"]
  reload: {signal: CONT}
`
  const file = join(dir, 'web.yaml')
  writeFileSync(file, web(1_000_000))
  await server.ok('apply', '-f', file)
  writeFileSync(file, web(1_000_001))

  const table = readme.slice(readme.indexOf('| you want to |'), readme.indexOf('Every command has'))
  const commands = [...table.matchAll(/`(pmk [^`]+)`/g)].map(([, command]) => command ?? '').filter((command) => !NOT_RUN.test(command))
  assert.ok(commands.length >= 18, `found ${commands.length}`)
  // `diff` stands behind `apply` in its row and is meant to be run before it.
  const ordered = [
    ...commands.filter((command) => command.startsWith('pmk diff')),
    ...commands.filter((command) => !command.startsWith('pmk diff')),
  ]
  for (const command of ordered) {
    const words = command.split(' ').slice(1)
    const answer = await server.pmk(...words.map((word) => (word === 'web.yaml' ? file : word)))
    const expected = words[0] === 'diff' ? 1 : 0
    assert.equal(answer.code, expected, `${command}: ${answer.stdout}${answer.stderr}`)
  }
})

const hasKubectl = findOnPath('kubectl') !== undefined

test('the commands of Use kubectl, as they stand there', {
  skip: !hasKubectl && 'there is no kubectl on this machine',
  timeout: 120_000,
}, async (t) => {
  const [, block = ''] = /## Use kubectl[\s\S]*?```sh\n([\s\S]*?)```/.exec(readme) ?? []
  assert.match(block, /^pmk kubeconfig --merge/)
  const server = await Server.start({ port: 0 })
  const home = mkdtempSync(join(tmpdir(), 'pmk-readme-'))
  t.after(async () => {
    rmSync(home, { recursive: true, force: true })
    await server.close()
  })
  writeFileSync(join(home, 'pmk'), `#!/bin/sh\nexec ${commandLine('"$@"').map(quotedWord).join(' ')}\n`, { mode: 0o755 })
  const script = ['bash', '-euo', 'pipefail', '-c', `cd "$REPOSITORY"\n${block}`]
  const answer = await run(script, {
    HOME: home,
    KUBECONFIG: join(home, 'kubeconfig'),
    PMK_HOME: server.dataDir,
    PATH: `${home}:${process.env.PATH}`,
    REPOSITORY: inRepository('.'),
  })
  assert.equal(answer.code, 0, answer.stdout + answer.stderr)
  assert.match(
    answer.stdout,
    /process\.pmk\.dev\/hello serverside-applied\nprocess\.pmk\.dev\/hello condition met\nNAME +READY[\s\S]*\nhello from hello-0\n/,
  )
})

function quotedWord(word: string): string {
  return word === '"$@"' ? word : `'${word}'`
}

function findOnPath(program: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((dir) => join(dir, program))
    .find((path) => existsSync(path))
}
