import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { commandLine, Server } from '../support/pmk.ts'

let server: Server
before(async () => {
  server = await Server.start()
})
after(() => server.close())

/** `pmk logs -f`, as it goes on. */
class Follower {
  readonly #child: ChildProcess
  #seen = ''
  #notes = ''

  constructor(...args: readonly string[]) {
    const [node = '', ...rest] = commandLine('logs', '-f', ...args)
    this.#child = spawn(node, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/bin:/bin', PMK_HOME: server.dataDir } })
    this.#child.stdout?.on('data', (bytes: Buffer) => {
      this.#seen += bytes.toString()
    })
    this.#child.stderr?.on('data', (bytes: Buffer) => {
      this.#notes += bytes.toString()
    })
  }

  get lines(): readonly string[] {
    return this.#seen.split('\n').slice(0, -1)
  }

  get notes(): string {
    return this.#notes
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGINT')
    await ended
  }
}

// All lines alike: nothing but the place tells which were shown already.
const MANIFEST = `
apiVersion: pmk.dev/v1
kind: Process
metadata: {name: alike}
spec:
  command: [/bin/sh, -c]
  args: ['n=0; while [ $n -lt 400 ]; do n=$((n + 1)); echo the same line each time; sleep 0.01; done; echo end; exec sleep 1000']
  logs: {maxSize: 8Ki, maxFiles: 100}
`

test('a follower loses and doubles nothing over rotations, restarts of the program, and a server that is killed', async () => {
  await server.apply(MANIFEST)
  await server.ok('wait', '--for=condition=Ready', 'process/alike', '--timeout=30s')
  const followers = [new Follower('alike'), new Follower('--timestamps', 'alike')]
  const [plain, stamped] = followers
  try {
    for (const follower of followers)
      await eventually(() => assert.ok(follower.lines.length > 20, `no line came: ${follower.notes}`), { within: 20_000 })
    await server.kill()
    await server.run()
    const seen = plain?.lines.length ?? 0
    await eventually(() => assert.ok((plain?.lines.length ?? 0) > seen, 'nothing came after the restart'), { within: 20_000 })
    await server.kill()
    await server.run()
    await eventually(() => assert.equal(plain?.lines.at(-1), 'end', plain?.notes), { within: 30_000 })
    await server.ok('restart', 'alike', '--wait', '--timeout=30s')
    await eventually(() => assert.equal(plain?.lines.filter((line) => line === 'end').length, 2, plain?.notes), { within: 30_000 })
    await eventually(() => assert.equal(stamped?.lines.length, 802, stamped?.notes), { within: 10_000 })
    assert.equal(plain?.lines.length, 802)
    const text = stamped?.lines.map((line) => line.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /, ''))
    assert.deepEqual(text, plain?.lines)
    for (const follower of followers) assert.equal(follower.notes, '')
  } finally {
    for (const follower of followers) await follower.end()
  }
})
