import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createHttpClient, type HttpClient } from '../../src/client/http-client.ts'
import { eventually } from './eventually.ts'
import { sourceProgram } from './source-program.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** The command line as it was built, or as its source is now. */
const mainOf = (source: boolean): string => (source ? sourceProgram('src/main.ts') : join(ROOT, 'dist/main.js'))

export interface ServerOptions {
  /** True: run the source instead of what was built. Also by PMK_TEST_SOURCE=1. */
  readonly source?: boolean
  /** An empty directory of the caller's; else one of its own, which `close` removes. */
  readonly dataDir?: string
  /** Words in front of the server's command line, such as those that make it another user's. */
  readonly under?: readonly string[]
  /** Its TLS port; 0: any free one. Default: none. */
  readonly port?: number
}

export interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The words that run the command line. */
export function commandLine(...args: readonly string[]): readonly string[] {
  return [process.execPath, mainOf(process.env.PMK_TEST_SOURCE === '1'), ...args]
}

/** A file of the repository. */
export function inRepository(path: string): string {
  return join(ROOT, path)
}

/** A real server of the command line, on a data directory of its own. `close` leaves nothing running. */
export class Server {
  readonly dataDir: string
  readonly client: HttpClient
  readonly #main: string
  readonly #under: readonly string[]
  readonly #removes: boolean
  readonly #port: number
  #child: ChildProcess | undefined

  constructor({ source = process.env.PMK_TEST_SOURCE === '1', dataDir, under = [], port = -1 }: ServerOptions = {}) {
    this.#port = port
    this.#under = under
    this.#main = mainOf(source)
    this.#removes = dataDir === undefined
    this.dataDir = dataDir ?? mkdtempSync(join(tmpdir(), 'pmk-e2e-'))
    this.client = createHttpClient({ socketPath: join(this.dataDir, 'pmk.sock') }, { fieldManager: 'pmk-test' })
  }

  static async start(options: ServerOptions = {}): Promise<Server> {
    const server = new Server(options)
    await server.run()
    return server
  }

  /** Starts the server and waits until it is ready, or `unwritable`: until it is but for a store that takes no writes. */
  async run({ unwritable = false }: { readonly unwritable?: boolean } = {}): Promise<void> {
    const log = openSync(join(this.dataDir, 'server.log'), 'a')
    // PATH is deliberately poor: nothing may depend on the server's own.
    const words = [
      ...this.#under,
      process.execPath,
      this.#main,
      'server',
      'run',
      '--data-dir',
      this.dataDir,
      '--node-name',
      'test',
      `--port=${this.#port}`,
    ]
    const child = spawn(words[0] ?? '', words.slice(1), {
      stdio: ['ignore', log, log],
      env: { PATH: '/usr/bin:/bin', HOME: '/nowhere' },
    })
    closeSync(log)
    this.#child = child
    await eventually(
      async () => {
        assert.equal(child.exitCode, null, `the server ended: ${this.log()}`)
        const answer = await this.client.request({ method: 'GET', path: unwritable ? '/readyz?exclude=store' : '/readyz' })
        assert.equal((await answer.text()).trim(), 'ok')
      },
      { within: 60_000 },
    ).catch((err: Error) => {
      throw new Error(`the server is not ready: ${err.message}\n${this.log()}`)
    })
  }

  log(): string {
    return readFileSync(join(this.dataDir, 'server.log'), 'utf8').slice(-4_000)
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Ends it with a signal, as somebody else would. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((end) => child.once('exit', end))
    child.kill(signal)
    await ended
  }

  /** Runs the command line against this server. */
  pmk(...args: readonly string[]): Promise<Answer> {
    return run([process.execPath, this.#main, ...args], { PMK_HOME: this.dataDir })
  }

  /** The same with standard input. */
  pmkWithInput(input: string, ...args: readonly string[]): Promise<Answer> {
    return run([process.execPath, this.#main, ...args], { PMK_HOME: this.dataDir }, input)
  }

  /** The same, and it must succeed: gives standard output. */
  async ok(...args: readonly string[]): Promise<string> {
    const answer = await this.pmk(...args)
    assert.equal(answer.code, 0, `pmk ${args.join(' ')}: ${answer.code}\n${answer.stdout}${answer.stderr}`)
    return answer.stdout
  }

  /** Applies a manifest given as text. */
  async apply(manifest: string): Promise<string> {
    const answer = await this.pmkWithInput(manifest, 'apply', '-f', '-')
    assert.equal(answer.code, 0, `pmk apply: ${answer.stdout}${answer.stderr}`)
    return answer.stdout
  }

  /** A source would make its Processes anew while they are deleted. */
  async #endSources(): Promise<void> {
    const sources = this.client.for('ManifestSource')
    for (const { metadata } of (await sources.list()).items) await sources.delete(metadata)
    await eventually(async () => assert.equal((await sources.list()).items.length, 0, 'a source is still there'), { within: 60_000 })
  }

  /** Removes everything, ends the server, and fails when a process is left over. */
  async close(): Promise<void> {
    try {
      if (this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
        await this.#endSources()
        await this.ok('delete', 'processes', '--all', '--all-namespaces', '--timeout=60s')
        await this.kill('SIGTERM')
      }
      await eventually(() => assert.deepEqual(processesOf(this.dataDir), []), { within: 10_000 })
    } finally {
      await this.kill()
      await this.client.close()
      for (const { pid } of processesOf(this.dataDir)) process.kill(pid, 'SIGKILL')
      if (this.#removes) rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 3 })
    }
  }
}

/** Shims and programs of a data directory that are alive: by working directory, and by the mark in their environment. */
export function processesOf(dataDir: string): readonly { readonly pid: number; readonly command: string }[] {
  const uids = existsSync(join(dataDir, 'run')) ? readdirSync(join(dataDir, 'run')) : []
  const found: { pid: number; command: string }[] = []
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      if (readFileSync(`/proc/${entry}/stat`, 'utf8').includes(') Z ')) continue
      const cwd = readlinkSync(`/proc/${entry}/cwd`)
      const environ = readFileSync(`/proc/${entry}/environ`, 'utf8')
      if (!cwd.startsWith(join(dataDir, 'run')) && !uids.some((uid) => environ.includes(`PMK_RUN=${uid}.`))) continue
      found.push({ pid: Number(entry), command: readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ') })
    } catch {
      // It ended while we looked.
    }
  }
  return found
}

/** Runs a command to its end. */
export function run(command: readonly string[], env: Readonly<Record<string, string>> = {}, input?: string): Promise<Answer> {
  const [file = '', ...args] = command
  return new Promise((done, reject) => {
    const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.stdin.on('error', () => {})
    child.stdin.end(input ?? '')
    child.on('error', reject)
    child.on('close', (code) => done({ code: code ?? 128, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }))
  })
}

/** Why a test can't run here, or false: the programs that it needs and that are missing. Printed by the runner. */
export function missing(...programs: readonly string[]): string | false {
  const absent = programs.filter((program) => !['/usr/bin', '/usr/sbin', '/bin', '/sbin'].some((dir) => existsSync(join(dir, program))))
  return absent.length > 0 ? `NOT TESTED: ${absent.join(', ')} is not installed (hack/test installs it as root)` : false
}

/** True while the process of this number lives; its remains don't count. */
export function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}
