import type { Clock, Millis } from '../base/clock.ts'
import type { HostTools } from './host.ts'
import type { Instance } from './instance.ts'
import type { Launcher } from './launcher.ts'
import { protectFromOom } from './proc-stat.ts'
import { type ProcessTrees, signalProcess } from './process-tree.ts'
import { StartError } from './runtime.ts'
import { RUN_FORMAT } from './shim.ts'
import type { Spares } from './spares.ts'
import type { StateDir } from './state-dir.ts'

const SHIM_TIMEOUT: Millis = 10_000
const END_TIMEOUT: Millis = 2_000

export interface ShimKeeperOptions {
  readonly dir: StateDir
  readonly host: HostTools
  readonly trees: ProcessTrees
  readonly launcher: Launcher
  readonly spares: Spares
  readonly clock: Clock
  readonly bootId: string
  readonly signal: AbortSignal
  /** Where the output of an Instance goes. */
  readonly logPath: (entry: Instance) => string
  /** Called once the directory is there and before a shim is asked for. */
  readonly watch: (entry: Instance) => void
}

/** Sees to it that an Instance has one shim, and never two. Its methods are called for one Instance at a time. */
export class ShimKeeper {
  readonly #options: ShimKeeperOptions

  constructor(options: ShimKeeperOptions) {
    this.#options = options
  }

  /** When it resolves the Instance has a directory, complete for this boot. */
  async layOut(entry: Instance): Promise<void> {
    const { dir, bootId, logPath, spares, trees } = this.#options
    if (entry.laidOut) return
    const format = dir.format(entry.id, bootId)
    if (format === undefined) {
      entry.expected = trees.expect(entry.root).catch(() => {
        // What it fails at, so does the move, and says so.
      })
      await dir.layOut(entry.id, { spare: await spares.takeRun(), logPath: logPath(entry) })
    }
    entry.format = format ?? RUN_FORMAT
    entry.laidOut = true
  }

  /** When it resolves a shim reads the FIFO, in its cgroup. */
  async ensure(entry: Instance): Promise<void> {
    const { dir, launcher, bootId, watch } = this.#options
    if (dir.hasShim(entry.id)) {
      // An earlier server may have been killed between asking for it and putting it into its group.
      const up = entry.shim === undefined ? dir.readShim(entry.id) : undefined
      if (up === undefined) return
      entry.shim = { pid: up.pid, startTime: up.startTime }
      watch(entry)
      await this.#settle(entry, up.pid)
      return
    }
    await this.layOut(entry)
    if (entry.format !== RUN_FORMAT) {
      dir.upgrade(entry.id, bootId, entry.file?.attempt ?? 0)
      entry.format = RUN_FORMAT
    }
    watch(entry)
    for (let tries = 0; tries < 3; tries++) {
      const old = dir.readShim(entry.id)
      const isLauncherGone = await launcher.request(dir.directory(entry.id))
      const shim = await this.#until(entry, SHIM_TIMEOUT, () => {
        const found = dir.readShim(entry.id)
        const isNew = found !== undefined && (found.pid !== old?.pid || found.startTime !== old.startTime)
        if (isNew && dir.hasShim(entry.id)) return found
        return isLauncherGone() ? 'never' : undefined
      })
      // A shim that comes late would be a second one: none can come any more when this has been waited for.
      if (shim === undefined) await launcher.reset()
      const up = typeof shim === 'object' ? shim : dir.hasShim(entry.id) ? dir.readShim(entry.id) : undefined
      if (up === undefined) continue
      entry.shim = { pid: up.pid, startTime: up.startTime }
      await this.#settle(entry, up.pid)
      return
    }
    throw new StartError('HostFailure', 'No shim comes up: the host may be out of processes or memory')
  }

  /** The shim ends, by itself or not. */
  async end(entry: Instance): Promise<void> {
    const { dir } = this.#options
    await entry.expected
    if (!dir.command(entry.id, 'end\n')) return
    const isGone = (): true | undefined => (dir.hasShim(entry.id) ? undefined : true)
    if (await this.#until(entry, END_TIMEOUT, isGone)) return
    const shim = dir.readShim(entry.id)
    if (shim !== undefined) signalProcess(shim, 9)
    await this.#until(entry, SHIM_TIMEOUT, isGone)
  }

  async #settle(entry: Instance, pid: number): Promise<void> {
    const { trees, host } = this.#options
    if (host.protectsShims) protectFromOom(pid)
    await trees.enlist(entry.root, pid)
  }

  #until<T>(entry: Instance, timeout: Millis, probe: () => T | undefined): Promise<T | undefined> {
    const { clock, signal } = this.#options
    return entry.until({ clock, timeout, signal }, probe)
  }
}
