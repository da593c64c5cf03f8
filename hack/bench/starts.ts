import { execFileSync } from 'node:child_process'
import { constants, openSync, writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { now, within } from './measure.ts'

export interface Start {
  readonly name: string
  readonly pid: number
  readonly at: number
}

/**
 * Learns of the first instruction of programs: each says its name and pid into one FIFO. The same text runs under every
 * supervisor that is compared, so that all pay the same for it.
 */
export class Starts {
  readonly #fifo: string
  readonly #program: string
  readonly #socket: Socket
  readonly #listeners = new Set<(start: Start) => void>()
  /** The last start of each name. */
  readonly #last = new Map<string, Start>()
  #rest = ''

  constructor(directory: string) {
    this.#fifo = join(directory, 'starts')
    this.#program = join(directory, 'program')
    execFileSync('mkfifo', [this.#fifo])
    writeFileSync(this.#program, this.script('$1'), { mode: 0o755 })
    // For writing, too: the end of one program must not look like the end of all.
    const fd = openSync(this.#fifo, constants.O_RDWR | constants.O_NONBLOCK)
    this.#socket = new Socket({ fd, readable: true, writable: false })
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk))
  }

  /** A program that tells that it is there, then does nothing for ever. */
  command(name: string): readonly [string, string] {
    return [this.#program, name]
  }

  /** The same as a file of its own, for who can't give arguments. */
  script(name: string): string {
    return `#!/bin/sh\necho ${name} $$ >${this.#fifo}\nexec sleep 1000000\n`
  }

  /** The next start of this name; call it before what causes it. */
  next(name: string, ms = 20_000): Promise<Start> {
    return this.#when(ms, `start of ${name}`, (start) => start.name === name)
  }

  /** When so many starts in all, of any name, have been seen from now on. */
  count(wanted: number, ms: number): Promise<Start> {
    let seen = 0
    return this.#when(ms, `${wanted} starts`, () => {
      seen += 1
      return seen >= wanted
    })
  }

  get pids(): readonly number[] {
    return [...this.#last.values()].map(({ pid }) => pid)
  }

  pidOf(name: string): number {
    const start = this.#last.get(name)
    if (start === undefined) throw new Error(`${name} has not started`)
    return start.pid
  }

  forget(): void {
    this.#last.clear()
  }

  close(): void {
    this.#socket.destroy()
  }

  #when(ms: number, what: string, test: (start: Start) => boolean): Promise<Start> {
    let listener: ((start: Start) => void) | undefined
    const seen = new Promise<Start>((resolve) => {
      listener = (start) => {
        if (test(start)) resolve(start)
      }
      this.#listeners.add(listener)
    })
    const result = within(ms, what, seen).finally(() => {
      if (listener !== undefined) this.#listeners.delete(listener)
    })
    // When what should have caused the start fails, nobody waits any more.
    result.catch(() => {})
    return result
  }

  #take(chunk: Buffer): void {
    const at = now()
    const lines = (this.#rest + chunk.toString('latin1')).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const [name = '', pid] = line.split(' ')
      const start = { name, pid: Number(pid), at }
      this.#last.set(name, start)
      for (const listener of this.#listeners) listener(start)
    }
  }
}
