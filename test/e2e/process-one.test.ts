import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { createHttpClient, type HttpClient } from '../../src/client/http-client.ts'
import { eventually } from '../support/eventually.ts'
import { type Answer, commandLine, missing, run } from '../support/pmk.ts'

const isRoot = process.getuid?.() === 0
const skip = isRoot ? missing('unshare', 'nsenter', 'perl', 'python3') : 'NOT TESTED: needs root, for a PID namespace'

/** A server that is process 1 of a PID namespace of its own, as in a container. */
class Container {
  readonly dataDir: string
  readonly client: HttpClient
  readonly #child: ChildProcess
  /** The exit code of it all. */
  readonly ended: Promise<number>

  /** `hidden`: programs that this container doesn't have. `dataDir`: that of another one. */
  constructor(options: { readonly hidden: readonly string[]; readonly flags?: readonly string[]; readonly dataDir?: string }) {
    this.dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'pmk-one-'))
    this.client = createHttpClient({ socketPath: join(this.dataDir, 'pmk.sock') }, { fieldManager: 'pmk-test' })
    const hide = options.hidden.map((path) => `mount --bind /dev/null ${path} && `).join('')
    const words = commandLine(
      'server',
      'run',
      '--data-dir',
      this.dataDir,
      '--node-name',
      'box',
      '--log-level',
      'warn',
      ...(options.flags ?? []),
    )
    const log = openSync(join(this.dataDir, 'server.log'), 'a')
    const args = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', `${hide}exec "$@"`, 'sh', ...words]
    this.#child = spawn('unshare', args, { stdio: ['ignore', log, log], env: { PATH: '/usr/bin:/bin' } })
    closeSync(log)
    this.ended = new Promise((resolve) => this.#child.once('exit', (code) => resolve(code ?? 128)))
  }

  /** Host's number of what is process 1 inside. */
  get processOne(): number {
    const children = readFileSync(`/proc/${this.#child.pid}/task/${this.#child.pid}/children`, 'latin1').trim()
    assert.match(children, /^\d+$/, 'unshare has one child')
    return Number(children)
  }

  async ready(): Promise<this> {
    await eventually(
      async () => {
        const answer = await this.client.request({ method: 'GET', path: '/readyz' })
        assert.equal((await answer.text()).trim(), 'ok')
      },
      { within: 60_000, every: 50 },
    ).catch((err: Error) => {
      throw new Error(`the server is not ready: ${err.message}\n${this.log()}`)
    })
    return this
  }

  log(): string {
    return readFileSync(join(this.dataDir, 'server.log'), 'utf8').slice(-4_000)
  }

  inside(script: string): Promise<Answer> {
    return run(['nsenter', '--target', String(this.processOne), '--pid', '--mount', 'sh', '-c', script])
  }

  /** Zombies inside, by name. Those of nsenter itself are gone when it ends. */
  async zombies(): Promise<readonly string[]> {
    const { stdout } = await this.inside('cat /proc/[0-9]*/stat')
    return stdout.split('\n').filter((line) => /\) Z /.test(line))
  }

  async apply(manifest: string): Promise<void> {
    const { code, stderr } = await run(commandLine('apply', '-f', '-'), { PMK_HOME: this.dataDir }, manifest)
    assert.equal(code, 0, stderr)
  }

  /** Sends a signal to process 1 and gives the exit code of it all. */
  end(signal: NodeJS.Signals): Promise<number> {
    process.kill(this.processOne, signal)
    return this.ended
  }

  async close(): Promise<void> {
    await this.client.close()
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL')
    await this.ended
    await eventually(() => rmSync(this.dataDir, { recursive: true, force: true }))
  }
}

/** Forks twice, 200 times, and leaves children behind that leave their session; then runs on. */
const ORPHANS = `
    i=0
    while [ $i -lt 100 ]; do (sh -c : &); (setsid sh -c 'exec sleep 0.01' &); i=$((i+1)); done
    touch "$DONE"
    exec sleep 100000`

const manifest = (dataDir: string): string => `apiVersion: pmk.dev/v1
kind: Process
metadata: {name: forker}
spec:
  script: |${ORPHANS}
  env: [{name: DONE, value: ${dataDir}/forked}]
  livenessProbe: {exec: {command: [sh, -c, "(sleep 0.05 &); (setsid sleep 0.05 &)"]}, periodSeconds: 1}
---
apiVersion: pmk.dev/v1
kind: Process
metadata: {name: sleeper}
spec: {command: [sleep, "100000"], replicas: 5}
`

