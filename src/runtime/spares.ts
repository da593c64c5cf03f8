import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Logger } from '../base/log.ts'
import { runTool, type SpawnChild } from './child.ts'
import type { HostTools } from './host.ts'
import { StartError } from './runtime.ts'
import { RECORD_SIZE } from './shim.ts'

const BATCH = 32
/** With fewer left, more are made. */
const LOW = 32
/** Batches made at once. */
const MAKERS = 2

/**
 * What the process that makes spares reads: names without blanks in $names. Builtins but for two commands, so that a batch
 * is three processes, whatever its size.
 */
const SCRIPT = `umask 077
run=$1 logs=$2 mkdir=$3 mkfifo=$4 boot=$5 names=$6
"$mkdir" -p -- "$run" "$logs" && cd -- "$run" && "$mkdir" -- $names || exit
fifos=
for name in $names; do fifos="$fifos $name/ctl"; done
"$mkfifo" -- $fifos || exit
for name in $names; do
  printf '%${RECORD_SIZE}s\\n%s\\n' '' "$boot" >"$name/shim" || exit
  for file in pid exit; do printf '%${RECORD_SIZE}s' '' >"$name/$file" || exit; done
  for file in run.json note launch; do : >"$name/$file" || exit; done
done
cd -- "$logs" && "$mkdir" -- $names || exit
for name in $names; do : >"$name/log" || exit; done
`

export interface SparesOptions {
  readonly runDirectory: string
  readonly logDirectory: string
  /** The line behind the shim's record in each. */
  readonly boot: string
  readonly host: HostTools
  readonly spawn: SpawnChild
  readonly log: Logger
}

/**
 * Run and log directories that lie ready to be renamed to where they are needed. They are made in bulk, ahead, by a process of
 * their own: making files waits for the file system's journal.
 */
export class Spares {
  readonly #options: SparesOptions
  readonly #run: string[] = []
  readonly #logs: string[] = []
  readonly #making = new Set<Promise<void>>()
  #closed = false

  constructor(options: SparesOptions) {
    this.#options = options
  }

  /** A run directory with all that needn't be said of one Instance. */
  takeRun(): Promise<string> {
    return this.#take(this.#run)
  }

  /** A log directory with an empty log. */
  takeLog(): Promise<string> {
    return this.#take(this.#logs)
  }

  /** Makes some ahead, if there are few. */
  prepare(): void {
    if (this.#closed || Math.min(this.#run.length, this.#logs.length) >= LOW) return
    this.#make().catch((err: unknown) => this.#options.log.warn({ err }, 'Could not make directories ahead'))
  }

  async close(): Promise<void> {
    this.#closed = true
    // Whoever waited for one of them has its failure.
    await Promise.allSettled(this.#making)
  }

  async #take(pool: string[]): Promise<string> {
    for (;;) {
      const path = pool.pop()
      this.prepare()
      if (path !== undefined) return path
      await this.#make()
    }
  }

  /** Resolves when one more batch is there. */
  #make(): Promise<void> {
    if (this.#making.size < MAKERS) {
      const making = this.#makeNow().finally(() => this.#making.delete(making))
      this.#making.add(making)
    }
    return Promise.race(this.#making)
  }

  async #makeNow(): Promise<void> {
    const { runDirectory, logDirectory, boot, host, spawn } = this.#options
    const names = Array.from({ length: BATCH }, () => randomUUID())
    const tools = ['mkdir', 'mkfifo'].map((name) => host.tools.get(name) ?? name)
    const words = ['-c', SCRIPT, '-', runDirectory, logDirectory, ...tools, boot, names.join(' ')]
    const { code, stderr } = await runTool(spawn, host.shell, words)
    if (code !== 0) throw new StartError('HostFailure', `Could not make directories: ${stderr}`)
    this.#run.push(...names.map((name) => join(runDirectory, name)))
    this.#logs.push(...names.map((name) => join(logDirectory, name)))
  }
}
