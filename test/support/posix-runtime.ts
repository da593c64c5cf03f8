import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { createPosixRuntime } from '../../src/runtime/posix-runtime.ts'
import { type InstanceId, type LogOptions, type ProcessRuntime, type Run, type RunConfig, runId } from '../../src/runtime/runtime.ts'
import { eventually } from './eventually.ts'

export type ExitedRun = Run & { readonly state: 'exited' }
export type RunningRun = Run & { readonly state: 'running' }

/** A runtime for Linux on a directory of its own, with what tests of it do again and again. */
export class TestMachine {
  readonly dataDir: string
  readonly #cgroups: boolean
  readonly #clock: Clock
  #runtime: ProcessRuntime | undefined
  #attempts = new Map<InstanceId, number>()

  /** `dataDir`: that of another machine, which goes on owning it. */
  constructor(options: { readonly cgroups?: boolean; readonly dataDir?: string; readonly clock?: Clock } = {}) {
    this.dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'pmk-runtime-'))
    this.#cgroups = options.cgroups ?? true
    this.#clock = options.clock ?? systemClock
  }

  get runtime(): ProcessRuntime {
    if (this.#runtime === undefined) throw new Error('The machine is not open')
    return this.#runtime
  }

  async open(): Promise<void> {
    this.#runtime = createPosixRuntime({
      dataDir: this.dataDir,
      clock: this.#clock,
      log: silentLogger,
      cgroups: this.#cgroups,
      logRetention: 0,
    })
    await this.#runtime.open()
  }

  async close(): Promise<void> {
    await this.#runtime?.close()
    this.#runtime = undefined
  }

  async reopen(): Promise<void> {
    await this.close()
    await this.open()
  }

  /** Ends all programs and shims and deletes the directory. */
  async destroy(): Promise<void> {
    if (this.#runtime === undefined) await this.open()
    for (const { instance, run } of await this.runtime.list()) {
      if (run !== undefined) await this.runtime.killTree(run.id)
      await this.runtime.remove(instance)
    }
    await this.close()
    rmSync(this.dataDir, { recursive: true })
  }

  config(command: RunConfig['command'], more: Partial<RunConfig> = {}): RunConfig {
    const instance = more.instance ?? (randomUUID() as InstanceId)
    const attempt = (this.#attempts.get(instance) ?? 0) + 1
    this.#attempts.set(instance, attempt)
    return {
      id: runId(instance, attempt),
      instance,
      namespace: 'default',
      name: 'program',
      command,
      searchPath: ['/usr/bin', '/bin'],
      env: { PATH: '/usr/bin:/bin' },
      logs: { maxSize: 1024 * 1024, maxFiles: 3, compress: true, mergeStderr: true },
      ...more,
    }
  }

  start(command: RunConfig['command'], more: Partial<RunConfig> = {}): Promise<Run> {
    return this.runtime.start(this.config(command, more))
  }

  async startRunning(command: RunConfig['command'], more: Partial<RunConfig> = {}): Promise<RunningRun> {
    const run = await this.start(command, more)
    assert.equal(run.state, 'running')
    return run as RunningRun
  }

  /** Waits for the end of an Instance's newest run. */
  exited(instance: InstanceId): Promise<ExitedRun> {
    return eventually(
      async () => {
        const run = (await this.runtime.get(instance))?.run
        assert.equal(run?.state, 'exited')
        return run as ExitedRun
      },
      { every: 5 },
    )
  }

  /** Runs a program to its end and gives what it wrote. */
  async output(command: RunConfig['command'], more: Partial<RunConfig> = {}): Promise<string> {
    const run = await this.start(command, more)
    await this.exited(run.instance)
    return this.logs(run.instance)
  }

  async logs(instance: InstanceId, options: Partial<LogOptions> = {}): Promise<string> {
    return (await this.logBytes(instance, options)).toString()
  }

  async logBytes(instance: InstanceId, options: Partial<LogOptions> = {}): Promise<Buffer> {
    const pieces: Uint8Array[] = []
    for await (const { bytes } of this.runtime.logs(instance, { signal: AbortSignal.timeout(60_000), ...options })) pieces.push(bytes)
    return Buffer.concat(pieces)
  }
}
