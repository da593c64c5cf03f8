import nodeProcess from 'node:process'
import type { Clock } from '../base/clock.ts'
import { allPids, environmentOf, isAlive, type ProcessIdentity, type ProcessStat, readStat } from './proc-stat.ts'
import { isLive, KILL_TIMEOUT, type ProcessTrees, pause, signalProcess, type TreeRoot } from './process-tree.ts'
import type { InstanceId } from './runtime.ts'

/**
 * Without cgroups: the members are the leader's session, the descendants of shim and leader, all that carries the marker, and
 * all that was seen to be a member before. A process that forks faster than the table can be read gets away.
 */
export class ScannedTrees implements ProcessTrees {
  readonly #clock: Clock
  /** Members once seen, by marker: double-forked ones that dropped their environment are known by nothing else. */
  readonly #seen = new Map<string, Map<number, number>>()
  /** Markers by process, read once: `pid` to start time and marker. */
  #markers = new Map<number, { readonly startTime: number; readonly marker: string }>()
  #scan: Promise<readonly ProcessStat[]> | undefined

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock
  }

  async members(root: TreeRoot): Promise<readonly ProcessStat[]> {
    return this.#select(root, await this.#sharedScan())
  }

  async remember(roots: readonly TreeRoot[]): Promise<void> {
    if (roots.length === 0) return
    const all = await this.#sharedScan()
    for (const root of roots) {
      this.#select(root, all)
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
  }

  async kill(root: TreeRoot): Promise<void> {
    const end = this.#clock.monotonic() + KILL_TIMEOUT
    for (;;) {
      // Stopped processes can't fork: stop until a look finds nobody new. All in one go, without yielding to anything.
      const stopped = new Map<number, ProcessIdentity>()
      for (let found = true, rounds = 0; found && rounds < 50; rounds++) {
        found = false
        for (const member of this.#select(root, scanNow())) {
          if (stopped.has(member.pid)) continue
          found = true
          stopped.set(member.pid, member)
          signalProcess(member, 19)
        }
      }
      if (stopped.size === 0) return
      for (const member of stopped.values()) signalProcess(member, 9)
      if (this.#clock.monotonic() > end) throw new Error(`${stopped.size} processes of ${root.marker} survive SIGKILL`)
      for (let wait = 1; [...stopped.values()].some(isAlive) && wait <= 64; wait *= 2) await pause(this.#clock, wait)
    }
  }

  async enlist(): Promise<void> {}

  admit(): undefined {}

  async dissolve(instance: InstanceId): Promise<void> {
    for (const marker of [...this.#seen.keys()]) {
      if (marker.startsWith(`${instance}.`)) this.#seen.delete(marker)
    }
    await this.killMarked((marker) => marker.startsWith(`${instance}.`))
  }

  forget(root: TreeRoot): void {
    this.#seen.delete(root.marker)
  }

  async adopt(): Promise<void> {}

  cpuSeconds(): undefined {}

  close(): void {}

  /** Kills whatever carries a marker of that kind. */
  async killMarked(isMeant: (marker: string) => boolean): Promise<void> {
    const meant = (await this.#sharedScan()).filter((stat) => isLive(stat) && isMeant(this.#markerOf(stat)))
    for (const stat of meant) signalProcess(stat, 9)
    const end = this.#clock.monotonic() + KILL_TIMEOUT
    while (meant.some(isAlive) && this.#clock.monotonic() < end) await pause(this.#clock, 2)
  }

  #select(root: TreeRoot, all: readonly ProcessStat[]): ProcessStat[] {
    const { leader, shim } = root
    const seen = this.#seen.get(root.marker) ?? new Map<number, number>()
    this.#seen.set(root.marker, seen)
    const stats = new Map(all.map((stat) => [stat.pid, stat]))
    for (const [pid, startTime] of seen) if (stats.get(pid)?.startTime !== startTime) seen.delete(pid)
    for (const pid of this.#markers.keys()) if (!stats.has(pid)) this.#markers.delete(pid)

    // A session whose leader has another start time is somebody else's that got the same number.
    const other = leader === undefined ? undefined : stats.get(leader.pid)
    const session = leader !== undefined && (other === undefined || other.startTime === leader.startTime) ? leader.pid : -1
    const isShim = (stat: ProcessStat): boolean => stat.pid === shim?.pid && stat.startTime === shim.startTime
    const members = new Map<number, ProcessStat>()
    for (const stat of all) {
      if (isShim(stat) || stat.pid === nodeProcess.pid) continue
      if (stat.session === session || seen.has(stat.pid) || this.#markerOf(stat) === root.marker) members.set(stat.pid, stat)
    }
    for (let grown = true; grown; ) {
      grown = false
      for (const stat of all) {
        const parent = stats.get(stat.ppid)
        if (members.has(stat.pid) || parent === undefined || isShim(stat)) continue
        if (members.has(stat.ppid) || isShim(parent)) {
          members.set(stat.pid, stat)
          grown = true
        }
      }
    }
    for (const stat of members.values()) seen.set(stat.pid, stat.startTime)
    return [...members.values()].filter(isLive)
  }

  #markerOf(stat: ProcessStat): string {
    const known = this.#markers.get(stat.pid)
    if (known?.startTime === stat.startTime) return known.marker
    const marker = environmentOf(stat.pid, 'PMK_RUN') ?? ''
    this.#markers.set(stat.pid, { startTime: stat.startTime, marker })
    return marker
  }

  /** Callers that come while a scan hasn't begun share it. */
  #sharedScan(): Promise<readonly ProcessStat[]> {
    this.#scan ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      this.#scan = undefined
      return scanInSlices()
    })
    return this.#scan
  }
}

/** So many processes are read before others get a turn: some 4 ms. */
const SLICE = 250

async function scanInSlices(): Promise<readonly ProcessStat[]> {
  const stats: ProcessStat[] = []
  for (const [index, pid] of allPids().entries()) {
    const stat = readStat(pid)
    if (stat !== undefined) stats.push(stat)
    if (index % SLICE === SLICE - 1) await new Promise<void>((resolve) => setImmediate(resolve))
  }
  return stats
}

function scanNow(): readonly ProcessStat[] {
  return allPids().flatMap((pid) => readStat(pid) ?? [])
}
