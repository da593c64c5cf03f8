import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { processNamed, TestApiServer } from '../support/api-server.ts'
import { type CliAnswer, type CliOptions, runPmk, spawnPmk } from '../support/cli.ts'
import { eventually } from '../support/eventually.ts'
import { tempDir } from '../support/temp-dir.ts'

let server: TestApiServer
let home = ''
let dir: Awaited<ReturnType<typeof tempDir>>
const foreign: Server[] = []
before(async () => {
  server = await TestApiServer.start()
  home = dirname(server.socketPath)
  dir = await tempDir()
  for (const name of ['web', 'db']) await server.client.for('Process').create(processNamed(name) as never)
})
after(async () => {
  for (const other of foreign) {
    other.closeAllConnections()
    other.close()
  }
  await server.stop()
  await dir.remove()
})

async function finish(child: ChildProcess): Promise<CliAnswer> {
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const code = await new Promise<number>((resolve) => child.on('close', (exit) => resolve(exit ?? 128)))
  return { code, stdout, stderr }
}

/** A server that answers every request with this. */
async function serve(name: string, answer: object): Promise<{ readonly home: string; readonly asked: string[] }> {
  const place = join(dir.path, name)
  await mkdir(place)
  const asked: string[] = []
  const other = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => other.listen(join(place, 'pmk.sock'), resolve))
  foreign.push(other)
  return { home: place, asked }
}

test('the program prints to standard output and ends with its exit code', async () => {
  const { code, stdout, stderr } = await finish(spawnPmk(['get', 'processes'], { home }))
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /^NAME .*\ndb .*\nweb .*\n$/)
  assert.equal((await finish(spawnPmk(['get', 'processes', 'nope'], { home }))).code, 1)
})

test('Ctrl-C ends a watch quietly with 130', async () => {
  const child = spawnPmk(['get', 'processes', '-w'], { home })
  let shown = ''
  child.stdout?.on('data', (chunk: Buffer) => (shown += chunk.toString()))
  const done = finish(child)
  await eventually(() => assert.match(shown, /web/))
  child.kill('SIGINT')
  const { code, stderr } = await done
  assert.deepEqual([code, stderr], [130, ''])
})

test('a reader that goes away is no error to talk about', async () => {
  const child = spawnPmk(['get', 'processes', '-w'], { home })
  const stderr: string[] = []
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  await new Promise<void>((resolve) => child.stdout?.once('data', () => resolve()))
  child.stdout?.destroy()
  await eventually(async () => {
    await server.client
      .for('Process')
      .patch({ name: 'web' }, { type: 'merge', value: { metadata: { annotations: { at: String(performance.now()) } } } })
    assert.notEqual(child.exitCode, null)
  })
  assert.deepEqual([await ended, stderr], [141, []])
})

interface Row {
  readonly argv: readonly string[]
  readonly code: number
  readonly stdout?: RegExp
  readonly stderr: RegExp
  readonly options?: CliOptions
}

const rows: readonly Row[] = [
  { argv: ['aply'], code: 1, stderr: /^error: unknown command "aply" for "pmk"; did you mean "apply"\?\nSee 'pmk --help' for usage\.\n$/ },
  { argv: ['server', 'strat'], code: 1, stderr: /unknown command "server strat" for "pmk"; did you mean "server start"\?/ },
  { argv: ['get', '--bogus'], code: 1, stderr: /^error: unknown flag: --bogus\nSee 'pmk get --help' for usage\.\n$/ },
  { argv: [], code: 1, stderr: /Usage: pmk VERB/ },
  { argv: ['--help'], code: 0, stdout: /Objects:\n/, stderr: /^$/ },
  { argv: ['help', 'get'], code: 0, stdout: /Usage: pmk get/, stderr: /^$/ },
  { argv: ['get', '-h'], code: 0, stdout: /--sort-by PATH/, stderr: /^$/ },
  { argv: ['--version'], code: 0, stdout: /^pmk \d+\.\d+\.\d+\n$/, stderr: /^$/ },
  { argv: ['version', '--client'], code: 0, stdout: /^Client Version: v\d/, stderr: /^$/ },
  { argv: ['-n', 'other', 'get', 'ps'], code: 0, stderr: /^No resources found in other namespace\.\n$/ },
  { argv: ['get', 'ps', '-A', '-n', 'x'], code: 1, stderr: /cannot be used together/ },
  {
    argv: ['get', 'ps', '-v=6', 'web', '-o', 'name'],
    code: 0,
    stderr: /GET \/version 200\n.*GET \/apis\/pmk\.dev\/v1\/namespaces\/default\/processes\/web 200\n/,
  },
]

for (const { argv, code, stdout, stderr, options } of rows) {
  test(`pmk ${argv.join(' ')} ends with ${code}`, async () => {
    const answer = await runPmk(argv, { home, ...options })
    assert.equal(answer.code, code)
    assert.match(answer.stderr, stderr)
    assert.match(answer.stdout, stdout ?? /^/)
  })
}

test('an address that was named and has no server is an error, never a way to another server', async () => {
  const nowhere = join(dir.path, 'nowhere')
  assert.deepEqual(await runPmk(['get', 'ps', '--data-dir', nowhere], { home }), {
    code: 1,
    stdout: '',
    stderr: `error: no pmk server at ${nowhere}/pmk.sock (named by --data-dir)\nStart one with: pmk server start --data-dir ${nowhere}\n`,
  })
  assert.deepEqual(await runPmk(['get', 'ps', '--server', 'some.sock'], { home, cwd: dir.path }), {
    code: 1,
    stdout: '',
    stderr: `error: no pmk server at ${dir.path}/some.sock (named by --server)\nStart one with: pmk server start\n`,
  })
  const { stderr } = await runPmk(['get', 'ps'], { home: nowhere })
  assert.match(stderr, /\(named by \$PMK_HOME\)/)
  assert.match(
    (await runPmk(['get', 'ps'], { env: { XDG_STATE_HOME: dir.path } })).stderr,
    new RegExp(`no pmk server at ${dir.path}/pmk/pmk.sock\nStart one with: pmk server start\n`),
  )
})

test('a socket that nobody listens on any more counts as no server', async () => {
  const place = join(dir.path, 'dead')
  await mkdir(place)
  await writeFile(join(place, 'pmk.sock'), '')
  assert.match((await runPmk(['get', 'ps'], { home: place })).stderr, /^error: no pmk server at .*\nStart one with: pmk server start\n$/)
})

test('the socket can be given as it is', async () => {
  assert.equal(
    (await runPmk(['get', 'ps', '--server', server.socketPath, '-o', 'name'])).stdout,
    'process.pmk.dev/db\nprocess.pmk.dev/web\n',
  )
  assert.equal((await runPmk(['get', 'ps', '--server', `unix://${server.socketPath}`, '-o', 'name'])).code, 0)
})

test("a server that is not pmk's is asked for its version and for nothing else", async () => {
  for (const [name, answer] of Object.entries({ cluster: { major: '1', minor: '33', gitVersion: 'v1.33.0' }, other: ['hello'] })) {
    const other = await serve(name, answer)
    const { code, stderr } = await runPmk(['delete', 'processes', '--all'], { home: other.home })
    assert.equal(code, 1)
    assert.match(stderr, /is not a pmk server; nothing was asked of it/)
    assert.deepEqual(other.asked, ['GET /version'])
  }
})
