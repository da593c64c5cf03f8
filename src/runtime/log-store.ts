import { chownSync, closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { SpawnChild } from './child.ts'
import type { HostTools } from './host.ts'
import type { InstanceId, LogConfig, LogOptions, RunConfig } from './runtime.ts'
import type { RunFile } from './state-dir.ts'

export interface LogStoreOptions {
  readonly dataDir: string
  readonly clock: Clock
  readonly log: Logger
  readonly host: HostTools
  readonly spawn: SpawnChild
  readonly retention: Millis | undefined
}

export class LogStore {
  readonly #options: LogStoreOptions
  constructor(options: LogStoreOptions) {
    this.#options = options
  }
  async open(): Promise<void> {}
  async close(): Promise<void> {}
  paths(instance: InstanceId): { readonly log: string; readonly err: string } {
    const dir = join(this.#options.dataDir, 'logs', instance)
    return { log: join(dir, 'log'), err: join(dir, 'log.err') }
  }
  create(instance: InstanceId): void {
    mkdirSync(join(this.#options.dataDir, 'logs', instance), { recursive: true, mode: 0o700 })
    closeSync(openSync(this.paths(instance).log, 'a', 0o600))
  }
  beginRun(config: RunConfig, _attempt: number): void {
    this.create(config.instance)
  }
  endRun(_instance: InstanceId): void {}
  adopt(_instance: InstanceId, _file: RunFile): void {}
  configure(_instance: InstanceId, _logs: LogConfig): void {}
  retire(_instance: InstanceId): void {}
  sweep(): void {}
  async *read(instance: InstanceId, _options: LogOptions): AsyncIterable<Uint8Array> {
    yield readFileSync(this.paths(instance).log)
  }
  async tail(instance: InstanceId, bytes: number): Promise<string> {
    const all = readFileSync(this.paths(instance).log)
    return all.subarray(Math.max(0, all.length - bytes)).toString()
  }
}
