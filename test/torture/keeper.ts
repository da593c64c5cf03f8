import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import nodeProcess from 'node:process'
import { createHttpClient, type HttpClient } from '../../src/client/http-client.ts'

const MAIN = resolve(import.meta.dirname, '../../dist/main.js')
/** A server that ended by itself is started again after this; it is told of all the same. */
const RESPAWN = 300

export interface Bounds {
  readonly rss: number
  readonly fds: number
}

/** Keeps the server of a world up, as an init system would, and kills it. */
export class Keeper {
  readonly client: HttpClient
  readonly #dataDir: string
  readonly #log: string
  readonly #ended: (what: string) => void
  #child: ChildProcess | undefined
  #wanted = false
  kills = 0
  /** Kills before it was ready. */
  earlyKills = 0
  ownEnds = 0
  #ready = false

  /** `ended`: told when it ends without having been killed. */
  constructor(options: { readonly dataDir: string; readonly log: string; readonly ended: (what: string) => void }) {
    this.#dataDir = options.dataDir
    this.#log = options.log
    this.#ended = options.ended
    this.client = createHttpClient({ socketPath: join(options.dataDir, 'pmk.sock') }, { fieldManager: 'torture' })
  }

  get pid(): number | undefined {
    return isRunning(this.#child) ? this.#child?.pid : undefined
  }

  spawn(): void {
    this.#wanted = true
    this.#ready = false
    const log = openSync(this.#log, 'a')
    const args = ['server', 'run', '--data-dir', this.#dataDir, '--node-name', 'torture', '--port', '-1', '--log-level', 'info']
    const child = spawn(nodeProcess.execPath, [MAIN, ...args], { stdio: ['ignore', log, log], env: { PATH: '/usr/bin:/bin' } })
    closeSync(log)
    this.#child = child
    child.once('exit', (code, signal) => {
      if (!this.#wanted || this.#child !== child) return
      this.ownEnds += 1
      this.#ended(`the server ended by itself: ${code ?? signal}\n${readFileSync(this.#log, 'utf8').slice(-3_000)}`)
      setTimeout(() => {
        if (this.#wanted && this.#child === child) this.spawn()
      }, RESPAWN)
    })
  }

  /** Resolves once it is ready; an Error when it isn't in time. */
  async ready(within = 60_000): Promise<void> {
    const end = performance.now() + within
    for (;;) {
      try {
        const answer = await this.client.request({ method: 'GET', path: '/readyz', signal: AbortSignal.timeout(10_000) })
        if ((await answer.text()).trim() === 'ok') break
      } catch (err) {
        if (performance.now() > end) throw new Error(`the server is not ready within ${within} ms: ${(err as Error).message}`)
      }
      await pause(30)
    }
    this.#ready = true
  }

  /** SIGKILL, and its end. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#wanted = false
    if (child === undefined || !isRunning(child)) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    this.kills += 1
    if (!this.#ready) this.earlyKills += 1
    child.kill('SIGKILL')
    await ended
  }

  /** The polite end. */
  async stop(): Promise<void> {
    const child = this.#child
    this.#wanted = false
    if (child === undefined || !isRunning(child)) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    const timer = setTimeout(() => child.kill('SIGKILL'), 30_000)
    child.kill('SIGTERM')
    await ended
    clearTimeout(timer)
  }

  /** What it takes of the machine: KiB resident, and open descriptors. */
  bounds(): Bounds | undefined {
    const { pid } = this
    if (pid === undefined) return undefined
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      return { rss: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0), fds: readdirSync(`/proc/${pid}/fd`).length }
    } catch {
      return undefined
    }
  }
}

function isRunning(child: ChildProcess | undefined): boolean {
  return child !== undefined && child.exitCode === null && child.signalCode === null
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
