import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Limits } from '../../src/apiserver/limits.ts'
import { sourceProgram } from './source-program.ts'
import { tempDir } from './temp-dir.ts'

export type ApiServerQuestion = 'look' | 'collect' | 'stop'

/** How the server's process is, since the last question where that makes sense. */
export interface ApiServerAnswer {
  readonly rss: number
  readonly heapUsed: number
  readonly arrayBuffers: number
  readonly revision: string
  readonly streams: number
  readonly requests: number
  readonly connections: number
  readonly held: number
  /** Since its start. */
  readonly cpuMillis: number
  readonly longestStallMillis: number
  /** Bytes of logs that were read for somebody. */
  readonly produced: number
  /** What was logged as an error: a 500, or worse. */
  readonly failures: readonly string[]
}

/** An API server over a store on disk, in a process of its own. */
export class ApiServerProcess {
  readonly socketPath: string
  readonly #child: ChildProcess
  readonly #remove: () => Promise<void>

  private constructor(child: ChildProcess, socketPath: string, remove: () => Promise<void>) {
    this.#child = child
    this.socketPath = socketPath
    this.#remove = remove
  }

  static async start({ limits = {} }: { readonly limits?: Partial<Limits> } = {}): Promise<ApiServerProcess> {
    const dir = await tempDir()
    const socketPath = join(dir.path, 'pmk.sock')
    const child = fork(sourceProgram('test/fixtures/api-server.ts'), [socketPath, join(dir.path, 'db'), JSON.stringify(limits)], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const [message] = await Promise.race([once(child, 'message'), once(child, 'exit').then(([code]) => [`it ended with ${code}`])])
    assert.equal(message, 'listening')
    return new ApiServerProcess(child, socketPath, dir.remove)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Also for a server that doesn't answer any more: then it is killed, and this throws. */
  async ask(question: Exclude<ApiServerQuestion, 'stop'> = 'look', within = 60_000): Promise<ApiServerAnswer> {
    assert.ok(this.isAlive, `the server has ended: code ${this.#child.exitCode}, signal ${this.#child.signalCode}`)
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), within)
    const child = this.#child
    const listening = new AbortController()
    try {
      const answer = once(child, 'message', { signal: listening.signal })
      const end = once(child, 'exit', { signal: listening.signal }).then(([code, signal]) => {
        throw new Error(`the server has ended, or hung for ${within / 1000} s and was killed: code ${code}, signal ${signal}`)
      })
      child.send(question)
      const [message] = await Promise.race([answer, end])
      answer.catch(() => {})
      end.catch(() => {})
      return message as ApiServerAnswer
    } finally {
      clearTimeout(timer)
      listening.abort()
    }
  }

  async stop(): Promise<void> {
    try {
      if (!this.isAlive) return
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), 30_000)
      const ended = once(this.#child, 'exit')
      this.#child.send('stop')
      const [code] = await ended
      clearTimeout(timer)
      assert.equal(code, 0, 'the server did not end by itself')
    } finally {
      await this.#remove()
    }
  }
}
