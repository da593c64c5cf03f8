import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import nodeProcess from 'node:process'
import { pathToFileURL } from 'node:url'
import { nodeFlags } from '../../src/app/node-flags.ts'
import { processesOf } from '../../test/support/pmk.ts'
import { Http, type Sent } from './http.ts'
import { now, until, within } from './measure.ts'
import { command, cpuOf, kill, pssOf, type Ran, treeOf } from './proc.ts'

const API = '/apis/pmk.dev/v1'
const PROBE = pathToFileURL(resolve(import.meta.dirname, 'loop-delay.mjs')).href

export interface BenchServerOptions {
  readonly dataDir: string
  /** The built command line. */
  readonly main: string
  /** Where V8 writes a profile of the server's life, if anywhere. */
  readonly profile?: string | undefined
}

/** A server of the built command line, as a user starts it, with a probe in it that sleeps until it is asked. */
export class BenchServer {
  readonly http: Http
  readonly #options: BenchServerOptions
  #child: ChildProcess | undefined

  constructor(options: BenchServerOptions) {
    this.#options = options
    this.http = new Http({ socketPath: join(options.dataDir, 'pmk.sock') })
  }

  /** Starts it; gives the milliseconds until it is ready. */
  async start(): Promise<number> {
    const { dataDir, main, profile } = this.#options
    const log = openSync(`${dataDir}.log`, 'a')
    const profiling = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile]
    const begin = now()
    const child = spawn(
      nodeProcess.execPath,
      [
        ...nodeFlags,
        ...profiling,
        '--import',
        PROBE,
        main,
        'server',
        'run',
        '--port=0',
        '--data-dir',
        dataDir,
        '--node-name',
        'bench',
        '--log-level',
        'warn',
      ],
      { stdio: ['ignore', log, log, 'ipc'], env: { PATH: '/usr/bin:/bin' } },
    )
    closeSync(log)
    child.on('error', () => {})
    this.#child = child
    const socket = join(dataDir, 'pmk.sock')
    await until(60_000, `readiness of the server (${dataDir}.log)`, async () => {
      if (child.exitCode !== null) throw new Error(`the server ended: ${readFileSync(`${dataDir}.log`, 'utf8').slice(-2_000)}`)
      if (!existsSync(socket)) return false
      return this.http.send({ method: 'GET', path: '/readyz' }).then(
        () => true,
        () => false,
      )
    })
    return now() - begin
  }

  get dataDir(): string {
    return this.#options.dataDir
  }

  /** The built command line. */
  get main(): string {
    return this.#options.main
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((end) => child.once('exit', end))
    child.kill(signal)
    await within(20_000, 'end of the server', ended)
  }

  /** Ends the server and everything that it ran, without asking. */
  async close(): Promise<void> {
    this.http.close()
    await this.stop(this.#options.profile === undefined ? 'SIGKILL' : 'SIGTERM')
    for (let round = 0; round < 100; round++) {
      const left = processesOf(this.#options.dataDir)
      if (left.length === 0) return
      for (const { pid } of left) kill(pid)
    }
  }

  /** Server, launcher and shims, without the programs that they run. */
  own(programs: readonly number[]): readonly number[] {
    const apart = new Set(programs)
    const all = new Set([...treeOf(this.pid), ...processesOf(this.#options.dataDir).map(({ pid }) => pid)])
    return [...all].filter((pid) => !apart.has(pid))
  }

  pss(programs: readonly number[]): number {
    return pssOf(this.own(programs))
  }

  cpu(programs: readonly number[]): number {
    return cpuOf(this.own(programs))
  }

  /** Runs the command line against this server; an Error when it fails. */
  async pmk(...args: readonly string[]): Promise<Ran> {
    const ran = await command([nodeProcess.execPath, this.#options.main, ...args], { PMK_HOME: this.#options.dataDir })
    if (ran.code !== 0) throw new Error(`pmk ${args.join(' ')}: ${ran.code} ${ran.output.slice(-500)}`)
    return ran
  }

  /** The store's revision: it grows by one with every write. */
  async revision(): Promise<number> {
    const { metadata } = await this.http.json<ListHead>({ method: 'GET', path: `${PROCESSES}?limit=1` })
    return Number(metadata.resourceVersion)
  }

  async measureLoop(): Promise<void> {
    await this.#ask('start')
  }

  /** The longest time, in milliseconds, that the event loop was blocked since `measureLoop`. */
  async longestStall(): Promise<number> {
    return (await this.#ask<{ readonly longest: number }>('stop')).longest
  }

  /** Bytes of the heap and outside it, after a full collection. */
  async heap(): Promise<number> {
    return (await this.#ask<{ readonly bytes: number }>('heap')).bytes
  }

  #ask<T>(question: string): Promise<T> {
    const child = this.#child
    if (child === undefined) throw new Error('the server does not run')
    const answer = new Promise<T>((resolve, reject) => {
      child.once('message', (message) => resolve(message as T))
      child.send(question, (err) => {
        if (err !== null) reject(err)
      })
    })
    return within(30_000, `answer of the server to ${question}`, answer)
  }
}

interface ListHead {
  readonly metadata: { readonly resourceVersion: string }
}

export interface Manifest {
  readonly metadata: { readonly name: string }
}

/** A Process. */
export function processManifest(name: string, spec: object): Manifest {
  return { apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name }, spec } as Manifest
}

/** One that is there, and of which nothing runs. */
export function stoppedProcess(name: string): Manifest {
  return processManifest(name, { command: ['sleep', '1000000'], desiredState: 'Stopped', replicas: 0 })
}

/** A ConfigMap with about 1.5 KiB, the size of a Process with its status. */
export function configMap(name: string, round: number): string {
  const data = { round: String(round), text: 'x'.repeat(1_300) }
  return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data })
}

export const PROCESSES: string = `${API}/namespaces/default/processes`
export const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'

export function applying(manifest: Manifest): Sent {
  return {
    method: 'PATCH',
    path: `${PROCESSES}/${manifest.metadata.name}?fieldManager=bench`,
    type: 'application/apply-patch+yaml',
    body: JSON.stringify(manifest),
  }
}