async function reapingMessage(container: Container): Promise<string> {
  const node = await container.client.for('Node').get({ name: 'box' })
  return node.status?.conditions?.find(({ type }) => type === 'HostSupports')?.message ?? ''
}

describe('a server that is process 1 of its container', { skip, concurrency: true, timeout: 240_000 }, () => {
  const open: Container[] = []
  const container = (hidden: readonly string[], flags: readonly string[] = []): Promise<Container> => {
    const made = new Container({ hidden, flags })
    open.push(made)
    return made.ready()
  }
  after(() => Promise.all(open.map((each) => each.close())))

  for (const [reaper, hidden] of [
    ['perl', []],
    ['python3', ['/usr/bin/perl']],
  ] as const) {
    test(`runs below a reaper (${reaper}): orphans, killed shims and what probes leave behind are no zombies`, async () => {
      const box = await container(hidden)
      assert.match(await box.inside('tr "\\0" " " </proc/1/cmdline').then(({ stdout }) => stdout), /server run/)
      await box.apply(manifest(box.dataDir))
      await eventually(async () => assert.equal((await box.inside(`test -e ${box.dataDir}/forked`)).code, 0), {
        within: 60_000,
        every: 200,
      })
      // The shims of the sleepers: dash, in the run directory, with the launcher's name in its command line.
      const shims = `for d in /proc/[0-9]*; do case $(readlink $d/cwd) in ${box.dataDir}/run/?*) grep -qz pmk-launcher $d/cmdline && echo \${d#/proc/};; esac; done`
      const pids = (await box.inside(shims)).stdout.trim().split('\n')
      assert.ok(pids.length >= 6, `six shims: ${pids.join(' ')}`)
      await box.inside(`kill -9 ${pids.join(' ')}; pkill -9 -x sleep`)
      await eventually(
        async () => {
          const ready = (await box.client.for('Process').get({ namespace: 'default', name: 'sleeper' })).status?.readyReplicas
          assert.equal(ready, 5)
        },
        { within: 60_000, every: 200 },
      )
      await eventually(async () => assert.deepEqual(await box.zombies(), []), { within: 30_000, every: 100 })
      assert.doesNotMatch(await reapingMessage(box), /reaping/)
      assert.equal(await box.end('SIGTERM'), 0, box.log())
    })
  }

  test('without a reaper it runs all the same, says so, and takes zombies for dead', async () => {
    const box = await container(['/usr/bin/perl', '/usr/bin/python3'])
    await box.apply(manifest(box.dataDir))
    await eventually(async () => assert.match(await reapingMessage(box), /reaping: .*docker run --init/), { within: 60_000, every: 200 })
    assert.match(box.log(), /docker run --init/)
    const pid = await eventually(async () => {
      const found = (await box.client.for('Instance').get({ namespace: 'default', name: 'sleeper-0' })).status?.pid
      assert.ok(found, 'it runs')
      return found
    })
    // The program of a killed shim becomes the child of a process 1 that never waits for it.
    await box.inside(`kill -9 $(cut -d " " -f 4 /proc/${pid}/stat); kill -9 ${pid}`)
    await eventually(
      async () => {
        const { status } = await box.client.for('Instance').get({ namespace: 'default', name: 'sleeper-0' })
        assert.notEqual(status?.pid, pid)
        assert.equal(status?.ready, true)
      },
      { within: 60_000, every: 200 },
    )
    assert.ok((await box.zombies()).length > 0, 'the zombies are there, or this test shows nothing')
    assert.equal(await box.end('SIGTERM'), 0, box.log())
  })

  test('exit codes and signals pass through the reaper', async () => {
    const drained = await container([], ['--on-exit=stop'])
    await drained.apply(manifest(drained.dataDir))
    assert.equal(await drained.end('SIGINT'), 0, drained.log())
    const first = await container([])
    const second = new Container({ hidden: [], dataDir: first.dataDir })
    open.push(second)
    assert.equal(await second.ended, 1, second.log())
    assert.match(second.log(), /is in use|another server|already/i)
  })
})
