import nodeProcess from 'node:process'
import type { Clock } from '../base/clock.ts'
import { nextTurn } from '../base/turn.ts'
import { allPids, environmentOf, isAlive, type ProcessIdentity, type ProcessStat, readStat } from './proc-stat.ts'
import { isLive, KILL_TIMEOUT, type ProcessTrees, pause, signalProcess, type TreeRoot } from './process-tree.ts'
import type { HostGap, InstanceId } from './runtime.ts'

/** The process table at one moment, by what ties processes together. */
interface Snapshot {
  readonly all: readonly ProcessStat[]
  readonly byPid: ReadonlyMap<number, ProcessStat>
  readonly bySession: ReadonlyMap<number, readonly ProcessStat[]>
  readonly byParent: ReadonlyMap<number, readonly ProcessStat[]>
  readonly byMarker: ReadonlyMap<string, readonly ProcessStat[]>
}

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
  #scan: Promise<Snapshot> | undefined
  readonly #doomed = new Set<TreeRoot>()
  #nextRound: Promise<ReadonlyMap<TreeRoot, number>> | undefined
  #rounds: Promise<unknown> = Promise.resolve()

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
      await nextTurn()
    }
  }

  /** Trees that are to be killed at the same time are stopped together, so that they share the looks at the process table. */
  async kill(root: TreeRoot): Promise<void> {
    const end = this.#clock.monotonic() + KILL_TIMEOUT
    for (;;) {
      const stopped = await this.#killRound(root)
      if (stopped === 0) return
      if (this.#clock.monotonic() > end) throw new Error(`${stopped} processes of ${root.marker} survive SIGKILL`)
    }
  }

  /** Gives how many members of this tree were found, and killed. */
  #killRound(root: TreeRoot): Promise<number> {
    this.#doomed.add(root)
    // One round after the other. The next one is for all that come before it begins.
    this.#nextRound ??= this.#rounds.then(() => this.#killDoomed())
    const round = this.#nextRound
    this.#rounds = round.catch(() => {
      // Those who wait for this round have it.
    })
    return round.then((killed) => killed.get(root) ?? 0)
  }

  async #killDoomed(): Promise<ReadonlyMap<TreeRoot, number>> {
    await nextTurn()
    this.#nextRound = undefined
    const roots = [...this.#doomed]
    this.#doomed.clear()
    const killed = new Map<TreeRoot, number>()
    const stopped = new Map<number, ProcessIdentity>()
    // Stopped processes can't fork: stop until a look finds nobody new. A large table is read with pauses in between.
    for (let found = true, rounds = 0; found && rounds < 50; rounds++) {
      found = false
      const all = this.#snapshot(await scanInSlices())
      for (const root of roots) {
        for (const member of this.#select(root, all)) {
          if (stopped.has(member.pid)) continue
          found = true
          stopped.set(member.pid, member)
          killed.set(root, (killed.get(root) ?? 0) + 1)
          signalProcess(member, 19)
        }
      }
    }
    for (const member of stopped.values()) signalProcess(member, 9)
    for (let wait = 1; [...stopped.values()].some(isAlive) && wait <= 64; wait *= 2) await pause(this.#clock, wait)
    return killed
  }

  async expect(): Promise<void> {}

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

  usage(): undefined {}

  oomKills(): undefined {}

  async limit(): Promise<void> {}

  pause(): void {
    throw new Error('Without a cgroup no tree can be frozen')
  }

  isPaused(): boolean {
    return false
  }

  gaps(): readonly HostGap[] {
    const why = 'no cgroup2 hierarchy can be used'
    const processTree = `processTree: ${why}, so a process that forks very fast may get away when it is stopped`
    return [
      { field: 'processTree', message: processTree },
      ...['limits.cpu', 'limits.memory', 'limits.pids', 'pause'].map((field) => ({ field, message: `${field}: ${why}` })),
    ]
  }

  close(): void {}

  /** Kills whatever carries a marker of that kind. */
  async killMarked(isMeant: (marker: string) => boolean): Promise<void> {
    const meant = (await this.#sharedScan()).all.filter((stat) => isLive(stat) && isMeant(this.#markerOf(stat)))
    for (const stat of meant) signalProcess(stat, 9)
    const end = this.#clock.monotonic() + KILL_TIMEOUT
    while (meant.some(isAlive) && this.#clock.monotonic() < end) await pause(this.#clock, 2)
  }

  #select(root: TreeRoot, all: Snapshot): ProcessStat[] {
    const { leader, shim } = root
    const seen = this.#seen.get(root.marker) ?? new Map<number, number>()
    this.#seen.set(root.marker, seen)
    const members = new Map<number, ProcessStat>()
    const isShim = (stat: ProcessStat): boolean => stat.pid === shim?.pid && stat.startTime === shim.startTime
    const found: ProcessStat[] = []
    const add = (stat: ProcessStat): void => {
      if (members.has(stat.pid) || isShim(stat) || stat.pid === nodeProcess.pid) return
      members.set(stat.pid, stat)
      found.push(stat)
    }
    // A session whose leader has another start time is somebody else's that got the same number.
    const namesake = leader === undefined ? undefined : all.byPid.get(leader.pid)
    if (leader !== undefined && (namesake === undefined || namesake.startTime === leader.startTime))
      all.bySession.get(leader.pid)?.forEach(add)
    for (const [pid, startTime] of seen) {
      const stat = all.byPid.get(pid)
      if (stat?.startTime === startTime) add(stat)
      else seen.delete(pid)
    }
    all.byMarker.get(root.marker)?.forEach(add)
    const shimStat = shim === undefined ? undefined : all.byPid.get(shim.pid)
    if (shimStat !== undefined && isShim(shimStat)) all.byParent.get(shimStat.pid)?.forEach(add)
    // `found` grows while it is walked: children of children come in turn.
    for (const stat of found) all.byParent.get(stat.pid)?.forEach(add)
    for (const stat of found) seen.set(stat.pid, stat.startTime)
    return found.filter(isLive)
  }

  #snapshot(all: readonly ProcessStat[]): Snapshot {
    const byPid = new Map(all.map((stat) => [stat.pid, stat]))
    for (const pid of this.#markers.keys()) if (!byPid.has(pid)) this.#markers.delete(pid)
    return {
      all,
      byPid,
      bySession: groupBy(all, (stat) => stat.session),
      byParent: groupBy(all, (stat) => stat.ppid),
      byMarker: groupBy(all, (stat) => this.#markerOf(stat)),
    }
  }

  #markerOf(stat: ProcessStat): string {
    const known = this.#markers.get(stat.pid)
    if (known?.startTime === stat.startTime) return known.marker
    const marker = environmentOf(stat.pid, 'PMK_RUN') ?? ''
    this.#markers.set(stat.pid, { startTime: stat.startTime, marker })
    return marker
  }

  /** Callers that come while a scan hasn't begun share it. */
  #sharedScan(): Promise<Snapshot> {
    this.#scan ??= nextTurn().then(async () => {
      this.#scan = undefined
      return this.#snapshot(await scanInSlices())
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
    if (index % SLICE === SLICE - 1) await nextTurn()
  }
  return stats
}

function groupBy<K>(stats: readonly ProcessStat[], keyOf: (stat: ProcessStat) => K): ReadonlyMap<K, readonly ProcessStat[]> {
  const groups = new Map<K, ProcessStat[]>()
  for (const stat of stats) {
    const key = keyOf(stat)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [stat])
    else group.push(stat)
  }
  return groups
}
