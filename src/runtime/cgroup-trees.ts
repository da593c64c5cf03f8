import { join } from 'node:path'
import type { Clock, Millis } from '../base/clock.ts'
import { nextTurn } from '../base/turn.ts'
import type { Cgroup } from './cgroup.ts'
import { Gate } from './gate.ts'
import { quote } from './launch-chain.ts'
import { type ProcessStat, readStat } from './proc-stat.ts'
import { isLive, KILL_TIMEOUT, type ProcessTrees, pause, RUN_GROUP, sendSignal, signalProcess, type TreeRoot } from './process-tree.ts'
import type { InstanceId } from './runtime.ts'

const FREEZE_TIMEOUT: Millis = 500
/** Trees killed at once: each takes some calls, and others want their turn too. */
const MAX_KILLS = 16
/** Of the launcher: that it can be moved there shows that shims can be moved. */
export const LAUNCHER_GROUP = '.launcher'

/** By cgroup: nothing gets away, forks while killing included. */
export class CgroupTrees implements ProcessTrees {
  readonly #base: Cgroup
  readonly #clock: Clock

  /** For trees that an earlier server began without cgroups. */
  readonly #scanned: ProcessTrees
  readonly #kills = new Gate(MAX_KILLS)

  constructor(options: { readonly base: Cgroup; readonly clock: Clock; readonly scanned: ProcessTrees }) {
    this.#base = options.base
    this.#scanned = options.scanned
    this.#clock = options.clock
  }

  groupOf(root: TreeRoot): Cgroup {
    return this.#base.child(root.instance).child(root.group)
  }

  async members(root: TreeRoot): Promise<readonly ProcessStat[]> {
    return this.groupOf(root)
      .pids()
      .flatMap((pid) => (pid === root.shim?.pid ? [] : (readStat(pid) ?? [])))
      .filter(isLive)
  }

  async remember(): Promise<void> {}

  kill(root: TreeRoot): Promise<void> {
    return this.#kills.run(() => this.#killNow(root))
  }

  async #killNow(root: TreeRoot): Promise<void> {
    const group = this.groupOf(root)
    const end = this.#clock.monotonic() + KILL_TIMEOUT
    const left = (): number[] => group.pids().filter((pid) => pid !== root.shim?.pid)
    // A lone process that has no time to fork needs no freezing. The first look of the loop tells whether it had.
    const lone = left()
    if (lone.length === 1 && root.leader !== undefined && lone[0] === root.leader.pid) {
      signalProcess(root.leader, 9)
      for (let wait = 1; left().length > 0 && wait <= 8; wait *= 2) await pause(this.#clock, wait)
    } else await nextTurn()
    while (left().length > 0) {
      if (this.#clock.monotonic() > end) throw new Error(`${left().length} processes of ${root.marker} survive SIGKILL`)
      group.freeze(true)
      try {
        const frozenBy = this.#clock.monotonic() + FREEZE_TIMEOUT
        while (!group.isFrozen && this.#clock.monotonic() < frozenBy) await pause(this.#clock, 1)
        // Frozen processes neither fork nor end, so these pids are those of the group still.
        for (const pid of left()) sendSignal(pid, 9)
      } finally {
        group.freeze(false)
      }
      for (let wait = 1; left().length > 0 && wait <= 64; wait *= 2) await pause(this.#clock, wait)
    }
  }

  async enlist(root: TreeRoot, pid: number): Promise<void> {
    const group = this.groupOf(root)
    await group.createSoon()
    await group.add(pid)
  }

  admit(root: TreeRoot): string {
    const group = this.groupOf(root)
    group.create()
    return `echo 0 >${quote(join(group.path, 'cgroup.procs'))} || exit 126`
  }

  async dissolve(instance: InstanceId): Promise<void> {
    await this.#end(this.#base.child(instance))
  }

  forget(root: TreeRoot): void {
    if (root.group !== RUN_GROUP) this.groupOf(root).remove()
  }

  async adopt(root: TreeRoot, shim: number): Promise<void> {
    const group = this.groupOf(root)
    if (group.pids().includes(shim)) return
    for (const member of await this.#scanned.members(root)) await this.enlist(root, member.pid)
    await this.enlist(root, shim)
  }

  cpuSeconds(root: TreeRoot): number | undefined {
    return this.groupOf(root).cpuSeconds
  }

  close(): void {
    this.#base.removeIfEmpty()
  }

  /** Ends what groups hold that no known Instance owns, and commands that a dead server left running. */
  async sweep(known: ReadonlySet<string>): Promise<void> {
    for (const group of this.#base.children()) {
      group.freeze(false)
      if (group.name === LAUNCHER_GROUP) continue
      if (!known.has(group.name)) await this.#end(group)
      for (const child of group.children()) {
        child.freeze(false)
        if (child.name !== RUN_GROUP) await this.#end(child)
      }
    }
  }

  async #end(group: Cgroup): Promise<void> {
    const end = this.#clock.monotonic() + KILL_TIMEOUT
    while (!group.remove()) {
      if (this.#clock.monotonic() > end) throw new Error(`${group.pids().length} processes in ${group.path} survive SIGKILL`)
      if (!group.killAll()) for (const pid of group.pids()) sendSignal(pid, 9)
      await pause(this.#clock, 2)
    }
  }
}
