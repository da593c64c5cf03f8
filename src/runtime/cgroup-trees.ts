import { join } from 'node:path'
import type { Clock, Millis } from '../base/clock.ts'
import { nextTurn } from '../base/turn.ts'
import type { Cgroup } from './cgroup.ts'
import { CONTROLLERS, type Controller, type Controllers } from './cgroup-controllers.ts'
import { applyLimits } from './cgroup-limits.ts'
import { Gate } from './gate.ts'
import { quote } from './launch-chain.ts'
import { isSafeFromOom, type ProcessStat, readStat } from './proc-stat.ts'
import { isLive, KILL_TIMEOUT, type ProcessTrees, pause, RUN_GROUP, signalProcess, type TreeRoot } from './process-tree.ts'
import type { HostGap, InstanceId, Limits } from './runtime.ts'
import { isMissing } from './state-dir.ts'

const FREEZE_TIMEOUT: Millis = 500
/** Trees killed at once: each takes some calls, and others want their turn too. */
const MAX_KILLS = 16
/** Moves that are no further apart share their wait. */
const MOVES_TOGETHER: Millis = 10
/** Of the launcher: that it can be moved there shows that shims can be moved. */
export const LAUNCHER_GROUP = '.launcher'

/**
 * By cgroup: nothing gets away, forks while killing included. An Instance has a group, which bears limits and is frozen when it is
 * paused, and below it one for shim and programs and one for each command run beside.
 */
export class CgroupTrees implements ProcessTrees {
  readonly #base: Cgroup
  readonly #clock: Clock
  readonly #controllers: Controllers
  /** What programs are told apart by from commands run beside. */
  readonly #handedDown: readonly Controller[]

  /** For trees that an earlier server began without cgroups. */
  readonly #scanned: ProcessTrees
  readonly #kills = new Gate(MAX_KILLS)
  #movedAt: Millis = Number.NEGATIVE_INFINITY

  constructor(options: {
    readonly base: Cgroup
    readonly controllers: Controllers
    readonly clock: Clock
    readonly scanned: ProcessTrees
  }) {
    this.#base = options.base
    this.#controllers = options.controllers
    this.#handedDown = (['memory', 'pids'] as const).filter((controller) => options.controllers.has(controller))
    this.#scanned = options.scanned
    this.#clock = options.clock
  }

  groupOf(root: TreeRoot): Cgroup {
    return this.#instanceGroup(root).child(root.group)
  }

