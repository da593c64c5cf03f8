import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import nodeProcess from 'node:process'
import type { Cleanup } from './cleanup.ts'
import { Http } from './http.ts'
import { type Load, load, p50, repeated, sleep, timed, until } from './measure.ts'
import { background, command, kill, killTree } from './proc.ts'
import { temporary, watchStarts } from './scratch.ts'

/** What this machine can do at best, measured once when first asked for. */
export class Floors {
  readonly #cleanup: Cleanup
  readonly #known = new Map<string, Promise<unknown>>()

  constructor(cleanup: Cleanup) {
    this.#cleanup = cleanup
  }

  /** Append of 1.5 KiB and fdatasync, one after the other. */
  disk(): Promise<Load> {
    return this.#once('disk', async () => {
      const file = await open(join(temporary(this.#cleanup), 'file'), 'a')
      const value = Buffer.alloc(1_500, 'x')
      try {
        return await load(1, 2_000, async () => {
          await file.write(value)
          await file.datasync()
        })
      } finally {
        await file.close()
      }
    })
  }

  /** `node -e 0`, from start to end. */
  node(): Promise<number> {
    return this.#once('node', async () => p50(await repeated(12, () => timed(() => command([nodeProcess.execPath, '-e', '0'])))))
  }

  /** PUT to an HTTP server that does nothing, over so many connections. */
  hello(connections: number): Promise<Load> {
    return this.#once(`hello ${connections}`, async () => {
      const socketPath = join(temporary(this.#cleanup), 'hello')
      const server = background([nodeProcess.execPath, resolve(import.meta.dirname, 'hello.mjs'), socketPath])
      this.#cleanup.add(() => killTree(server.pid))
      await until(10_000, 'start of the HTTP floor', () => existsSync(socketPath))
      const http = new Http({ socketPath })
      const body = JSON.stringify({ text: 'x'.repeat(1_500) })
      const answer = await load(connections, 1_000, () => http.send({ method: 'PUT', path: '/', body }))
      http.close()
      await killTree(server.pid)
      return answer
    })
  }

  /** A shell that starts a program again whenever it ends: nothing but fork, exec and wait. */
  shellRestart(rounds: number): Promise<readonly number[]> {
    return this.#once('shell restart', () => {
      const loop = 'while :; do "$0" "$1"; done'
      return this.#restarts(rounds, (argv) => ['/bin/sh', '-c', loop, ...argv])
    })
  }

  /** The same with posix_spawn, in Python; undefined where there is none. */
  posixSpawnRestart(rounds: number): Promise<readonly number[] | undefined> {
    const loop = 'import os, sys\nwhile True: os.waitpid(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)'
    return this.#once('posix_spawn restart', async () => {
      const { code } = await command(['python3', '-c', '']).catch(() => ({ code: 127 }))
      return code === 0 ? this.#restarts(rounds, (argv) => ['python3', '-c', loop, ...argv]) : undefined
    })
  }

  /** A shell that starts so many programs in a loop: milliseconds until all of them are there. */
  shellStarts(count: number): Promise<number> {
    return this.#once(`shell starts ${count}`, async () => {
      const starts = watchStarts(this.#cleanup)
      const [program] = starts.command('')
      const all = starts.count(count, 60_000)
      const begin = performance.now()
      const loop = 'n=0; while [ $n -lt "$1" ]; do "$0" p$n & n=$((n + 1)); done; wait'
      const shell = background(['/bin/sh', '-c', loop, program, String(count)])
      this.#cleanup.add(() => killTree(shell.pid))
      const took = (await all).at - begin
      await killTree(shell.pid)
      return took
    })
  }

  async #restarts(rounds: number, argv: (command: readonly string[]) => readonly string[]): Promise<readonly number[]> {
    const starts = watchStarts(this.#cleanup)
    const first = starts.next('floor')
    const { pid } = background(argv(starts.command('floor')))
    this.#cleanup.add(() => killTree(pid))
    await first
    const took = await repeated(rounds, async () => {
      await sleep(30)
      const next = starts.next('floor')
      const begin = performance.now()
      kill(starts.pidOf('floor'))
      return (await next).at - begin
    })
    await killTree(pid)
    return took
  }

  #once<T>(name: string, measure: () => Promise<T>): Promise<T> {
    const known = this.#known.get(name) ?? measure()
    this.#known.set(name, known)
    return known as Promise<T>
  }
}
