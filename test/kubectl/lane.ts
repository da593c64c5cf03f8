import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sleep, systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { Client } from '../../src/client/client.ts'
import { createControllers } from '../../src/controllers/control-plane.ts'
import { createLocalClient } from '../../src/registry/local-client.ts'
import { TestApiServer } from '../support/api-server.ts'
import { eventually } from '../support/eventually.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TinyAgent } from '../support/tiny-agent.ts'
import { TlsAccess } from '../support/tls-access.ts'
import { type Row, wordsOf } from './row.ts'

/** No command takes nearly as long; one that does hangs. */
const PATIENCE = 60_000
const HEARTBEAT = 10_000

/** cold: every command finds an empty home; warm: all share one, with its cache of discovery. */
export type Cache = 'cold' | 'warm'

/** One kubectl with a server of its own: API, controllers, and an agent whose Instances run as soon as they are asked for. */
export class KubectlLane {
  readonly client: Client
  readonly #program: string
  readonly #cache: Cache
  readonly #dir: Awaited<ReturnType<typeof tempDir>>
  readonly #server: TestApiServer
  readonly #stop = new AbortController()
  readonly #parts: Promise<unknown>
  #commands = 0

  static async start(program: string, cache: Cache): Promise<KubectlLane> {
    const dir = await tempDir()
    const server = await TestApiServer.start()
    const access = await TlsAccess.open(server.server)
    await mkdir(join(dir.path, 'work'))
    await writeFile(join(dir.path, 'config'), await access.kubeconfig())
    return new KubectlLane(program, cache, dir, server)
  }

  private constructor(program: string, cache: Cache, dir: Awaited<ReturnType<typeof tempDir>>, server: TestApiServer) {
    this.#program = program
    this.#cache = cache
    this.#dir = dir
    this.#server = server
    const clientOf = (fieldManager: string): Client => createLocalClient(server.registry, { fieldManager })
    this.client = clientOf('tester')
    const controllers = createControllers({ client: clientOf('pmk-controllers'), clock: systemClock, log: silentLogger })
    const agent = new TinyAgent({ client: clientOf('pmk-agent'), clock: systemClock })
    this.#parts = Promise.all([controllers.run(this.#stop.signal), agent.run(this.#stop.signal), this.#keepNode(this.#stop.signal)])
  }

  /** Gives what was printed. */
  async check(row: Row): Promise<string> {
    for (const [name, text] of Object.entries(row.files ?? {})) await writeFile(join(this.#dir.path, 'work', name), text)
    const child = this.#spawn(row)
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString()
    })
    child.stdin.on('error', () => {
      // It ended without having read all of it; what it says of that is checked.
    })
    child.stdin.end(row.stdin ?? '')
    const closed = once(child, 'close')
    try {
      for (const { when, act } of row.follow ?? []) {
        await eventually(() => assert.match(out + err, when, `it printed only\n${out}${err}`))
        await act?.({ client: this.client, fetch: async (url) => (await fetch(url)).text(), printed: out + err })
      }
    } catch (failure) {
      child.kill()
      throw failure
    }
    if (row.follow !== undefined && row.code === undefined) {
      child.kill()
      await closed
    } else {
      const [code, signal] = await closed
      assert.deepEqual({ code, signal }, { code: row.code ?? 0, signal: null }, `it printed\n${out}${err}`)
    }
    const printed = out + err
    if (typeof row.prints === 'string') assert.equal(printed, row.prints)
    else for (const expected of [row.prints ?? []].flat()) assert.match(printed, expected)
    return printed
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#parts
    await this.#server.stop()
    await this.#dir.remove()
  }

  #spawn({ run, env }: Row) {
    this.#commands += 1
    const home = join(this.#dir.path, this.#cache === 'cold' ? `home-${this.#commands}` : 'home')
    return spawn(this.#program, wordsOf(run), {
      cwd: join(this.#dir.path, 'work'),
      // Go needs a quarter less time when it doesn't collect what so short a life leaves.
      env: { PATH: process.env.PATH, HOME: home, TMPDIR: this.#dir.path, GOGC: 'off', KUBECONFIG: join(this.#dir.path, 'config'), ...env },
      timeout: PATIENCE,
      stdio: 'pipe',
    })
  }

  /** Instances need a place to be that is alive. */
  async #keepNode(signal: AbortSignal): Promise<void> {
    const nodes = this.client.for('Node')
    await nodes.create({ apiVersion: 'pmk.dev/v1', kind: 'Node', metadata: { name: 'host' } })
    while (!signal.aborted) {
      const node = await nodes.get({ name: 'host' })
      await nodes.updateStatus({ ...node, status: { ...node.status, phase: 'Ready', heartbeatTime: systemClock.now() } })
      await sleep(systemClock, HEARTBEAT, signal).catch(() => {
        // Only the end of the lane ends this sleep early; the condition of the loop sees it.
      })
    }
  }
}