  #instanceGroup(root: TreeRoot): Cgroup {
    return this.#base.child(root.instance)
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
      this.#release(root)
      for (let wait = 1; left().length > 0 && wait <= 8; wait *= 2) await pause(this.#clock, wait)
    } else await nextTurn()
    while (left().length > 0) {
      if (this.#clock.monotonic() > end) throw new Error(`${left().length} processes of ${root.marker} survive SIGKILL`)
      group.freeze(true)
      try {
        const frozenBy = this.#clock.monotonic() + FREEZE_TIMEOUT
        while (!group.isFrozen && this.#clock.monotonic() < frozenBy) await pause(this.#clock, 1)
        // Frozen processes don't fork.
        killAll(left)
      } finally {
        this.#release(root)
        group.freeze(false)
      }
      for (let wait = 1; left().length > 0 && wait <= 64; wait *= 2) await pause(this.#clock, wait)
    }
  }

  /** The program of a paused Instance is killed: its shim must be able to say so. */
  #release(root: TreeRoot): void {
    if (root.group === RUN_GROUP && this.isPaused(root)) this.pause(root, false)
  }

  /**
   * A move waits up to some 15 ms until all processors have taken note of it, and one that follows within that time hardly at
   * all: moving the launcher to where it is begins the wait before there is a shim to be moved.
   */
  async expect(root: TreeRoot): Promise<void> {
    const now = this.#clock.monotonic()
    const isMoving = now - this.#movedAt < MOVES_TOGETHER
    this.#movedAt = now
    const launchers = this.#base.child(LAUNCHER_GROUP)
    const [launcher] = isMoving ? [] : launchers.pids()
    await Promise.all([this.#make(root), launcher === undefined ? undefined : launchers.add(launcher)])
  }

  /** The group comes last: that it is there says that all is done. */
  async #make(root: TreeRoot): Promise<void> {
    if (this.#handedDown.length > 0) {
      const instance = this.#instanceGroup(root)
      await instance.createSoon()
      await this.#handDown(instance)
    }
    const group = this.groupOf(root)
    await group.createSoon()
  }

  async enlist(root: TreeRoot, pid: number): Promise<void> {
    const group = this.groupOf(root)
    try {
      await group.add(pid)
    } catch (err) {
      // Mostly it has been made while the shim was on its way.
      if (!isMissing(err)) throw err
      await this.#make(root)
      await group.add(pid)
    }
    this.#movedAt = this.#clock.monotonic()
    // One without its other processes is no program: all of them go. The shim must not, and only root can protect it.
    if (root.group === RUN_GROUP && this.#controllers.has('memory') && isSafeFromOom(pid)) await group.write('memory.oom.group', '1')
  }

  /** Memory and threads are told of the program alone, apart from commands that run beside it. */
  async #handDown(instance: Cgroup): Promise<void> {
    if (this.#handedDown.length === 0) return
    const has = (instance.read('cgroup.subtree_control') ?? '').split(' ')
    const missing = this.#handedDown.filter((controller) => !has.includes(controller))
    if (missing.length > 0) await instance.write('cgroup.subtree_control', missing.map((name) => `+${name}`).join(' '))
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
    if (group.pids().includes(shim)) return this.#handDown(this.#instanceGroup(root))
    for (const member of await this.#scanned.members(root)) await this.enlist(root, member.pid)
    await this.enlist(root, shim)
  }

  cpuSeconds(root: TreeRoot): number | undefined {
    const usec = this.groupOf(root).number('cpu.stat', 'usage_usec')
    return usec === undefined ? undefined : usec / 1e6
  }

  usage(root: TreeRoot): { readonly memory: number; readonly threads: number } | undefined {
    if (!this.#controllers.has('memory') || !this.#controllers.has('pids')) return undefined
    const group = this.groupOf(root)
    const memory = group.number('memory.current')
    const tasks = group.number('pids.current')
    if (memory === undefined || tasks === undefined) return undefined
    const droppable = group.number('memory.stat', 'inactive_file') ?? 0
    return { memory: Math.max(0, memory - droppable), threads: Math.max(0, tasks - (root.shim === undefined ? 0 : 1)) }
  }

  oomKills(root: TreeRoot): number | undefined {
    return this.#controllers.has('memory') ? this.groupOf(root).number('memory.events', 'oom_kill') : undefined
  }

  async limit(root: TreeRoot, limits: Limits): Promise<void> {
    const group = this.#instanceGroup(root)
    if (Object.keys(limits).length > 0) await group.createSoon()
    await applyLimits(group, limits, this.#controllers)
  }

  pause(root: TreeRoot, paused: boolean): void {
    this.#instanceGroup(root).freeze(paused)
  }

  isPaused(root: TreeRoot): boolean {
    return this.#instanceGroup(root).isFreezing
  }

  gaps(): readonly HostGap[] {
    return CONTROLLERS.flatMap((controller) => {
      const why = this.#controllers.missing(controller)
      const field = `limits.${controller}`
      return why === undefined ? [] : [{ field, message: `${field}: ${why}` }]
    })
  }

  close(): void {
    this.#base.removeIfEmpty()
  }

  /** Ends what groups hold that no known Instance owns, and commands that a dead server left running. */
  async sweep(known: ReadonlySet<string>): Promise<void> {
    for (const group of this.#base.children()) {
      if (group.name === LAUNCHER_GROUP) continue
      if (!known.has(group.name)) await this.#end(group)
      for (const child of group.children()) {
        // A server that died may have been about to kill. What people paused is frozen one level above.
        child.freeze(false)
        if (child.name !== RUN_GROUP) await this.#end(child)
      }
    }
  }

  async #end(group: Cgroup): Promise<void> {
    const end = this.#clock.monotonic() + KILL_TIMEOUT
    while (!group.remove()) {
      if (this.#clock.monotonic() > end) throw new Error(`${group.pids().length} processes in ${group.path} survive SIGKILL`)
      if (!group.killAll()) killAll(() => group.pids())
      await pause(this.#clock, 2)
    }
  }
}

/** Kills those that are listed, and not whoever has got the number of one since. */
function killAll(list: () => readonly number[]): void {
  const before = list().flatMap((pid) => readStat(pid) ?? [])
  const still = new Set(list())
  for (const stat of before) if (still.has(stat.pid)) signalProcess(stat, 9)
}
