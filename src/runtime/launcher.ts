import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Millis } from '../base/clock.ts'
import type { Child, SpawnChild } from './child.ts'
import { allPids, isAlive, type ProcessIdentity, readStat } from './proc-stat.ts'
import { isLive, pause, signalProcess } from './process-tree.ts'
import { LAUNCHER_TEXT } from './shim.ts'
import { readLineAt, writeLineAt } from './state-dir.ts'

/** An old launcher has so long to end by itself; it needs 4 ms for 100 requests. */
const DRAIN_TIMEOUT: Millis = 1_000

export interface LauncherOptions {
  readonly directory: string
  readonly shell: string
  readonly spawn: SpawnChild
  readonly clock: Clock
  /** The shims that are up, start times by pid: all else that an old launcher left is on its way to be one. */
  readonly shims: () => ReadonlyMap<number, number>
}

interface LauncherFile extends ProcessIdentity {
  readonly bootId: string
}

/** The one shell from which shims are forked. It is started when first needed, and again when it was killed. */
export class Launcher {
  readonly #options: LauncherOptions
  readonly #bootId: string
  #child: Child | undefined
  #starting: Promise<Child> | undefined
  #closed = false

  constructor(options: LauncherOptions & { readonly bootId: string }) {
    this.#options = options
    this.#bootId = options.bootId
  }

  get #file(): string {
    return join(this.#options.directory, 'launcher.json')
  }

  get #script(): string {
    return join(this.#options.directory, 'pmk-launcher')
  }

  /**
   * Waits until the launcher of an earlier server is gone. From then on each shim it was asked for is up, or never will be.
   */
  async takeOver(): Promise<void> {
    const { clock } = this.#options
    const old = this.#readFile()
    if (old === undefined || old.bootId !== this.#bootId) return
    const end = clock.monotonic() + DRAIN_TIMEOUT
    while (isAlive(old) && clock.monotonic() < end) await pause(clock, 2)
    signalProcess(old, 9)
    await this.#settled(old.pid)
    this.#forget()
  }

  /**
   * Asks for a shim in this directory. It is up when its FIFO can be opened. The answer tells whether the launcher has gone
   * since: then a shim that isn't up never will be, and may be asked for again.
   */
  async request(directory: string): Promise<() => boolean> {
    await this.start()
    const child = await this.#starting
    child?.input(0).write(`${directory}\n`)
    return () => this.#child !== child
  }

  /** Starts it, if it isn't up. Gives its pid. */
  async start(): Promise<number> {
    if (this.#closed) throw new Error('The runtime is closed')
    this.#starting ??= this.#start()
    return (await this.#starting).pid
  }

  /** Ends the launcher for good or for a new one. Resolves when no shim can come of earlier requests any more. */
  async reset(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    child.input(0).end()
    const cancel = this.#options.clock.schedule(DRAIN_TIMEOUT, () =>
      signalProcess({ pid: child.pid, startTime: readStat(child.pid)?.startTime ?? 0 }, 9),
    )
    await child.ended
    cancel()
    await this.#settled(child.pid)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.reset()
    this.#forget()
  }

  async #start(): Promise<Child> {
    const { directory, shell, spawn } = this.#options
    writeScript(this.#script)
    const child = await spawn({
      command: shell,
      args: [this.#script],
      env: {},
      cwd: directory,
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    const file: LauncherFile = { pid: child.pid, startTime: readStat(child.pid)?.startTime ?? 0, bootId: this.#bootId }
    writeLineAt(this.#file, JSON.stringify(file))
    this.#child = child
    // A launcher that was killed takes no more: its end tells.
    child.input(0).on('error', () => {})
    child.unref()
    void child.ended.then(async () => {
      // Never fails: `ended` doesn't reject, and waiting for half-made shims gives up by itself.
      await this.#settled(child.pid)
      if (this.#child === child) {
        this.#child = undefined
        this.#starting = undefined
      }
    })
    return child
  }

  /** After a launcher was killed, a child of it may still be on its way to become a shim. */
  async #settled(launcher: number): Promise<void> {
    const { clock, shims } = this.#options
    const end = clock.monotonic() + DRAIN_TIMEOUT
    const isAnyHalfMade = (): boolean => {
      const up = shims()
      return allPids().some((pid) => {
        const stat = readStat(pid)
        return stat?.pgrp === launcher && isLive(stat) && up.get(pid) !== stat.startTime
      })
    }
    while (isAnyHalfMade() && clock.monotonic() < end) await pause(clock, 2)
  }

  #readFile(): LauncherFile | undefined {
    // A server killed while writing leaves half a line: its launcher's pipe is closed, and it has had no request.
    return readLineAt<LauncherFile>(this.#file)
  }

  /** The file stays, empty: on a full disk there would be no room for a new one. */
  #forget(): void {
    if (existsSync(this.#file)) writeLineAt(this.#file, '')
  }
}

/** A shell may still be reading the old one, so it is not overwritten. What is the same already needs no room on a full disk. */
function writeScript(path: string): void {
  if (existsSync(path) && readFileSync(path, 'utf8') === LAUNCHER_TEXT) return
  rmSync(path, { force: true })
  writeFileSync(path, LAUNCHER_TEXT, { mode: 0o600 })
}
